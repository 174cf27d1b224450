//! The look at its own walls that a server takes before it serves.

use super::{
    clients::Pool,
    failed,
    roles::{OWNER, SCHEDULER, TENANT},
    rows,
    walls::{CONTEXT, policy_texts, trigger_names},
    wire::{Piece, Wire},
};
use crate::{
    StoreError,
    guard::{CATALOG, Kind, Table},
    row::{FromRow, Row},
};
use tokio_postgres::types::FromSqlOwned;

/// The oldest patch of each major version without a known hole in row-level security, as the server
/// counts: 150014 is 15.14. Those before the first one are too old altogether.
const OLDEST: [i32; 4] = [150_014, 160_010, 170_006, 180_000];

/// Everything that is missing, in words for the operator.
pub(super) async fn missing(pool: &Pool) -> Result<Vec<String>, StoreError> {
    let connection = &mut pool.take().await.map_err(failed)?;
    let mut missing = version(connection).await?;
    let absent = faults(connection, ABSENT).await?;
    let complete = absent.is_empty();
    missing.extend(absent);
    if !complete {
        return Ok(missing);
    }
    for sql in [TOO_STRONG, WAYS_AROUND] {
        missing.extend(faults(connection, sql).await?);
    }
    missing.extend(tables(connection).await?);
    missing.extend(context(connection).await?);
    Ok(missing)
}

/// The function that the policies ask.
async fn context(connection: &mut Wire) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT prosrc FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname = 'app' AND proname = 'current_org' AND pronargs = 0";
    let bodies = faults(connection, sql).await?;
    let sound = bodies.iter().any(|body| CONTEXT.iter().any(|sql| sql.contains(body.as_str())));
    let fault = "the function `current_org` is not the one that belongs there";
    Ok((!sound).then(|| fault.to_owned()).into_iter().collect())
}

async fn version(connection: &mut Wire) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int AS number";
    let number: i32 = only(connection, sql).await?.into_iter().next().unwrap_or_default();
    let oldest = OLDEST.into_iter().find(|oldest| oldest / 10_000 == number / 10_000);
    let told = |oldest: i32| format!("PostgreSQL {}.{} or later", oldest / 10_000, oldest % 10_000);
    let wanted = match oldest {
        Some(oldest) if number < oldest => Some(told(oldest)),
        None if number < OLDEST[0] => Some(told(OLDEST[0])),
        _ => None,
    };
    Ok(wanted.into_iter().map(|wanted| format!("the server must be {wanted}")).collect())
}

/// Runs a query that gives a sentence for each fault it finds. `$OWNER`, `$TENANT` and `$SCHEDULER`
/// stand for the names of the roles.
async fn faults(connection: &mut Wire, sql: &str) -> Result<Vec<String>, StoreError> {
    let sql = sql.replace("$OWNER", OWNER).replace("$TENANT", TENANT);
    only(connection, &sql.replace("$SCHEDULER", SCHEDULER)).await
}

/// The one column of a query.
async fn only<T: FromSqlOwned>(connection: &mut Wire, sql: &str) -> Result<Vec<T>, StoreError> {
    let rows = rows(connection, sql).await?;
    let cells = rows.iter().map(|row| row.cell(0));
    cells.collect::<Result<_, _>>().map_err(|error| StoreError::unreadable("column", error))
}

async fn rows(connection: &mut Wire, sql: &str) -> Result<Vec<rows::Row>, StoreError> {
    let piece = Piece { sql, values: &[], keep: false };
    let answers = connection.ask(&[piece]).await.map_err(failed)?;
    Ok(answers.into_iter().flat_map(|answer| answer.rows).collect())
}

/// The roles that are not there.
const ABSENT: &str = "SELECT format('the role `%s` does not exist', name)
    FROM unnest(ARRAY['$OWNER', '$TENANT', '$SCHEDULER']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)";

/// What the roles that serve must not be able to do.
const TOO_STRONG: &str = "SELECT format('the role `%s` %s', rolname, fault) FROM pg_roles,
    LATERAL (VALUES
        (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
            'may do what only an administrator should'),
        (rolcanlogin, 'can log in'),
        (has_database_privilege(oid, current_database(), 'TEMPORARY'),
            'may create temporary tables'),
        (has_database_privilege(oid, current_database(), 'CREATE'), 'may create schemas'),
        (EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_'
            AND has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'CREATE')),
            'may create tables'),
        (EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid), 'owns tables'),
        (EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid),
            'is a member of another role')) AS them (is_so, fault)
    WHERE rolname IN ('$TENANT', '$SCHEDULER') AND is_so";

