//! Statements as the store writes them: none may be refused.

use super::super::Guard;
use super::{Mode, OWN, satisfying, tenant};

/// Each condition on `organization_id` in these is needed, so that `mutants` can break each.
pub(super) const GOOD: &[&str] = &[
    // By key, lists, counts.
    "SELECT * FROM users WHERE organization_id = $1 AND id = $2",
    "SELECT id, email FROM users WHERE id = $2 AND organization_id = $1",
    "SELECT id FROM users WHERE $1 = organization_id AND lower(email) = lower($2)",
    "SELECT u.id, u.* FROM users AS u WHERE u.organization_id = $1 ORDER BY u.id DESC LIMIT $2 OFFSET $3",
    r#"SELECT "users"."id" FROM "users" WHERE "users"."organization_id" = $1"#,
    "SELECT ID FROM Users WHERE USERS.Organization_Id = $1",
    "SELECT count(*) FROM executions WHERE (organization_id = $1) AND (status = 'running' OR status = 'queued')",
    "SELECT status, count(*), max(created_at) FROM executions WHERE organization_id = $1 GROUP BY status HAVING count(*) > $2 ORDER BY status",
    "SELECT DISTINCT status FROM executions WHERE organization_id = $1 AND status IN ('done', 'failed', $2)",
    "SELECT id FROM executions WHERE organization_id = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) ORDER BY created_at DESC, id DESC LIMIT $4",
    "SELECT id FROM executions WHERE organization_id = $1 AND NOT (status = 'done') AND parent_id IS NULL AND created_at BETWEEN $2 AND $3",
    "SELECT seq, line FROM execution_logs WHERE organization_id = $1 AND execution_id = $2 AND seq > $3 AND line LIKE $4 ESCAPE '!' ORDER BY seq",
    "SELECT 1",
    "SELECT settings_json, settings_version FROM organizations WHERE id = $1",
    "SELECT id, name FROM organizations WHERE id IN ($1, $2)",
    // Cascade: own beside Global.
    "SELECT * FROM workspace_files WHERE organization_id IN ($1, $2) AND path = $3 ORDER BY CASE organization_id WHEN $1 THEN 0 ELSE 1 END LIMIT 1",
    "SELECT * FROM workflows WHERE organization_id IN ($1, $2) AND id = $3",
    "SELECT * FROM workflows WHERE organization_id = $1",
    "SELECT path, content FROM (SELECT path, content, row_number() OVER (PARTITION BY path ORDER BY organization_id DESC) AS n FROM workspace_files WHERE organization_id IN ($1, $2)) AS ranked WHERE n = 1",
    "SELECT f.path, v.hash FROM workspace_files AS f JOIN workspace_file_versions AS v ON v.organization_id = f.organization_id AND v.file_id = f.id WHERE f.organization_id IN ($1, $2)",
    "SELECT f.path FROM workspace_files f WHERE f.organization_id = $2 AND NOT EXISTS (SELECT 1 FROM workspace_files o WHERE o.organization_id = $1 AND o.path = f.path)",
    "SELECT path FROM workspace_files WHERE organization_id = $1 UNION ALL SELECT path FROM workspace_files WHERE organization_id = $2",
    "SELECT path FROM workspace_files WHERE organization_id = $2 EXCEPT SELECT path FROM workspace_files WHERE organization_id = $1 ORDER BY path",
    "SELECT sum(length(content)) OVER w FROM workspace_files WHERE organization_id IN ($1, $2) WINDOW w AS (PARTITION BY path ORDER BY id)",
    // Joins.
    "SELECT e.id, u.email FROM executions e JOIN users u ON u.organization_id = e.organization_id AND u.id = e.user_id WHERE e.organization_id = $1",
    "SELECT e.id, u.email FROM executions e LEFT JOIN users u ON u.organization_id = $1 AND u.id = e.user_id WHERE e.organization_id = $1",
    "SELECT e.id, l.line FROM executions e LEFT OUTER JOIN execution_logs l ON l.organization_id = e.organization_id AND l.execution_id = e.id WHERE e.organization_id = $1",
    "SELECT e.id FROM executions e INNER JOIN workflows w ON w.organization_id IN ($1, $2) AND w.id = e.workflow_id WHERE e.organization_id = $1",
    "SELECT e.id FROM users u JOIN executions e ON e.organization_id = $1 AND u.organization_id = $1 AND e.user_id = u.id",
    "SELECT e.id FROM executions e, users u WHERE e.organization_id = $1 AND u.organization_id = $1 AND u.id = e.user_id",
    "SELECT e.id, o.slug FROM executions e JOIN organizations o ON o.id = e.organization_id WHERE e.organization_id = $1",
    "SELECT a.id FROM executions a JOIN executions b ON b.organization_id = a.organization_id AND b.parent_id = a.id JOIN users c ON c.organization_id = b.organization_id WHERE a.organization_id = $1",
    "SELECT n.total FROM users u CROSS JOIN (SELECT count(*) AS total FROM executions WHERE organization_id = $1) AS n WHERE u.organization_id = $1",
    // Sub-selects and common table expressions.
    "SELECT id, (SELECT count(*) FROM execution_logs l WHERE l.organization_id = $1 AND l.execution_id = e.id) AS lines FROM executions e WHERE e.organization_id = $1",
    "SELECT id FROM executions WHERE organization_id = $1 AND user_id IN (SELECT id FROM users WHERE organization_id = $1 AND active)",
    "WITH recent AS (SELECT id, user_id FROM executions WHERE organization_id = $1 ORDER BY created_at DESC LIMIT 10) SELECT r.id, u.email FROM recent r JOIN users u ON u.organization_id = $1 AND u.id = r.user_id",
    "WITH RECURSIVE tree(id, depth) AS (SELECT id, 0 FROM executions WHERE organization_id = $1 AND id = $2 UNION ALL SELECT e.id, t.depth + 1 FROM executions e JOIN tree t ON t.id = e.parent_id WHERE e.organization_id = $1) SELECT id FROM tree WHERE depth < 20",
    "WITH one AS (SELECT id FROM users WHERE organization_id = $1), two AS (SELECT id FROM one) SELECT count(*) FROM two",
    "SELECT queue.rank FROM job_queue AS queue WHERE queue.organization_id = $1 AND queue.execution_id = $2 FOR UPDATE",
    // Writes.
    "INSERT INTO users (id, organization_id, email, role) VALUES ($2, $1, $3, $4)",
    "INSERT INTO users (organization_id, id, email) VALUES ($1, $2, $3), ($1, $4, $5) RETURNING id, email",
    "INSERT INTO workspace_files (organization_id, path, hash) VALUES ($1, $2, $3) ON CONFLICT (organization_id, path) DO UPDATE SET hash = excluded.hash, version = workspace_files.version + 1 RETURNING version",
    "INSERT INTO refresh_tokens (organization_id, id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    "INSERT INTO refresh_tokens (organization_id, id) VALUES ($1, $2) ON CONFLICT (organization_id, id) DO NOTHING",
    "INSERT INTO job_queue (organization_id, execution_id, rank) SELECT $1, id, $3 FROM executions WHERE organization_id = $1 AND id = $2",
    "INSERT INTO execution_logs (execution_id, organization_id, seq) SELECT e.id, e.organization_id, 0 FROM executions e WHERE e.organization_id = $1",
    "INSERT INTO workflows (organization_id, id, name) SELECT $1, $3, name FROM workflows WHERE organization_id IN ($1, $2) AND id = $4",
    "INSERT INTO executions (organization_id, id) SELECT $1, $2 UNION ALL SELECT $1, $3",
    "WITH chosen AS (SELECT id FROM workflows WHERE organization_id IN ($1, $2)) INSERT INTO executions (organization_id, workflow_id) SELECT $1, id FROM chosen",
    "UPDATE users SET email = $2, updated_at = $3 WHERE organization_id = $1 AND id = $4 RETURNING id",
    "UPDATE executions AS e SET status = 'failed' FROM users AS u WHERE e.organization_id = $1 AND u.organization_id = e.organization_id AND u.id = e.user_id",
    "UPDATE executions SET status = CASE WHEN tries > $2 THEN 'failed' ELSE 'queued' END, result = (SELECT max(line) FROM execution_logs l WHERE l.organization_id = $1) WHERE organization_id = $1",
    "UPDATE organizations SET settings_json = $2, settings_version = settings_version + 1 WHERE id = $1 AND settings_version = $3",
    "WITH old AS (SELECT id FROM executions WHERE organization_id = $1) UPDATE execution_logs SET line = '' WHERE organization_id = $1 AND execution_id IN (SELECT id FROM old)",
    "DELETE FROM refresh_tokens WHERE organization_id = $1 AND expires_at < $2",
    "DELETE FROM execution_logs WHERE organization_id = $1 AND execution_id IN (SELECT id FROM executions WHERE organization_id = $1 AND CAST(status AS TEXT) <> 'running') RETURNING seq",
];

