//! What caretakers may and may not say.

use super::{CATALOG, Mode, Refusal, inspect, tenant};

const ALLOWED: &[&str] = &[
    "UPDATE job_queue SET lease_until = $1, worker = $2 WHERE execution_id = (SELECT execution_id FROM job_queue WHERE lease_until IS NULL ORDER BY rank LIMIT 1) RETURNING organization_id, execution_id",
    "UPDATE job_queue SET lease_until = $1 WHERE (organization_id, execution_id) IN (SELECT organization_id, execution_id FROM job_queue WHERE lease_until < $2 ORDER BY rank LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING organization_id",
    "DELETE FROM job_queue WHERE organization_id = $1 AND execution_id = $2",
    "SELECT organization_id, count(*) FROM job_queue GROUP BY organization_id",
    "SELECT q.execution_id FROM job_queue q JOIN organizations o ON o.id = q.organization_id WHERE o.status = 'active'",
    "SELECT id, status FROM organizations WHERE slug = $1",
    "INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $3)",
    "UPDATE organizations SET status = 'suspended' WHERE id = $1",
    "SELECT count(*) FROM seaql_migrations",
    "WITH next AS (SELECT execution_id FROM job_queue ORDER BY rank LIMIT 1) SELECT * FROM next",
];

const REFUSED: &[(&str, &str)] = &[
    ("SELECT * FROM users", "`users` is not open"),
    ("SELECT * FROM users WHERE organization_id = $1", "`users` is not open"),
    ("SELECT * FROM job_queue WHERE id IN (SELECT id FROM executions)", "`executions` is not open"),
    ("UPDATE job_queue SET organization_id = $1", "can't be changed"),
    ("UPDATE organizations SET id = $1", "can't be changed"),
    ("INSERT INTO job_queue (organization_id) VALUES ($1)", "`job_queue` is not open"),
    ("INSERT INTO workflows (organization_id) VALUES ($1)", "`workflows` is not open"),
    ("DELETE FROM refresh_tokens", "`refresh_tokens` is not open"),
    ("SELECT * FROM sqlite_master", "not in the catalog"),
    ("SELECT * FROM job_queue; SELECT 1", "exactly one"),
    ("SELECT * FROM job_queue -- all", "comments"),
    ("SELECT query_to_xml('SELECT * FROM users') FROM job_queue", "`query_to_xml`"),
    ("WITH q AS (SELECT * FROM users) SELECT * FROM job_queue", "`users` is not open"),
];

#[test]
fn caretakers() {
    let system = |sql: &str| inspect(sql, &CATALOG, Mode::System);
    for sql in ALLOWED {
        let proof = system(sql).unwrap_or_else(|refusal| panic!("{refusal}: {sql}"));
        assert_eq!(proof, super::Proof::default(), "{sql}");
    }
    for (sql, reason) in REFUSED {
        let refusal = system(sql).expect_err(sql).to_string();
        assert!(refusal.contains(reason), "{refusal}: {sql}");
    }
}

#[test]
fn tenants_are_not_caretakers() {
    let refused = ALLOWED.iter().filter(|sql| tenant(sql).is_err()).count();
    // `DELETE … WHERE organization_id = $1` and `UPDATE … WHERE id = $1` are confined.
    assert_eq!(refused, ALLOWED.len() - 2);
    let closed = |table| Err(Refusal::Closed(table));
    assert_eq!(tenant("SELECT * FROM seaql_migrations"), closed("seaql_migrations"));
    assert_eq!(tenant("DELETE FROM organizations WHERE id = $1"), closed("organizations"));
    assert_eq!(tenant("INSERT INTO organizations (id) VALUES ($1)"), closed("organizations"));
}
