//! What is compared at execution, and that the cache changes nothing.

use proptest::prelude::*;
use sea_orm::Value;
use uuid::Uuid;

use super::super::Guard;
use super::{FOREIGN, Mode, OWN, Refusal};

const STRICT: &str = "SELECT id FROM users WHERE organization_id = $2 AND id = $1";
const CASCADE: &str = "SELECT id FROM workflows WHERE organization_id IN ($1, $2)";
const WRITE: &str = "UPDATE workflows SET name = $2 WHERE organization_id = $1";

fn check(sql: &str, values: &[Value]) -> Result<(), Refusal> {
    Guard::default().check(sql, values, OWN, Mode::Tenant)
}

#[test]
fn only_the_organization_itself_will_do() {
    let id = Value::from("x");
    assert_eq!(check(STRICT, &[id.clone(), OWN.into()]), Ok(()));
    let wrong: [Value; 8] = [
        FOREIGN.into(),
        Uuid::nil().into(),
        OWN.to_string().into(),
        OWN.simple().to_string().into(),
        OWN.as_bytes().to_vec().into(),
        Value::Uuid(None),
        Value::String(None),
        1.into(),
    ];
    for value in wrong {
        assert_eq!(check(STRICT, &[id.clone(), value]), Err(Refusal::Value(2)));
    }
    assert_eq!(check(STRICT, &[id]), Err(Refusal::Missing(2)));
    assert_eq!(check(STRICT, &[]), Err(Refusal::Missing(2)));
}

#[test]
fn global_is_for_reading() {
    let (own, nil, foreign) = (Value::from(OWN), Value::from(Uuid::nil()), Value::from(FOREIGN));
    for values in [[&own, &nil], [&nil, &own], [&own, &own], [&nil, &nil]] {
        assert_eq!(check(CASCADE, &values.map(Clone::clone)), Ok(()));
    }
    assert_eq!(check(CASCADE, &[foreign.clone(), nil.clone()]), Err(Refusal::Value(1)));
    assert_eq!(check(CASCADE, &[own.clone(), foreign]), Err(Refusal::Value(2)));
    assert_eq!(check(WRITE, &[own, "n".into()]), Ok(()));
    assert_eq!(check(WRITE, &[nil.clone(), "n".into()]), Err(Refusal::Value(1)));
    let global = Guard::default().check(WRITE, &[nil, "n".into()], Uuid::nil(), Mode::Tenant);
    assert_eq!(global, Ok(()), "acting for Global, its rows are one's own");
}

#[test]
fn every_execution_is_compared_and_counted() {
    let guard = Guard::default();
    for round in 1..=3 {
        let good = guard.check(STRICT, &["x".into(), OWN.into()], OWN, Mode::Tenant);
        let bad = guard.check(STRICT, &["x".into(), OWN.into()], FOREIGN, Mode::Tenant);
        let never = guard.check("DELETE FROM users", &[], OWN, Mode::Tenant);
        let system = guard.check(STRICT, &["x".into(), OWN.into()], OWN, Mode::System);
        assert_eq!((good, bad), (Ok(()), Err(Refusal::Value(2))));
        assert_eq!(
            (never, system),
            (Err(Refusal::Unproven("users")), Err(Refusal::Closed("users")))
        );
        assert_eq!((guard.checked(), guard.refused()), (4 * round, 3 * round));
    }
}

#[test]
fn made_up_statements_do_not_fill_the_memory() {
    let guard = Guard::default();
    for n in 0..10_000 {
        assert_eq!(guard.check(&format!("SELECT {n}"), &[], OWN, Mode::Tenant), Ok(()));
    }
    assert_eq!(guard.check("SELECT -1", &[], OWN, Mode::Tenant), Err(Refusal::TooMany));
    assert_eq!(guard.check("SELECT 7", &[], OWN, Mode::Tenant), Ok(()), "known ones still pass");
    assert_eq!(guard.check("SELECT 1", &[], OWN, Mode::System), Ok(()), "modes do not share");
}

#[test]
fn refusals_hold_no_values() {
    let refusal = check(STRICT, &["x".into(), "secret".into()]).expect_err("text");
    assert!(!format!("{refusal} {refusal:?}").contains("secret"));
}

#[test]
#[ignore = "a measurement: run with --release --nocapture"]
#[allow(clippy::print_stdout)]
fn cost_of_a_cached_check() {
    let (guard, values) = (Guard::default(), ["x".into(), OWN.into()]);
    let start = std::time::Instant::now();
    for _ in 0..1_000_000 {
        guard.check(STRICT, &values, OWN, Mode::Tenant).expect("good");
    }
    println!("{} ns a check", start.elapsed().as_nanos() / 1_000_000);
}

proptest! {
    /// Whatever the numbering, exactly the places that name the organization are compared.
    #[test]
    fn any_numbering(numbers in Just((1..=6).collect::<Vec<usize>>()).prop_shuffle(), wrong in 0..6_usize) {
        let [a, b, c, d, e, f] = numbers[..] else { unreachable!() };
        let sql = format!(
            "SELECT ${a} FROM executions e JOIN users u ON u.organization_id = ${b} AND u.id = ${c} \
             JOIN workflows w ON w.organization_id IN (${d}, ${e}) WHERE e.organization_id = ${f}"
        );
        let mut values = vec![Value::from("text"); 6];
        for number in [b, d, f] {
            values[number - 1] = OWN.into();
        }
        values[e - 1] = Uuid::nil().into();
        prop_assert_eq!(check(&sql, &values), Ok(()));
        values[wrong] = FOREIGN.into();
        let compared = [b, d, e, f].contains(&(wrong + 1));
        let expected = if compared { Err(Refusal::Value(wrong + 1)) } else { Ok(()) };
        prop_assert_eq!(check(&sql, &values), expected);
    }

    /// The inspector never panics on rubbish.
    #[test]
    fn rubbish(words in prop::collection::vec(prop::sample::select(vec![
        "SELECT", "*", "FROM", "users", "WHERE", "organization_id", "=", "$1", "AND", "OR", "(", ")", ",",
        "IN", "NOT", "WITH", "AS", "x", "JOIN", "ON", "UNION", "INSERT", "INTO", "VALUES", "UPDATE",
        "SET", "DELETE", "'", "\"", "--", ";", "EXISTS", "LATERAL", "BETWEEN", "::", "$", "$0", ".",
    ]), 0..40)) {
        let _ = super::tenant(&words.join(" "));
    }
}
