//! Whether each attack ended as the table says.

use crate::plain::Attack;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// How all attacks went.
#[derive(Default)]
pub struct Verdicts {
    lines: BTreeMap<String, usize>,
    tried: usize,
    /// Walls that this machine cannot have, and says so.
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl Verdicts {
    /// With the walls that do not hold according to the server itself.
    pub fn without(missing: Vec<String>) -> Self {
        Self { missing, ..Self::default() }
    }

    /// Compares the execution of an attack with its row.
    pub fn judge(&mut self, attack: &Attack, run: &Value) {
        let status = run["status"].as_str().unwrap().to_owned();
        let told = &run["result"];
        let refusal = told["refused"].as_str();
        let by_refusal = refusal.is_some_and(|word| attack.refused.iter().any(|it| it == word));
        // A workflow that returns has not been stopped: only the table can say that this is all right.
        let by_end = refusal.is_none() && attack.ends.contains(&status);
        let how = refusal.unwrap_or(&status).to_owned();
        self.tried += 1;
        if self.missing.contains(&attack.wall) {
            *self.lines.entry(format!("no {}: {how}", attack.wall)).or_default() += 1;
        } else if by_refusal || by_end {
            let family = attack.name.split('.').next().unwrap();
            *self.lines.entry(format!("{family:16} {how}")).or_default() += 1;
        } else {
            let why = if told.is_null() { &run["error"] } else { told };
            self.wrong.push(format!("{}: {status} {}", attack.name, short(why)));
        }
    }

    /// Fails with all that went otherwise.
    pub fn assert_all_refused(&self) {
        let list = self.wrong.join("\n  ");
        assert!(self.wrong.is_empty(), "{} of {}:\n  {list}", self.wrong.len(), self.tried);
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} attacks, {} not refused", self.tried, self.wrong.len())?;
        self.lines.iter().try_for_each(|(line, times)| writeln!(f, "  {line:40} {times}"))
    }
}
