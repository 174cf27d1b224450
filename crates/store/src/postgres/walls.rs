//! Row-level security and grants, made from the guard's own list of tables.
//!
//! What a table's rows belong to is said once, in the catalog; this file says it in PostgreSQL's
//! words. A permissive policy lets everything through and restrictive ones, one per command, hold
//! it back, so that a policy somebody adds can only take away.

use super::roles::{OWNER, SCHEDULER, TENANT};
use crate::guard::{Kind, Table};

/// What an organization is to the platform, which it does not say itself.
const NOT_ITS_OWN: [&str; 6] =
    ["slug", "name", "status", "is_provider", "created_at", "purge_started_at"];

/// The organization of the transaction; without one, nobody has a right to ask.
pub(super) const CONTEXT: [&str; 4] = [
    "CREATE SCHEMA IF NOT EXISTS app",
    "CREATE OR REPLACE FUNCTION app.current_org() RETURNS uuid
        LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
        DECLARE org text := current_setting('app.org', true);
        BEGIN
            IF org IS NULL OR org = '' THEN
                RAISE EXCEPTION 'no organization in this transaction' USING ERRCODE = '42501';
            END IF;
            RETURN org::uuid;
        END $$",
    "CREATE OR REPLACE FUNCTION app.keeps_owner() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'organization_id is immutable';
        END $$",
    "CREATE OR REPLACE FUNCTION app.never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM public.organizations
                WHERE id = OLD.organization_id AND purge_started_at IS NOT NULL) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME;
        END $$",
];

/// Who may name the schema of the functions.
pub(super) fn context_grants() -> [String; 1] {
    [format!("GRANT USAGE ON SCHEMA app TO {TENANT}, {SCHEDULER}")]
}

/// Policies of a new table.
pub(super) fn policies(table: &Table) -> Vec<String> {
    let name = table.name();
    let mut all = vec![
        format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
        format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"),
        format!("CREATE POLICY everything ON {name} AS PERMISSIVE USING (TRUE) WITH CHECK (TRUE)"),
    ];
    let Some(key) = table.key() else {
        // Nobody's but the platform's.
        let policy = format!("CREATE POLICY platform ON {name} AS RESTRICTIVE");
        all.push(format!("{policy} TO {TENANT} USING (FALSE)"));
        return all;
    };
    let own = format!("{key} = (SELECT app.current_org())");
    let readable = match table.reads_global() {
        true => format!("({own} OR {key} = '{}')", uuid::Uuid::nil()),
        false => own.clone(),
    };
    // The scheduler's transactions have no organization, so it is not asked for one.
    let who = match table.caretakers() {
        true => format!("{TENANT}, {OWNER}"),
        false => "PUBLIC".to_owned(),
    };
    let policy = |command: &str, rule: String| {
        let verb = command.to_lowercase();
        let policy = format!("CREATE POLICY {verb}s_own ON {name} AS RESTRICTIVE FOR {command}");
        format!("{policy} TO {who} {rule}")
    };
    all.push(policy("SELECT", format!("USING ({readable})")));
    all.push(policy("INSERT", format!("WITH CHECK ({own})")));
    all.push(policy("UPDATE", format!("USING ({own}) WITH CHECK ({own})")));
    all.push(policy("DELETE", format!("USING ({own})")));
    all
}

/// The restrictive policies of a table with owners in the server's own words, for the self-check:
/// command, condition, check.
pub(super) fn policy_texts(table: &Table) -> Vec<String> {
    let Some(key) = table.key() else { return Vec::new() };
    let own = format!("({key} = ( SELECT current_org() AS current_org))");
    let readable = match table.reads_global() {
        true => format!("({own} OR ({key} = '{}'::uuid))", uuid::Uuid::nil()),
        false => own.clone(),
    };
    let commands = [("r", readable), ("a", own.clone()), ("w", format!("{own} check {own}"))];
    let commands = commands.into_iter().chain([("d", own)]);
    commands.map(|(command, rule)| format!("{command} {rule}")).collect()
}

/// The names of the triggers a table must have.
pub(super) fn trigger_names(table: &Table) -> Vec<String> {
    let owned = (table.key() == Some("organization_id")).then_some("keeps_owner");
    let kept = table.never_changes().then_some("never_changes");
    owned.into_iter().chain(kept).map(|what| format!("{}_{what}", table.name())).collect()
}

/// The triggers that SQLite has too: they hold the owner of the tables as well.
pub(super) fn triggers(table: &Table) -> Vec<String> {
    let name = table.name();
    let mut all = Vec::new();
    if table.key() == Some("organization_id") {
        all.push(format!(
            "CREATE TRIGGER {name}_keeps_owner BEFORE UPDATE OF organization_id ON {name} \
             FOR EACH ROW EXECUTE FUNCTION app.keeps_owner()"
        ));
    }
    if table.never_changes() {
        all.push(format!(
            "CREATE TRIGGER {name}_never_changes BEFORE UPDATE OR DELETE ON {name} \
             FOR EACH ROW EXECUTE FUNCTION app.never_changes()"
        ));
    }
    all
}

/// What the two roles may do with a table, whose columns are `columns`; says the same however often
/// it is said. Nobody may change the column that says whose a row is.
pub(super) fn grants(table: &Table, columns: &[String]) -> Vec<String> {
    let name = table.name();
    let mut all = vec![format!("REVOKE ALL ON {name} FROM PUBLIC, {TENANT}, {SCHEDULER}")];
    let changeable = columns.iter().map(String::as_str).filter(|&it| Some(it) != table.key());
    let changeable: Vec<_> = changeable.collect();
    let grant = |what: &str, who: &str| format!("GRANT {what} ON {name} TO {who}");
    let changes = format!("UPDATE ({})", changeable.join(", "));
    match table.kind() {
        Kind::Platform => {}
        Kind::Organization => {
            all.push(grant("SELECT", TENANT));
            let own: Vec<_> =
                changeable.into_iter().filter(|column| !NOT_ITS_OWN.contains(column)).collect();
            all.push(grant(&format!("UPDATE ({})", own.join(", ")), TENANT));
        }
        Kind::Tenant | Kind::Shared => {
            all.push(grant("SELECT, INSERT, DELETE", TENANT));
            if !table.never_changes() {
                all.push(grant(&changes, TENANT));
            }
        }
    }
    if table.caretakers() {
        all.push(grant("SELECT, INSERT, DELETE", SCHEDULER));
        all.push(grant(&changes, SCHEDULER));
    }
    all
}