/// What can be done past the policies.
const WAYS_AROUND: &str = "SELECT format('the view `%s` is not a security_invoker view', relname)
        FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
            AND NOT COALESCE('security_invoker=true' = ANY (reloptions), FALSE)
    UNION ALL SELECT format('the function `%s` runs with the rights of its owner', proname)
        FROM pg_proc WHERE prosecdef AND pronamespace IN (SELECT oid FROM pg_namespace
            WHERE nspname IN ('public', 'app'))
    UNION ALL SELECT format('the function `%s` does not belong to $OWNER', proname)
        FROM pg_proc WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname = 'app')
            AND proowner <> '$OWNER'::regrole
    UNION ALL SELECT format('the trigger `%s` is off', tgname) FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND tgenabled NOT IN ('O', 'A')
            AND relnamespace = 'public'::regnamespace";

/// A table, and what is wrong with who may do what with it.
const TABLES: &str = r"SELECT relname::text AS name,
        relrowsecurity AND relforcerowsecurity AS secured,
        pg_get_userbyid(relowner) = '$OWNER' AS owned,
        EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid
            AND attname = 'organization_id' AND NOT attisdropped) AS tenants,
        (SELECT COUNT(*) FROM pg_policy WHERE polrelid = pg_class.oid AND polpermissive) AS lets,
        array_to_string(ARRAY(SELECT polcmd::text || ' ' || replace(concat_ws(' check ',
                pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), 'app.', '')
            FROM pg_policy WHERE polrelid = pg_class.oid AND NOT polpermissive
                AND polroles && ARRAY[0, '$TENANT'::regrole::oid]), E'\n') AS policies,
        array_to_string(ARRAY(SELECT tgname::text FROM pg_trigger
            WHERE tgrelid = pg_class.oid), E'\n') AS triggers,
        has_table_privilege('$TENANT', oid, 'TRUNCATE, REFERENCES, TRIGGER') AS strong,
        has_any_column_privilege('$TENANT', oid, 'SELECT, INSERT, UPDATE') AS open_to_tenant,
        has_any_column_privilege('$SCHEDULER', oid, 'SELECT, INSERT, UPDATE') AS open_to_scheduler,
        array_to_string(ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0
            AND NOT attisdropped AND (has_column_privilege('$TENANT', attrelid, attnum, 'UPDATE')
                OR has_column_privilege('$SCHEDULER', attrelid, attnum, 'UPDATE'))),
            E'\n') AS changes
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";

/// What there is of a table. Lists are texts, a line for each.
#[derive(FromRow)]
struct Found {
    name: String,
    secured: bool,
    owned: bool,
    tenants: bool,
    lets: i64,
    policies: String,
    triggers: String,
    strong: bool,
    open_to_tenant: bool,
    open_to_scheduler: bool,
    changes: String,
}

/// What every table must have.
async fn tables(connection: &mut Wire) -> Result<Vec<String>, StoreError> {
    let sql = TABLES.replace("$OWNER", OWNER).replace("$TENANT", TENANT);
    let rows = rows(connection, &sql.replace("$SCHEDULER", SCHEDULER)).await?.into_iter();
    let found = rows.map(|row| Found::from_row(&Row::Postgres(row)));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let mut missing = Vec::new();
    for table in CATALOG.tables {
        match found.iter().find(|found| found.name == table.name()) {
            Some(found) => missing.extend(table_faults(table, found)),
            None => missing.push(format!("the table `{}` does not exist", table.name())),
        }
    }
    let unknown = found.iter().filter(|it| it.tenants && CATALOG.table(&it.name).is_none());
    missing.extend(unknown.map(|it| format!("the table `{}` has owners but is unknown", it.name)));
    Ok(missing)
}

fn table_faults(table: &Table, found: &Found) -> Vec<String> {
    let platform = table.kind() == Kind::Platform;
    let lacks = |list: &str, wanted: Vec<String>| {
        wanted.iter().any(|wanted| list.lines().all(|line| line != wanted))
    };
    let kept = |column: &str| Some(column) == table.key() || table.never_changes();
    let faults = [
        (!found.owned, "does not belong to bifrost_owner"),
        (platform && found.open_to_tenant, "is open to the tenant's role"),
        (!table.caretakers() && found.open_to_scheduler, "is open to the scheduler's role"),
        (found.strong, "can be truncated or referred to by the tenant's role"),
        (!platform && !found.secured, "has no forced row-level security"),
        (lacks(&found.policies, policy_texts(table)), "lacks a restrictive policy as it should be"),
        (!platform && found.lets != 1, "has another permissive policy than its own"),
        (!platform && found.changes.lines().any(kept), "lets rows change their owner"),
        (lacks(&found.triggers, trigger_names(table)), "lacks a trigger"),
    ];
    let faults = faults.into_iter().filter(|(is_so, _)| *is_so);
    faults.map(|(_, words)| format!("the table `{}` {words}", table.name())).collect()
}
