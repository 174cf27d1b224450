//! Verdicts by text, values at execution, counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use sea_orm::Value;
use uuid::Uuid;

use super::{CATALOG, Catalog, Mode, Proof, Refusal, inspect};

/// The store has static statements only, a few hundred of them; more means that some are made up.
const MAX_STATEMENTS: usize = 10_000;

type Verdict = Result<Proof, Refusal>;

/// Checks each execution of each statement.
///
/// A statement is parsed once (tens of microseconds). After that a check costs one hash of the
/// text, one comparison with the text that was parsed, and one comparison of 16 bytes for each
/// placeholder of the proof: some hundred nanoseconds, with a shared lock and no allocation.
/// Refusals are remembered as well.
#[derive(Debug)]
pub struct Guard {
    catalog: Catalog,
    tenant: RwLock<HashMap<Box<str>, Verdict>>,
    system: RwLock<HashMap<Box<str>, Verdict>>,
    checked: AtomicU64,
    refused: AtomicU64,
    /// Only the store's own tests and benches can switch a guard off, to see what stands without
    /// it and what it costs.
    #[cfg(any(test, feature = "unguarded"))]
    off: std::sync::atomic::AtomicBool,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(CATALOG)
    }
}

impl Guard {
    /// A guard of the tables of `catalog` that has seen nothing yet.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            tenant: RwLock::default(),
            system: RwLock::default(),
            checked: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            #[cfg(any(test, feature = "unguarded"))]
            off: false.into(),
        }
    }

    /// Lets everything through from now on.
    #[cfg(test)]
    pub(crate) fn switch_off(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    /// A guard that lets everything through, to measure what a real one costs.
    #[cfg(feature = "unguarded")]
    pub fn off() -> Self {
        Self { off: true.into(), ..Self::default() }
    }

    /// Whether `sql` with `values` stays within `organization`.
    ///
    /// # Errors
    ///
    /// The statement must not be executed; the refusal holds no bound value and can be logged.
    pub fn check(
        &self,
        sql: &str,
        values: &[Value],
        organization: Uuid,
        mode: Mode,
    ) -> Result<(), Refusal> {
        #[cfg(any(test, feature = "unguarded"))]
        if self.off.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.checked.fetch_add(1, Ordering::Relaxed);
        let result = self.decide(sql, values, organization, mode);
        if result.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// How many executions were checked.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// How many of them were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn decide(&self, sql: &str, values: &[Value], own: Uuid, mode: Mode) -> Result<(), Refusal> {
        let cache = match mode {
            Mode::Tenant => &self.tenant,
            Mode::System => &self.system,
        };
        {
            let verdicts = cache.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(verdict) = verdicts.get(sql) {
                return hold(verdict, values, own);
            }
            if verdicts.len() >= MAX_STATEMENTS {
                return Err(Refusal::TooMany);
            }
        }
        let verdict = inspect(sql, &self.catalog, mode);
        let result = hold(&verdict, values, own);
        // Those who inspect at the same moment may go beyond the limit, by one each.
        cache.write().unwrap_or_else(PoisonError::into_inner).insert(sql.into(), verdict);
        result
    }
}

fn hold(verdict: &Verdict, values: &[Value], own: Uuid) -> Result<(), Refusal> {
    let proof = match verdict {
        Ok(proof) => proof,
        Err(refusal) => return Err(refusal.clone()),
    };
    for number in proof.organization() {
        if bound(values, *number)? != own {
            return Err(Refusal::Value(*number));
        }
    }
    for number in proof.readable() {
        let value = bound(values, *number)?;
        if value != own && !value.is_nil() {
            return Err(Refusal::Value(*number));
        }
    }
    Ok(())
}

/// The UUID bound to a placeholder. Text that spells a UUID is none: engines compare it otherwise.
fn bound(values: &[Value], number: usize) -> Result<Uuid, Refusal> {
    let value = number.checked_sub(1).and_then(|at| values.get(at));
    match value.ok_or(Refusal::Missing(number))? {
        Value::Uuid(Some(uuid)) => Ok(*uuid),
        _ => Err(Refusal::Value(number)),
    }
}
