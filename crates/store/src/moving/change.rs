//! What is different about a row after it was moved. Everything that is not here stays as it is.

use super::{
    MoveError,
    cells::{Cell, Row},
    keys::{OldKey, fingerprint_there},
    tables::Table,
};
use crate::{OrganizationStatus, System};
use domain::Scope;

/// How rows change on their way.
pub(super) struct Change {
    /// The one organization that is imported beside others.
    pub rehomed: Option<Rehomed>,
    /// What opens the data keys of the file, if they are wrapped anew.
    pub old: OldKey,
}

/// What is new about an organization that comes to live beside others.
pub(super) struct Rehomed {
    pub slug: String,
    /// Higher than any that caches of its files remember from an earlier stay.
    pub generation: i64,
}

impl Change {
    /// The row as it is written, but for keys that are wrapped anew.
    pub fn apply(&self, table: &Table, row: &mut Row) {
        let mut set = |name: &str, cell: Cell| {
            if let Some(at) = table.at(name) {
                row[at] = cell;
            }
        };
        match (table.name, &self.rehomed) {
            ("organizations", Some(Rehomed { slug, generation })) => {
                // Nobody gets in before all of it is there.
                set("status", Cell::Text(OrganizationStatus::Suspended.as_str().to_owned()));
                set("slug", Cell::Text(slug.clone()));
                set("generation", Cell::Int(*generation));
                set("is_provider", Cell::Bool(false));
                set("purge_started_at", Cell::Null);
            }
            // Its worker does not come along: what it held waits for the next attempt.
            ("job_queue", _) => {
                set("worker", Cell::Null);
                set("lease_until", Cell::Null);
                set("lent", Cell::Int(0));
            }
            ("queue_lanes", rehomed) => {
                let counters = ["waiting", "running", "lent"].map(|name| table.at(name));
                if let [Some(waiting), Some(running), Some(lent)] = counters
                    && let (Cell::Int(waits), Cell::Int(runs), Cell::Int(others)) =
                        (&row[waiting], &row[running], &row[lent])
                {
                    row[waiting] = Cell::Int(waits + runs + others);
                    (row[running], row[lent]) = (Cell::Int(0), Cell::Int(0));
                }
                if let Some(coming_back) = table.at("coming_back") {
                    row[coming_back] = Cell::Int(0);
                }
                // Its turn is not counted from where it was among others: it joins anew.
                if let (Some(_), Some(time), Some(joined)) =
                    (rehomed, table.at("virtual_time"), table.at("joined"))
                {
                    (row[time], row[joined]) = (Cell::Int(0), Cell::Bool(false));
                }
            }
            ("executions", _) => {
                let status = table.at("status");
                let running = Cell::Text(domain::execution::Status::Running.as_str().to_owned());
                if let Some(at) = status.filter(|at| row[*at] == running) {
                    let pending = domain::execution::Status::Pending.as_str().to_owned();
                    row[at] = Cell::Text(pending);
                }
            }
            _ => {}
        }
    }

    /// A row of the file as it must be found in the database.
    pub fn expected(&self, table: &Table, owner: Scope, row: &mut Row) -> Result<(), MoveError> {
        self.apply(table, row);
        match (table.name, &self.old) {
            ("data_keys", Some(old)) => fingerprint_there(old, (table, owner), row),
            _ => Ok(()),
        }
    }

    /// A row of the database, to be compared with that.
    pub fn found(
        &self,
        system: &System,
        (table, owner): (&Table, Scope),
        row: &mut Row,
    ) -> Result<(), MoveError> {
        match (table.name, &self.old) {
            ("data_keys", Some(_)) => system.fingerprint_here(table, owner, row),
            _ => Ok(()),
        }
    }
}
