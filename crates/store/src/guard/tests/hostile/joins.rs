//! Several tables, of which one is not confined.

use super::{ALIAS, SHAPE, UNPROVEN};

/// Several tables, of which one is not confined.
pub(super) const JOINS: &[(&str, &str)] = &[
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
