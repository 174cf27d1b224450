//! What a transaction begins with and wears: its role, its organization, its limits, its place among
//! those who write.

use super::{
    roles::{SCHEDULER, TENANT},
    values::Parameter,
};
use crate::{engine::Beside, gate::Bound};
use sea_orm::Value;

/// What a transaction is for.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Writing(Beside),
    Reading,
    Snapshot,
}

/// What a transaction puts on. As long as it lasts, the role and the organization are as they say.
const WEAR: &str = "SELECT set_config('role', $1, true), set_config('app.org', $2, true)";

/// As [`WEAR`], and nothing can be written.
const WEAR_READING: &str = "SELECT set_config('transaction_read_only', 'on', true),
    set_config('role', $1, true), set_config('app.org', $2, true)";

/// As [`WEAR`], with how long whoever writes waits for those before it, and how long the server keeps
/// the locks of one that it hears nothing of: its machine may have lost its power.
const WEAR_WRITING: &str = "SELECT set_config('lock_timeout', '10s', true),
    set_config('idle_in_transaction_session_timeout', '60s', true),
    set_config('role', $1, true), set_config('app.org', $2, true)";

/// Waits until nobody else writes in a scope. Rows that refer to the organization can be added all
/// the same: their key lock does not collide with this one.
const ALONE: &str = "SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE";

/// A statement on its way.
pub(super) struct Words {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Parameter>,
}

impl Words {
    pub(super) fn new(sql: &'static str, values: Vec<Value>) -> Self {
        Self { sql, values: values.into_iter().map(Parameter::new).collect() }
    }
}

/// What begins a transaction. The server does it right before the first statement.
pub(super) fn beginning(mode: Mode, bound: Bound) -> Vec<Words> {
    let begin = |how| Words::new(how, Vec::new());
    match mode {
        Mode::Reading => vec![clothes(WEAR_READING, bound)],
        Mode::Snapshot => vec![begin(SNAPSHOT), clothes(WEAR, bound)],
        Mode::Writing(Beside::Others) => vec![begin("BEGIN"), clothes(WEAR_WRITING, bound)],
        Mode::Writing(Beside::Nobody(scope)) => {
            let alone = Words::new(ALONE, vec![scope.column().into()]);
            vec![begin("BEGIN"), clothes(WEAR_WRITING, bound), alone]
        }
    }
}

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// What goes before a statement of another role or organization than the one before it.
pub(super) fn change_of(bound: Bound) -> Words {
    clothes(WEAR, bound)
}

fn clothes(sql: &'static str, bound: Bound) -> Words {
    let (role, organization) = match bound {
        Bound::Tenant(id) => (TENANT, id.to_string()),
        // Whatever context was left by a tenant's statement goes with its role.
        Bound::System => (SCHEDULER, String::new()),
    };
    Words::new(sql, vec![role.into(), organization.into()])
}
