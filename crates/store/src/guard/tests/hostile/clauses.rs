//! Clauses beside the ones that confine: each is confined, and refused all the same.

use super::{ANY, SHAPE};

pub(super) const CLAUSES: &[(&str, &str)] = &[
    (
        "SELECT id FROM users WHERE organization_id = $1 UNION DISTINCT SELECT id FROM users WHERE organization_id = $1",
        SHAPE,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 UNION BY NAME SELECT id FROM users WHERE organization_id = $1",
        SHAPE,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 EXCEPT DISTINCT SELECT id FROM users WHERE organization_id = $1",
        SHAPE,
    ),
    (
        "SELECT id FROM users WHERE organization_id = $1 MINUS SELECT id FROM users WHERE organization_id = $1",
        SHAPE,
    ),
    ("WITH c (a INT) AS (SELECT 1) SELECT a FROM c", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 LIMIT 1 OFFSET 2 ROWS", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 OFFSET 2 ROW", SHAPE),
    ("SELECT * AS x FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT a.users.* FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 FOR UPDATE OF users", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 FETCH FIRST 1 ROW ONLY", SHAPE),
    ("SELECT DISTINCT ON (id) id FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT id INTO x FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users TABLESAMPLE SYSTEM (1) WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users WITH ORDINALITY WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users(1) WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 GROUP BY ALL", SHAPE),
    ("SELECT TOP 1 id FROM users WHERE organization_id = $1", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 QUALIFY 1 = 1", SHAPE),
    ("INSERT INTO TABLE users (organization_id, id) VALUES ($1, $2)", SHAPE),
    ("INSERT OVERWRITE users (organization_id, id) VALUES ($1, $2)", SHAPE),
    ("DELETE users FROM users WHERE organization_id = $1", SHAPE),
    ("DELETE FROM users WHERE organization_id = $1 ORDER BY id", SHAPE),
    ("SELECT id FROM users WHERE organization_id = $1 ORDER BY id USING <", ANY),
    ("SELECT id FROM users WHERE organization_id = $1 ORDER BY id WITH FILL", ANY),
    ("SELECT id FROM users WHERE organization_id = $1 LIMIT 1, 2", ANY),
    ("SELECT id FROM users WHERE organization_id = $1 LIMIT 1 BY id", ANY),
    ("SELECT * EXCEPT (name) FROM users WHERE organization_id = $1", ANY),
    ("SELECT (users).* FROM users WHERE organization_id = $1", ANY),
    ("UPDATE ONLY users SET name = 'x' WHERE organization_id = $1", ANY),
    ("DELETE FROM users WHERE CURRENT OF c", ANY),
];
