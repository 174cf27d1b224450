//! Statements that must be refused, each with its reason.

use super::tenant;

const UNPROVEN: &str = "is not confined";
const SHAPE: &str = "is not among the shapes";
const UNKNOWN: &str = "is not in the catalog";
const ONE: &str = "exactly one statement";
const ALIAS: &str = "ambiguous or shadows";
const INSERT: &str = "each row inserted";
const NAME: &str = "must be plain";
const KEPT: &str = "can't be changed";
const TARGET: &str = "conflict target";
const ANY: &str = "";

/// Conditions that do not confine.
const CONDITIONS: &[(&str, &str)] = &[
    ("SELECT * FROM users", UNPROVEN),
    ("SELECT * FROM users WHERE id = $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = $1 OR 1 = 1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = $1 OR id = $2 AND active", UNPROVEN),
    ("SELECT * FROM users WHERE (organization_id = $1 OR role = 'admin')", UNPROVEN),
    ("SELECT * FROM users WHERE NOT organization_id = $1", UNPROVEN),
    ("SELECT * FROM users WHERE NOT (organization_id = $1 AND id = $2)", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = organization_id", UNPROVEN),
    ("SELECT * FROM users u WHERE u.organization_id = u.organization_id", UNPROVEN),
    ("SELECT * FROM users WHERE $1 = $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id <> $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id >= $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id LIKE $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id BETWEEN $1 AND $1", UNPROVEN),
    ("SELECT * FROM users WHERE id BETWEEN $2 AND organization_id = $1", UNPROVEN),
    ("SELECT * FROM users WHERE id BETWEEN $2 BETWEEN 1 AND 2 AND organization_id = $1", ANY),
    ("SELECT * FROM users WHERE organization_id IS NOT DISTINCT FROM $1", UNPROVEN),
    (
        "SELECT * FROM users WHERE organization_id = $1 AND id IS DISTINCT FROM $2 OR 1 = 1",
        UNPROVEN,
    ),
    ("SELECT * FROM users WHERE organization_id IS NOT NULL", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = $1 IS NOT NULL", UNPROVEN),
    ("SELECT * FROM users WHERE (organization_id = $1) = false", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = CAST($1 AS uuid)", UNPROVEN),
    ("SELECT * FROM users WHERE CAST(organization_id AS text) = $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = $1::uuid", SHAPE),
    ("SELECT * FROM users WHERE organization_id = coalesce($1, organization_id)", UNPROVEN),
    ("SELECT * FROM users WHERE coalesce(organization_id, $1) = $1", UNPROVEN),
    ("SELECT * FROM users WHERE lower(organization_id) = $1", UNPROVEN),
    ("SELECT * FROM users WHERE CASE WHEN $2 THEN organization_id = $1 ELSE true END", UNPROVEN),
    ("SELECT * FROM users WHERE (organization_id, id) = ($1, $2)", UNPROVEN),
    ("SELECT * FROM users WHERE (organization_id, id) IN (($1, $2))", UNPROVEN),
    (
        "SELECT * FROM users WHERE organization_id = 'a0000000-0000-0000-0000-000000000000'",
        UNPROVEN,
    ),
    ("SELECT * FROM users WHERE organization_id = NULL", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id = ANY($1)", SHAPE),
    ("SELECT * FROM users WHERE organization_id = (SELECT $1)", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id IN ($1, $2)", UNPROVEN),
    ("SELECT * FROM workflows WHERE organization_id IN ($1, $2, $3)", UNPROVEN),
    ("SELECT * FROM workflows WHERE organization_id IN ($1, 'x')", UNPROVEN),
    ("SELECT * FROM workflows WHERE organization_id NOT IN ($1, $2)", UNPROVEN),
    ("SELECT * FROM workflows WHERE organization_id IN ()", ANY),
    (
        "SELECT * FROM workflows WHERE organization_id IN (SELECT id FROM organizations WHERE id = $1)",
        UNPROVEN,
    ),
    (
        "SELECT * FROM workflows WHERE organization_id IN (SELECT organization_id FROM workflows)",
        UNPROVEN,
    ),
    (
        "SELECT organization_id FROM users GROUP BY organization_id HAVING organization_id = $1",
        UNPROVEN,
    ),
    ("SELECT count(*) FILTER (WHERE organization_id = $1) FROM users", UNPROVEN),
    ("SELECT * FROM users ORDER BY organization_id = $1", UNPROVEN),
    ("SELECT * FROM organizations", UNPROVEN),
    ("SELECT * FROM organizations WHERE slug = $1", UNPROVEN),
    ("SELECT * FROM organizations WHERE organization_id = $1", UNPROVEN),
    ("SELECT * FROM users WHERE id = $1 AND NOT organization_id <> $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id COLLATE nocase = $1", SHAPE),
    ("SELECT * FROM users WHERE organization_id || '' = $1", UNPROVEN),
    ("SELECT * FROM users WHERE organization_id == $1", ANY),
    ("SELECT * FROM users WHERE organization_id = $1 XOR true", ANY),
];

/// Several tables, of which one is not confined.
const JOINS: &[(&str, &str)] = &[
    (
        "SELECT * FROM users u, executions e WHERE u.organization_id = $1",
        "`executions` is not confined",
    ),
    ("SELECT * FROM users u, executions e WHERE organization_id = $1", UNPROVEN),
    ("SELECT * FROM users u, users v WHERE u.organization_id = $1", UNPROVEN),
    ("SELECT * FROM users u, users u WHERE u.organization_id = $1", ALIAS),
    (
        "SELECT * FROM users u JOIN executions e ON e.user_id = u.id WHERE u.organization_id = $1",
        UNPROVEN,
    ),
    ("SELECT * FROM users u JOIN executions e ON e.organization_id = u.organization_id", UNPROVEN),
    (
        "SELECT * FROM users u JOIN executions e ON e.organization_id = u.organization_id OR true WHERE u.organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT * FROM users u LEFT JOIN executions e ON u.organization_id = $1 AND e.organization_id = $1",
        "`users` is not confined",
    ),
    (
        "SELECT * FROM users u LEFT JOIN executions e ON u.organization_id = e.organization_id AND e.organization_id = $1",
        "`users` is not confined",
    ),
    (
        "SELECT * FROM users u LEFT JOIN executions e ON u.organization_id = $1 WHERE u.organization_id = $1",
        "`executions` is not confined",
    ),
    (
        "SELECT * FROM users u LEFT JOIN executions e ON e.organization_id = $1 OR e.id = u.id WHERE u.organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT * FROM users u RIGHT JOIN executions e ON u.organization_id = $1 WHERE e.organization_id = $1",
        SHAPE,
    ),
    (
        "SELECT * FROM users u FULL JOIN executions e ON u.organization_id = $1 AND e.organization_id = $1",
        SHAPE,
    ),
    ("SELECT * FROM users NATURAL JOIN executions WHERE users.organization_id = $1", SHAPE),
    (
        "SELECT * FROM users JOIN executions USING (organization_id) WHERE users.organization_id = $1",
        SHAPE,
    ),
    ("SELECT * FROM users u CROSS JOIN executions e WHERE u.organization_id = $1", UNPROVEN),
    (
        "SELECT * FROM (users u JOIN executions e ON e.organization_id = u.organization_id) WHERE u.organization_id = $1",
        SHAPE,
    ),
    (
        "SELECT * FROM users u JOIN workflows w ON u.organization_id = w.organization_id WHERE w.organization_id IN ($1, $2)",
        "`users` is not confined",
    ),
    (
        "SELECT * FROM users u, LATERAL (SELECT * FROM executions WHERE organization_id = $1) e WHERE u.organization_id = $1",
        SHAPE,
    ),
    ("SELECT * FROM users u, (SELECT * FROM executions) e WHERE u.organization_id = $1", UNPROVEN),
    ("SELECT * FROM users u, (SELECT 1 AS organization_id) d WHERE organization_id = $1", UNPROVEN),
    (
        "SELECT * FROM users u, (SELECT $1 AS organization_id) d WHERE d.organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT * FROM users u, (SELECT $1 AS organization_id) d WHERE u.organization_id = d.organization_id",
        UNPROVEN,
    ),
    ("SELECT * FROM organizations o, users u WHERE u.organization_id = $1 AND id = $1", UNPROVEN),
];

/// Sub-selects in every clause.
const NESTED: &[(&str, &str)] = &[
    ("SELECT (SELECT email FROM users LIMIT 1)", UNPROVEN),
    (
        "SELECT id FROM users WHERE organization_id = $1 AND id IN (SELECT user_id FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT id FROM users u WHERE u.organization_id = $1 AND EXISTS (SELECT 1 FROM executions e WHERE u.organization_id = $1)",
        UNPROVEN,
    ),
    (
        "SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM executions e WHERE e.organization_id = $1 AND u.organization_id = $1)",
        UNPROVEN,
    ),
    (
        "SELECT role FROM users WHERE organization_id = $1 GROUP BY (SELECT max(id) FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT role FROM users WHERE organization_id = $1 GROUP BY role HAVING count(*) > (SELECT count(*) FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 ORDER BY (SELECT max(id) FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 LIMIT (SELECT count(*) FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 LIMIT 1 OFFSET (SELECT count(*) FROM executions)",
        UNPROVEN,
    ),
    (
        "SELECT max((SELECT max(id) FROM executions)) FROM users WHERE organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT rank() OVER (ORDER BY (SELECT max(id) FROM executions)) FROM users WHERE organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT rank() OVER w FROM users WHERE organization_id = $1 WINDOW w AS (ORDER BY (SELECT max(id) FROM executions))",
        UNPROVEN,
    ),
    (
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM executions) THEN 1 END FROM users WHERE organization_id = $1",
        UNPROVEN,
    ),
    (
        "SELECT u.id FROM users u JOIN workflows w ON w.organization_id = $1 AND w.id = (SELECT max(id) FROM executions) WHERE u.organization_id = $1",
        UNPROVEN,
    ),
    (
        "INSERT INTO users (organization_id, email) VALUES ($1, (SELECT email FROM users LIMIT 1))",
        UNPROVEN,
    ),
    (
        "INSERT INTO users (organization_id, email) VALUES ($1, $2) RETURNING (SELECT max(email) FROM users)",
        UNPROVEN,
    ),
    (
        "INSERT INTO users (organization_id, email) VALUES ($1, $2) ON CONFLICT (organization_id, email) DO UPDATE SET name = (SELECT max(name) FROM users)",
        UNPROVEN,
    ),
    (
        "INSERT INTO users (organization_id, email) VALUES ($1, $2) ON CONFLICT (organization_id, email) DO UPDATE SET name = '' WHERE EXISTS (SELECT 1 FROM executions)",
        UNPROVEN,
    ),
    ("UPDATE users SET name = (SELECT max(name) FROM users) WHERE organization_id = $1", UNPROVEN),
    (
        "UPDATE users SET name = '' WHERE organization_id = $1 RETURNING (SELECT max(name) FROM executions)",
        UNPROVEN,
    ),
    (
        "DELETE FROM users WHERE organization_id = $1 AND id IN (SELECT user_id FROM executions)",
        UNPROVEN,
    ),
    (
        "DELETE FROM users WHERE organization_id = $1 RETURNING (SELECT max(id) FROM executions)",
        UNPROVEN,
    ),
    ("SELECT * FROM users WHERE organization_id = $1 UNION SELECT * FROM users", UNPROVEN),
    ("SELECT * FROM users UNION ALL SELECT * FROM users WHERE organization_id = $1", UNPROVEN),
    ("SELECT 1 INTERSECT (SELECT 1 EXCEPT SELECT count(*) FROM users)", UNPROVEN),
    ("VALUES ((SELECT max(email) FROM users))", UNPROVEN),
    ("TABLE users", ANY),
    ("SELECT 1 UNION TABLE users", ANY),
    ("WITH x AS (SELECT * FROM users) SELECT * FROM x WHERE organization_id = $1", UNPROVEN),
    ("WITH x AS (SELECT 1), y AS (SELECT * FROM users) SELECT * FROM x", UNPROVEN),
    ("WITH users AS (SELECT 1) SELECT * FROM users", ALIAS),
    ("WITH Users AS (SELECT 1) SELECT * FROM users WHERE organization_id = $1", ALIAS),
    (
        "WITH RECURSIVE t AS (SELECT id FROM users WHERE organization_id = $1 UNION ALL SELECT e.id FROM executions e JOIN t ON t.id = e.id) SELECT * FROM t",
        UNPROVEN,
    ),
    ("WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets", UNKNOWN),
    ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", UNKNOWN),
    ("SELECT (WITH hidden AS (SELECT 1) SELECT * FROM hidden), (SELECT * FROM hidden)", UNKNOWN),
    ("WITH x AS (DELETE FROM users RETURNING id) SELECT * FROM x", UNPROVEN),
    ("WITH x AS (UPDATE users SET name = '' RETURNING id) SELECT * FROM x", UNPROVEN),
    ("WITH x AS (INSERT INTO users (id) VALUES ($1) RETURNING id) SELECT * FROM x", INSERT),
];

/// Names and words.
const NAMES: &[(&str, &str)] = &[
    ("SELECT * FROM public.users WHERE organization_id = $1", "must not be qualified"),
    ("SELECT * FROM main.users WHERE users.organization_id = $1", "must not be qualified"),
    (r#"SELECT * FROM "public"."users" WHERE organization_id = $1"#, "must not be qualified"),
    (r#"SELECT * FROM "Users" WHERE organization_id = $1"#, NAME),
    (r#"SELECT * FROM "users" WHERE "ORGANIZATION_ID" = $1"#, NAME),
    ("SELECT * FROM 'users' WHERE organization_id = $1", ANY),
    ("SELECT * FROM `users` WHERE organization_id = $1", ANY),
    ("SELECT * FROM [users] WHERE organization_id = $1", ANY),
    ("SELECT * FROM u\u{17f}ers WHERE organization_id = $1", ANY),
    (r#"SELECT "a b" FROM users WHERE organization_id = $1"#, NAME),
    ("SELECT * FROM users AS executions WHERE executions.organization_id = $1", ALIAS),
    ("SELECT * FROM executions e, users AS workflows WHERE e.organization_id = $1", ALIAS),
    ("SELECT * FROM users AS organization_id WHERE organization_id = $1", ALIAS),
    ("SELECT * FROM users AS u (organization_id, id) WHERE u.organization_id = $1", SHAPE),
    ("SELECT * FROM users u WHERE users.organization_id = $1", UNPROVEN),
    ("SELECT * FROM users u WHERE x.organization_id = $1", UNPROVEN),
    ("SELECT * FROM users u WHERE public.u.organization_id = $1", SHAPE),
    ("SELECT * FROM ONLY users WHERE organization_id = $1", ANY),
    ("SELECT * FROM sqlite_master", UNKNOWN),
    ("SELECT * FROM pg_catalog.pg_authid", "must not be qualified"),
    ("SELECT * FROM seaql_migrations", "is not open"),
    ("SELECT * FROM json_each($1)", SHAPE),
    ("SELECT * FROM pragma_table_info('users')", SHAPE),
    ("SELECT * FROM generate_series(1, 10)", SHAPE),
    ("SELECT * FROM unnest($1)", SHAPE),
    ("SELECT query_to_xml('SELECT * FROM users', true, true, '')", "`query_to_xml`"),
    ("SELECT pg_read_file('x')", "`pg_read_file`"),
    ("SELECT set_config('app.org', $1, true)", "`set_config`"),
    ("SELECT load_extension('x')", "`load_extension`"),
    ("SELECT pg_catalog.count(*) FROM users WHERE organization_id = $1", "function"),
    ("SELECT * FROM users WHERE organization_id = $1 -- OR", "comments"),
    ("SELECT * FROM users /* ; */ WHERE organization_id = $1", "comments"),
    ("SELECT * FROM users WHERE 1 = 1 /* AND */ AND organization_id = $1", "comments"),
    ("SELECT * FROM users WHERE organization_id = ?", ANY),
    ("SELECT * FROM users WHERE organization_id = :org", ANY),
    ("SELECT * FROM users WHERE organization_id = @org", ANY),
    ("SELECT * FROM users WHERE organization_id = $org", "placeholder"),
    ("SELECT * FROM users WHERE organization_id = $0", "placeholder"),
    ("SELECT * FROM users WHERE organization_id = $01", "placeholder"),
    ("SELECT * FROM users WHERE organization_id = $99999999999999999999", "placeholder"),
    ("SELECT * FROM users WHERE organization_id = $1 AND name = E'\\''", SHAPE),
    ("SELECT * FROM users WHERE organization_id = $1 AND name = $$x$$", SHAPE),
    ("SELECT * FROM users WHERE organization_id = $1 AND data -> 'a' = '1'", SHAPE),
    ("SELECT DISTINCT ON (id) id FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT * INTO copy FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT * FROM users TABLESAMPLE SYSTEM (10) WHERE organization_id = $1", SHAPE),
    ("SELECT * FROM users WHERE organization_id = $1 FETCH FIRST 1 ROWS ONLY", SHAPE),
    ("SELECT * FROM users WHERE organization_id = $1 FOR UPDATE OF users", SHAPE),
];

/// Writes.
const WRITES: &[(&str, &str)] = &[
    ("INSERT INTO users VALUES ($1, $2)", INSERT),
    ("INSERT INTO users DEFAULT VALUES", INSERT),
    ("INSERT INTO users (id, email) VALUES ($1, $2)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES ($1, $2), ('x', $3)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES ($1, $2), (DEFAULT, $3)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES ($1)", INSERT),
    ("INSERT INTO users (organization_id, organization_id) VALUES ($1, $2)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES (NULL, $1)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES (CAST($1 AS uuid), $2)", INSERT),
    ("INSERT INTO users (organization_id, id) VALUES ((SELECT $1), $2)", INSERT),
    (
        "INSERT INTO users (organization_id, id) SELECT organization_id, id FROM executions",
        UNPROVEN,
    ),
    (
        "INSERT INTO users (organization_id, id) SELECT * FROM executions WHERE organization_id = $1",
        INSERT,
    ),
    (
        "INSERT INTO users (organization_id, id) SELECT id, organization_id FROM executions WHERE organization_id = $1",
        INSERT,
    ),
    (
        "INSERT INTO workflows (organization_id, id) SELECT organization_id, id FROM workflows WHERE organization_id IN ($1, $2)",
        INSERT,
    ),
    ("INSERT INTO users (organization_id, id) SELECT $1, id FROM users", UNPROVEN),
    ("INSERT INTO users (organization_id, id) SELECT $1, $2 UNION SELECT 'x', $3", INSERT),
    (
        "INSERT INTO users (organization_id) WITH c AS (SELECT 1 AS organization_id) SELECT organization_id FROM c",
        INSERT,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = ''",
        TARGET,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (id, organization_id) DO NOTHING",
        TARGET,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT DO UPDATE SET name = ''",
        ANY,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT k DO NOTHING",
        SHAPE,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (organization_id) DO UPDATE SET organization_id = $3",
        KEPT,
    ),
    (
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (organization_id) DO UPDATE SET (id, organization_id) = ($2, $3)",
        ANY,
    ),
    ("INSERT OR REPLACE INTO users (organization_id, id) VALUES ($1, $2)", ANY),
    ("REPLACE INTO users (organization_id, id) VALUES ($1, $2)", ANY),
    ("INSERT INTO users AS executions (organization_id, id) VALUES ($1, $2)", ALIAS),
    ("INSERT INTO secrets (organization_id, id) VALUES ($1, $2)", UNKNOWN),
    ("INSERT INTO organizations (id) VALUES ($1)", "is not open"),
    ("UPDATE users SET name = ''", UNPROVEN),
    ("UPDATE users SET name = '' WHERE id = $1", UNPROVEN),
    ("UPDATE users SET organization_id = $2 WHERE organization_id = $1", KEPT),
    ("UPDATE users SET Organization_Id = $1 WHERE organization_id = $1", KEPT),
    ("UPDATE users SET (name, organization_id) = ($2, $3) WHERE organization_id = $1", KEPT),
    ("UPDATE organizations SET id = $2 WHERE id = $1", KEPT),
    ("UPDATE organizations SET name = '' WHERE id IN ($1, $2)", UNPROVEN),
    ("UPDATE workflows SET name = '' WHERE organization_id IN ($1, $2)", UNPROVEN),
    ("UPDATE users SET name = e.id FROM executions e WHERE users.organization_id = $1", UNPROVEN),
    ("UPDATE users SET name = e.id FROM executions e WHERE e.organization_id = $1", UNPROVEN),
    ("UPDATE users u SET name = '' FROM users v WHERE organization_id = $1", UNPROVEN),
    ("UPDATE OR REPLACE users SET name = '' WHERE organization_id = $1", ANY),
    ("WITH c AS (SELECT 1) UPDATE c SET name = ''", SHAPE),
    ("DELETE FROM users", UNPROVEN),
    ("DELETE FROM users WHERE organization_id = $1 OR true", UNPROVEN),
    ("DELETE FROM workflows WHERE organization_id IN ($1, $2)", UNPROVEN),
    (
        "DELETE FROM users USING executions e WHERE users.organization_id = $1 AND e.organization_id = $1",
        SHAPE,
    ),
    ("DELETE FROM users WHERE organization_id = $1 LIMIT 1", ANY),
    ("DELETE FROM organizations WHERE id = $1", "is not open"),
];

/// Other statements.
const OTHERS: &[(&str, &str)] = &[
    ("", ONE),
    (";", ONE),
    ("SELECT 1; SELECT 2", ONE),
    ("SELECT 1;", ONE),
    ("SELECT 1 SELECT 2", ONE),
    ("SELECT", ANY),
    ("DROP TABLE users", SHAPE),
    ("CREATE TABLE x (id INT)", SHAPE),
    ("CREATE TABLE x AS SELECT * FROM users WHERE organization_id = $1", SHAPE),
    ("CREATE VIEW v AS SELECT * FROM users", SHAPE),
    ("ALTER TABLE users ADD COLUMN x INT", SHAPE),
    ("TRUNCATE users", SHAPE),
    ("PRAGMA table_info('users')", ANY),
    ("ATTACH DATABASE 'x' AS y", ANY),
    ("COPY users TO '/tmp/x'", SHAPE),
    ("SET app.org = 'x'", ANY),
    ("RESET ALL", ANY),
    ("EXPLAIN SELECT * FROM users WHERE organization_id = $1", SHAPE),
    ("MERGE INTO users u USING executions e ON u.id = e.id WHEN MATCHED THEN DELETE", SHAPE),
    ("GRANT ALL ON users TO public", SHAPE),
    ("BEGIN", SHAPE),
    ("COMMIT", SHAPE),
    ("VACUUM", ANY),
    ("CALL f()", SHAPE),
    ("DO 'x'", ANY),
    ("LOCK TABLE users", ANY),
    ("PREPARE p AS SELECT * FROM users", ANY),
    ("EXECUTE p", ANY),
    ("DECLARE c CURSOR FOR SELECT * FROM users", ANY),
    ("LISTEN x", ANY),
];

#[test]
fn each_is_refused_for_its_reason() {
    let all = [CONDITIONS, JOINS, NESTED, NAMES, WRITES, OTHERS].concat();
    assert!(all.len() >= 200, "{}", all.len());
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|(sql, reason)| match tenant(sql) {
            Ok(_) => Some(format!("passed: {sql}")),
            Err(refusal) if refusal.to_string().contains(reason) => None,
            Err(refusal) => Some(format!("{refusal}: {sql}")),
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn size_and_depth_are_bounded() {
    let chain = |n: usize| {
        format!("SELECT id FROM users WHERE organization_id = $1{}", " AND active".repeat(n))
    };
    assert!(tenant(&chain(100)).is_ok());
    for sql in [
        chain(3_000),
        chain(20_000),
        format!("SELECT {}1{}", "(".repeat(30), ")".repeat(30_000)),
        format!("SELECT {}1{}", "(".repeat(3_000), ")".repeat(3_000)),
        format!("SELECT {}1", "NOT ".repeat(4_000)),
        format!("SELECT 1{}", " + 1".repeat(4_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(2_500)),
        format!("{}SELECT 1{}", "SELECT (".repeat(1_000), ")".repeat(1_000)),
        format!("SELECT '{}'", "x".repeat(70_000)),
    ] {
        assert!(tenant(&sql).is_err(), "{}", &sql[..60]);
    }
}

#[test]
fn literals_may_look_like_anything() {
    for text in ["-- x", "/* x */", ";", "users", "$2", "'' OR 1 = 1"] {
        let sql = format!("SELECT id FROM users WHERE organization_id = $1 AND name = '{text}'");
        assert!(tenant(&sql).is_ok(), "{sql}");
    }
}
