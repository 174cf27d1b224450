//! Sub-selects in every clause.

use super::{ALIAS, ANY, INSERT, UNKNOWN, UNPROVEN};

/// Sub-selects in every clause.
pub(super) const NESTED: &[(&str, &str)] = &[
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
