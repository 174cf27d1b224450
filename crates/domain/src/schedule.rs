//! When a workflow starts by itself: `@workflow(schedule=…, timezone=…, missed=…)`.
//!
//! A schedule is a cron pattern of five fields, so nothing starts more often than once a minute. It
//! is read on the clocks of its time zone, and what happens when these are changed is said in
//! `docs/schedules.md`.

use crate::{Timestamp, analysis::Workflow};
use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use croner::{
    Cron, Weekday,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

/// A tick that nobody started for this long has been missed.
pub const GRACE: Duration = Duration::from_secs(60);

/// The days of any 28 years in a row within one century have every length of a year with every
/// weekday as its first: what is in none of them never comes.
const EVERY_KIND_OF_YEAR: std::ops::Range<i32> = 2001..2029;

/// Longer texts are no patterns.
const MAX_LENGTH: usize = 200;

/// What happens with ticks for which no server was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MissedTicks)]
pub enum Missed {
    /// They are passed over.
    #[default]
    Skip,
    /// One start makes up for all of them.
    Once,
}

/// When a workflow starts.
#[derive(Clone, Debug)]
pub struct Schedule {
    pattern: String,
    cron: Cron,
    timezone: Option<Tz>,
    /// What happens with ticks for which no server was there.
    pub missed: Missed,
}

/// Why a workflow never starts by its schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// No cron pattern.
    #[error(
        "`{pattern}` is no schedule: give minute, hour, day of month, month and weekday, such as \
         `0 7 * * mon-fri` ({why})"
    )]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The 30th of February.
    #[error("no day fits the schedule `{0}`; it would never start")]
    Never(String),
    /// No IANA zone.
    #[error("`{0}` is no time zone; give a name such as `Europe/Vienna`")]
    Timezone(String),
    /// Neither of the two words.
    #[error("`missed` is `skip` or `once`, not `{0}`")]
    Missed(String),
    /// A schedule gives no inputs.
    #[error("a schedule starts a workflow without inputs, and `{0}` needs a default value")]
    Inputs(String),
    /// `timezone` or `missed` by itself.
    #[error("`{0}` says nothing without `schedule`")]
    Alone(&'static str),
}

impl Missed {
    /// The word in the decorator and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
        }
    }
}

impl Schedule {
    /// Whether a workflow has a schedule, good or bad.
    pub fn is_in(workflow: &Workflow) -> bool {
        workflow.options.contains_key("schedule")
    }

    /// The schedule of a workflow, if it has one.
    pub fn of(workflow: &Workflow) -> Option<Result<Self, BadSchedule>> {
        let pattern = workflow.options.get("schedule")?;
        Some(Self::read(workflow, &text(pattern)))
    }

    /// What is wrong with what a workflow says about its schedule.
    pub fn fault(workflow: &Workflow) -> Option<BadSchedule> {
        match Self::of(workflow) {
            Some(schedule) => schedule.err(),
            None => ["timezone", "missed"]
                .into_iter()
                .find(|option| workflow.options.contains_key(*option))
                .map(BadSchedule::Alone),
        }
    }

    fn read(workflow: &Workflow, pattern: &str) -> Result<Self, BadSchedule> {
        let cron = cron(pattern)?;
        let option = |name: &str| workflow.options.get(name).map(text);
        let timezone = option("timezone")
            .map(|zone| zone.parse::<Tz>().map_err(|_| BadSchedule::Timezone(shortened(&zone))));
        let missed = match option("missed").as_deref() {
            None | Some("skip") => Missed::Skip,
            Some("once") => Missed::Once,
            Some(other) => return Err(BadSchedule::Missed(shortened(other))),
        };
        let required = workflow.parameters.get("required").and_then(Value::as_array);
        if let Some(first) = required.and_then(|names| names.first()) {
            return Err(BadSchedule::Inputs(text(first)));
        }
        Ok(Self { pattern: pattern.to_owned(), cron, timezone: timezone.transpose()?, missed })
    }

    /// The pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The zone whose clocks count: its own, or `regional.timezone` of the organization.
    pub fn zone(&self, regional: &str) -> Tz {
        self.timezone.unwrap_or_else(|| regional.parse().unwrap_or(Tz::UTC))
    }

    /// The first tick after a moment.
    pub fn next(&self, after: Timestamp, regional: &str) -> Option<Timestamp> {
        let moment = DateTime::from_timestamp_micros(after.0)?.with_timezone(&self.zone(regional));
        let next = self.cron.find_next_occurrence(&moment, false).ok()?;
        Some(Timestamp(next.timestamp_micros())).filter(|next| *next > after)
    }

    /// Whether a moment is a tick.
    pub fn ticks_at(&self, moment: Timestamp, regional: &str) -> bool {
        self.next(Timestamp(moment.0.saturating_sub(1)), regional) == Some(moment)
    }

    /// All that decides about its ticks, in one text.
    pub fn plan(&self, regional: &str) -> String {
        format!("{} {}", self.zone(regional).name(), self.pattern)
    }
}

fn cron(pattern: &str) -> Result<Cron, BadSchedule> {
    let bad = |why: String| BadSchedule::Pattern { pattern: shortened(pattern), why };
    if pattern.len() > MAX_LENGTH {
        return Err(bad("it is too long".to_owned()));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(pattern).map_err(|error| bad(error.to_string()))?;
    match comes(&cron) {
        true => Ok(cron),
        false => Err(BadSchedule::Never(pattern.to_owned())),
    }
}

/// Whether any day fits. The search for the next tick would look through thousands of years.
fn comes(cron: &Cron) -> bool {
    let first = NaiveDate::from_ymd_opt(EVERY_KIND_OF_YEAR.start, 1, 1).unwrap_or_default();
    first.iter_days().take_while(|day| day.year() < EVERY_KIND_OF_YEAR.end).any(|day| {
        let (year, month) = (day.year(), day.month());
        let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        cron.pattern.month_match(month).unwrap_or(false)
            && cron.pattern.day_match(year, month, day.day(), weekday).unwrap_or(false)
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests;
