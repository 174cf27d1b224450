//! Statements that must be refused, each with its reason.

mod clauses;
mod conditions;
mod joins;
mod names;
mod nested;
mod writes;

use super::super::{Proof, Refusal, plain::MAX_SET_OPERATIONS, shape};
use super::tenant;

const UNPROVEN: &str = "is not confined";
const SHAPE: &str = "is not among the shapes";
const UNKNOWN: &str = "is not in the catalog";
const ONE: &str = "exactly one statement";
const ALIAS: &str = "ambiguous or shadows";
const INSERT: &str = "each row inserted";
const NAME: &str = "must be plain";
const KEPT: &str = "can't be changed";
const TARGET: &str = "conflict target";
const ANY: &str = "";

#[test]
fn each_is_refused_for_its_reason() {
    let all = [
        clauses::CLAUSES,
        conditions::CONDITIONS,
        joins::JOINS,
        nested::NESTED,
        names::NAMES,
        writes::WRITES,
        writes::OTHERS,
    ]
    .concat();
    assert!(all.len() >= 200, "{}", all.len());
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|(sql, reason)| match tenant(sql) {
            Ok(_) => Some(format!("passed: {sql}")),
            Err(refusal) if refusal.to_string().contains(reason) => None,
            Err(refusal) => Some(format!("{refusal}: {sql}")),
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn size_and_depth_are_bounded() {
    let chain = |n: usize| {
        format!("SELECT id FROM users WHERE organization_id = $1{}", " AND active".repeat(n))
    };
    assert!(tenant(&chain(100)).is_ok());
    for sql in [
        chain(3_000),
        chain(20_000),
        format!("SELECT {}1{}", "(".repeat(30), ")".repeat(30_000)),
        format!("SELECT {}1{}", "(".repeat(3_000), ")".repeat(3_000)),
        format!("SELECT {}1", "NOT ".repeat(4_000)),
        format!("SELECT 1{}", " + 1".repeat(4_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(2_500)),
        format!("{}SELECT 1{}", "SELECT (".repeat(1_000), ")".repeat(1_000)),
        format!("SELECT '{}'", "x".repeat(70_000)),
    ] {
        assert!(tenant(&sql).is_err(), "{}", &sql[..60]);
    }
}

#[test]
fn size_and_depth_are_bounded_to_the_very_number() {
    let bytes = |n: usize| format!("SELECT '{}'", "x".repeat(n - "SELECT ''".len()));
    let tokens = |sign: &str, n: usize| format!("SELECT {sign} 1{}", ", 1".repeat(n / 2 - 1));
    let depth = |n: usize| format!("SELECT 1{}", " + 1".repeat(n - 2));
    for (least, more, refusal) in [
        (bytes(shape::MAX_BYTES), bytes(shape::MAX_BYTES + 1), Refusal::TooLong),
        (tokens("", shape::MAX_TOKENS), tokens("-", shape::MAX_TOKENS), Refusal::TooLong),
        (depth(shape::MAX_DEPTH), depth(shape::MAX_DEPTH + 1), Refusal::TooDeep),
    ] {
        assert_eq!(tenant(&least), Ok(Proof::default()), "{:.60}", least);
        assert_eq!(tenant(&more), Err(refusal), "{:.60}", more);
    }
}

#[test]
fn literals_may_look_like_anything() {
    for text in ["-- x", "/* x */", ";", "users", "$2", "'' OR 1 = 1"] {
        let sql = format!("SELECT id FROM users WHERE organization_id = $1 AND name = '{text}'");
        assert!(tenant(&sql).is_ok(), "{sql}");
    }
}

#[test]
fn set_operations_are_bounded_to_the_very_number() {
    let one = "SELECT id FROM users WHERE organization_id = $1";
    let chain = |n: usize| format!("{one}{}", format!(" UNION ALL {one}").repeat(n));
    let nested =
        |n: usize| (0..n).fold(one.to_owned(), |inner, _| format!("{one} UNION ALL ({inner})"));
    assert!(tenant(&chain(MAX_SET_OPERATIONS)).is_ok());
    assert!(tenant(&chain(MAX_SET_OPERATIONS + 1)).is_err());
    assert!(tenant(&nested(MAX_SET_OPERATIONS + 1)).is_err());
    // What binds tighter is on the right: one deeper than on the left.
    let right = |n: usize| format!("{one} UNION {one}{}", format!(" INTERSECT {one}").repeat(n));
    assert!(tenant(&right(MAX_SET_OPERATIONS - 1)).is_ok());
    assert!(tenant(&right(MAX_SET_OPERATIONS)).is_err());
}