#[test]
fn all_pass_with_their_values() {
    assert!(GOOD.len() >= 50);
    let guard = Guard::default();
    for sql in GOOD {
        let proof = tenant(sql).unwrap_or_else(|refusal| panic!("{refusal}: {sql}"));
        let values = satisfying(&proof);
        for _ in 0..2 {
            let result = guard.check(sql, &values, OWN, Mode::Tenant);
            assert_eq!(result, Ok(()), "{sql}");
        }
    }
    assert_eq!((guard.checked(), guard.refused()), (2 * GOOD.len() as u64, 0));
}

#[test]
fn proofs_name_the_placeholders() {
    let of = |sql| tenant(sql).map(|p| (p.organization().to_vec(), p.readable().to_vec()));
    let insert = "INSERT INTO users (id, organization_id) VALUES ($1, $3), ($2, $4)";
    assert_eq!(of(insert), Ok((vec![3, 4], vec![])));
    let cascade = "SELECT 1 FROM workflows WHERE organization_id IN ($2, $7)";
    assert_eq!(of(cascade), Ok((vec![], vec![2, 7])));
    let both = "SELECT 1 FROM workflows w JOIN users u ON u.organization_id = w.organization_id \
                WHERE w.organization_id = $5";
    assert_eq!(of(both), Ok((vec![5], vec![5])));
    let own_of_two =
        "SELECT 1 FROM users WHERE organization_id IN ($1, $2) AND organization_id = $3";
    assert_eq!(of(own_of_two), Ok((vec![3], vec![])));
    let own_of_others = "SELECT 1 FROM users u, workflows w, executions e \
                         WHERE w.organization_id IN ($1, $2) AND u.organization_id = w.organization_id \
                         AND e.organization_id = $3 AND u.organization_id = e.organization_id";
    assert_eq!(of(own_of_others), Ok((vec![3], vec![3])));
}
