//! Rows of tables that only grow: added, read, and changed by no statement.

use super::super::{CATALOG, Mode, Refusal, inspect};

fn verdict(sql: &str) -> Result<(), Refusal> {
    inspect(sql, &CATALOG, Mode::Tenant).map(|_| ())
}

#[test]
fn rows_of_the_audit_are_added_and_read_and_never_changed() {
    let insert = "INSERT INTO audit_log (organization_id, seq) VALUES ($1, $2)";
    assert_eq!(verdict(insert), Ok(()));
    let again = format!("{insert} ON CONFLICT (organization_id, seq) DO NOTHING");
    assert_eq!(verdict(&again), Ok(()));
    let refusal = Err(Refusal::AppendOnly("audit_log"));
    let over = format!("{insert} ON CONFLICT (organization_id, seq) DO UPDATE SET seq = $2");
    assert_eq!(verdict(&over), refusal);
    assert_eq!(verdict("UPDATE audit_log SET seq = $2 WHERE organization_id = $1"), refusal);
}
