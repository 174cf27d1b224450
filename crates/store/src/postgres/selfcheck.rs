//! The look at its own walls that a server takes before it serves.

use super::{
    failed,
    roles::{OWNER, SCHEDULER, TENANT},
};
use crate::{
    StoreError,
    guard::{CATALOG, Kind},
};
use sqlx::{AssertSqlSafe, Executor, PgPool, Row};
use std::collections::BTreeMap;

/// The oldest patch of each major version without a known hole in row-level security, as the server
/// counts: 150014 is 15.14. Those before the first one are too old altogether.
const OLDEST: [i32; 4] = [150_014, 160_010, 170_006, 180_000];

/// Everything that is missing, in words for the operator.
pub(super) async fn missing(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let mut missing = version(pool).await?;
    let roles = roles(pool).await?;
    let complete = roles.is_empty();
    missing.extend(roles);
    if !complete {
        return Ok(missing);
    }
    missing.extend(tables(pool).await?);
    missing.extend(views(pool).await?);
    Ok(missing)
}

async fn version(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int AS number";
    let number: i32 =
        pool.fetch_one(sql).await.and_then(|row| row.try_get("number")).map_err(failed)?;
    let oldest = OLDEST.into_iter().find(|oldest| oldest / 10_000 == number / 10_000);
    let told = |oldest: i32| format!("PostgreSQL {}.{} or later", oldest / 10_000, oldest % 10_000);
    let wanted = match oldest {
        Some(oldest) if number < oldest => Some(told(oldest)),
        None if number < OLDEST[0] => Some(told(OLDEST[0])),
        _ => None,
    };
    Ok(wanted.into_iter().map(|wanted| format!("the server must be {wanted}")).collect())
}

/// What the roles must not be able to do.
async fn roles(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    for role in [TENANT, SCHEDULER] {
        let sql = format!(
            "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS strong,
                has_database_privilege(oid, current_database(), 'TEMPORARY') AS temporary,
                has_schema_privilege(oid, 'public', 'CREATE') AS creates,
                EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid) AS owns,
                EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS is_member
             FROM pg_roles WHERE rolname = '{role}'"
        );
        let row = pool.fetch_optional(AssertSqlSafe(sql)).await.map_err(failed)?;
        let Some(row) = row else {
            missing.push(format!("the role `{role}` does not exist"));
            continue;
        };
        let faults = [
            ("strong", "may do what only an administrator should"),
            ("temporary", "may create temporary tables"),
            ("creates", "may create tables"),
            ("owns", "owns tables"),
            ("is_member", "is a member of another role"),
        ];
        for (column, fault) in faults {
            if row.try_get::<bool, _>(column).map_err(failed)? {
                missing.push(format!("the role `{role}` {fault}"));
            }
        }
    }
    Ok(missing)
}

/// What every table with an owner must have.
async fn tables(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT relname::text AS name,
            relrowsecurity AND relforcerowsecurity AS secured,
            pg_get_userbyid(relowner) = '{OWNER}' AS owned,
            (SELECT COUNT(*) FROM pg_policy WHERE polrelid = pg_class.oid
                AND NOT polpermissive
                AND polroles && ARRAY[0, '{TENANT}'::regrole::oid]) AS holds,
            (SELECT COUNT(*) FROM pg_policy WHERE polrelid = pg_class.oid AND polpermissive) AS lets,
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid
                AND attname = 'organization_id' AND NOT attisdropped) AS tenants,
            has_table_privilege('{TENANT}', oid, 'TRUNCATE') AS truncates
         FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    );
    let mut found = BTreeMap::new();
    for row in pool.fetch_all(AssertSqlSafe(sql)).await.map_err(failed)? {
        let name: String = row.try_get("name").map_err(failed)?;
        found.insert(name, row);
    }
    let mut missing = Vec::new();
    for table in CATALOG.tables.iter().filter(|table| table.kind() != Kind::Platform) {
        let Some(row) = found.get(table.name()) else {
            missing.push(format!("the table `{}` does not exist", table.name()));
            continue;
        };
        let is = |column: &str| row.try_get::<bool, _>(column).map_err(failed);
        let count = |column: &str| row.try_get::<i64, _>(column).map_err(failed);
        let faults = [
            (!is("secured")?, "has no forced row-level security"),
            (!is("owned")?, "does not belong to bifrost_owner"),
            (count("holds")? < 4, "lacks a restrictive policy"),
            (count("lets")? != 1, "has another permissive policy than its own"),
            (is("truncates")?, "can be truncated by the tenant's role"),
        ];
        let faults = faults.into_iter().filter(|(fault, _)| *fault);
        missing.extend(faults.map(|(_, words)| format!("the table `{}` {words}", table.name())));
    }
    for (name, row) in &found {
        let tenants = row.try_get::<bool, _>("tenants").map_err(failed)?;
        if tenants && CATALOG.table(name).is_none() {
            missing.push(format!("the table `{name}` has owners but is unknown"));
        }
    }
    Ok(missing)
}

/// A view shows what its owner may see, unless it is told to ask for the one who looks.
async fn views(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT relname::text AS name FROM pg_class
        WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
            AND NOT COALESCE('security_invoker=true' = ANY (reloptions), FALSE)";
    let rows = pool.fetch_all(sql).await.map_err(failed)?;
    let names = rows.iter().map(|row| row.try_get::<String, _>("name").map_err(failed));
    names.map(|name| Ok(format!("the view `{}` is not a security_invoker view", name?))).collect()
}
