//! When ticks come, around changes of clocks too, and what is no schedule.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn workflow(options: Value, parameters: Value) -> Workflow {
    Workflow {
        name: "report".to_owned(),
        function: "report".to_owned(),
        line: 1,
        description: String::new(),
        is_async: false,
        parameters,
        options: options.as_object().cloned().unwrap_or_default(),
    }
}

fn read(options: Value) -> Result<Schedule, BadSchedule> {
    Schedule::of(&workflow(options, json!({}))).expect("a schedule")
}

fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&chrono::Utc).into()
}

/// The next `count` ticks after a moment, in UTC.
fn ticks(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = read(json!({"schedule": pattern, "timezone": zone})).unwrap();
    let next = |at: &Timestamp| schedule.next(*at, "UTC");
    let ticks = std::iter::successors(next(&at(after)), next).take(count);
    ticks.map(|tick| tick.to_string()[..16].to_owned()).collect()
}

#[test]
fn weekdays_at_seven_in_vienna_are_read_on_its_clocks_in_winter_and_in_summer() {
    // Friday, Monday; the clocks change on the 29th of March.
    assert_eq!(
        ticks("0 7 * * mon-fri", "Europe/Vienna", "2026-03-27T05:00:00Z", 3),
        ["2026-03-27T06:00", "2026-03-30T05:00", "2026-03-31T05:00"]
    );
    // The same at the end of the week, exactly at a tick: that one is over.
    assert_eq!(
        ticks("0 7 * * mon-fri", "Europe/Vienna", "2026-03-27T06:00:00Z", 1),
        ["2026-03-30T05:00"]
    );
}

#[test]
fn a_time_that_the_clocks_jump_over_comes_right_after_the_jump() {
    // 02:30 does not exist on the 29th of March: 03:00 in summer time is 01:00 in UTC.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Vienna", "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00", "2026-03-30T00:30"]
    );
    // Every quarter of an hour goes on evenly in real time.
    assert_eq!(
        ticks("*/15 * * * *", "Europe/Vienna", "2026-03-29T00:40:00Z", 3),
        ["2026-03-29T00:45", "2026-03-29T01:00", "2026-03-29T01:15"]
    );
}

#[test]
fn a_time_that_comes_twice_when_the_clocks_go_back_is_one_tick() {
    // 02:30 is there twice on the 25th of October: at 00:30 and at 01:30 in UTC.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30", "2026-10-26T01:30"]
    );
    // What comes every half hour comes in both hours.
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Vienna", "2026-10-24T23:45:00Z", 5),
        [
            "2026-10-25T00:00",
            "2026-10-25T00:30",
            "2026-10-25T01:00",
            "2026-10-25T01:30",
            "2026-10-25T02:00"
        ]
    );
}

#[test]
fn without_a_zone_of_its_own_the_organizations_clocks_count() {
    let schedule = read(json!({"schedule": "0 7 * * *"})).unwrap();
    let next = |zone: &str| schedule.next(at("2026-07-01T00:00:00Z"), zone).unwrap().to_string();
    assert_eq!(next("America/New_York"), "2026-07-01T11:00:00.000000Z");
    assert_eq!(next("UTC"), "2026-07-01T07:00:00.000000Z");
    assert_eq!(next("no zone"), next("UTC"));
    assert_ne!(schedule.plan("UTC"), schedule.plan("America/New_York"));
    let own = read(json!({"schedule": "0 7 * * *", "timezone": "Asia/Tokyo"})).unwrap();
    assert_eq!(own.plan("UTC"), own.plan("Europe/Vienna"));
}

#[test]
fn what_can_never_start_says_why() {
    let fault = |options| read(options).unwrap_err().to_string();
    for pattern in
        ["", "tomorrow", "0 7 * *", "0 0 7 * * *", "0 0 7 * * * 2030", "99 * * * *", "@reboot"]
    {
        let fault = fault(json!({"schedule": pattern}));
        assert!(fault.starts_with(&format!("`{pattern}` is no schedule")), "{fault}");
    }
    assert!(fault(json!({"schedule": "*".repeat(300)})).ends_with("(it is too long)"));
    for pattern in ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 31 2 +mon"] {
        assert_eq!(
            read(json!({"schedule": pattern})).unwrap_err(),
            BadSchedule::Never(pattern.into())
        );
    }
    let zone = json!({"schedule": "0 7 * * *", "timezone": "Vienna"});
    assert_eq!(read(zone).unwrap_err(), BadSchedule::Timezone("Vienna".into()));
    let missed = json!({"schedule": "0 7 * * *", "missed": "twice"});
    assert_eq!(read(missed).unwrap_err(), BadSchedule::Missed("twice".into()));
    let needs = json!({"type": "object", "required": ["customer"]});
    let scheduled = workflow(json!({"schedule": "0 7 * * *"}), needs.clone());
    assert_eq!(Schedule::fault(&scheduled), Some(BadSchedule::Inputs("customer".into())));
    assert_eq!(Schedule::fault(&workflow(json!({}), needs)), None);
    let alone = workflow(json!({"timezone": "UTC"}), json!({}));
    assert_eq!(Schedule::fault(&alone), Some(BadSchedule::Alone("timezone")));
}

#[test]
fn rare_days_are_found_and_both_words_for_missed_ticks_are_understood() {
    assert_eq!(ticks("0 0 29 2 +mon", "UTC", "2026-01-01T00:00:00Z", 1), ["2044-02-29T00:00"]);
    assert_eq!(ticks("@daily", "UTC", "2026-01-01T00:00:00Z", 1), ["2026-01-02T00:00"]);
    let missed = |word: &str| read(json!({"schedule": "@daily", "missed": word})).unwrap().missed;
    assert_eq!((missed("skip"), missed("once")), (Missed::Skip, Missed::Once));
    assert_eq!(read(json!({"schedule": "@daily"})).unwrap().missed, Missed::Skip);
}

#[test]
fn the_patterns_of_the_documentation_mean_what_it_says() {
    let first = |pattern| ticks(pattern, "UTC", "2026-01-15T07:30:00Z", 2);
    for (pattern, expected) in [
        ("*/15 8-17 * * mon-fri", ["2026-01-15T08:00", "2026-01-15T08:15"]),
        ("0 7 1 * *", ["2026-02-01T07:00", "2026-03-01T07:00"]),
        ("0 7 L * *", ["2026-01-31T07:00", "2026-02-28T07:00"]),
        ("0 7 * * mon#1", ["2026-02-02T07:00", "2026-03-02T07:00"]),
        ("0 7 15 * mon", ["2026-01-19T07:00", "2026-01-26T07:00"]),
        ("0 7 15 * +mon", ["2026-06-15T07:00", "2027-02-15T07:00"]),
        ("@hourly", ["2026-01-15T08:00", "2026-01-15T09:00"]),
        ("@daily", ["2026-01-16T00:00", "2026-01-17T00:00"]),
        ("@weekly", ["2026-01-18T00:00", "2026-01-25T00:00"]),
        ("@monthly", ["2026-02-01T00:00", "2026-03-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00"]),
    ] {
        assert_eq!(first(pattern), expected, "{pattern}");
    }
}

proptest! {
    /// In any zone and around any change of its clocks, ticks go forward, are whole minutes, and
    /// none lies between a moment and the one that is said to come next.
    #[test]
    fn ticks_go_forward_and_none_is_left_out(
        zone in proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
        pattern in proptest::sample::select(vec![
            "* * * * *", "*/7 * * * *", "30 2 * * *", "0 0 1 * *", "15,45 1-3 * * sun", "0 7 * * mon-fri",
        ]),
        after in 1_600_000_000_000_000_i64..1_900_000_000_000_000,
        step in 1_i64..40_000_000_000,
    ) {
        let schedule = read(json!({"schedule": pattern, "timezone": zone.name()})).unwrap();
        let next = schedule.next(Timestamp(after), "UTC").unwrap();
        prop_assert!(next.0 > after && next.0 % 1_000_000 == 0);
        prop_assert!(schedule.ticks_at(next, "UTC"));
        let between = Timestamp(after + step);
        if between < next {
            prop_assert_eq!(schedule.next(between, "UTC"), Some(next));
        }
    }
}
