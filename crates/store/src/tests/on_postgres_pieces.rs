//! What leaves together is done in order, fails together, and blocks nobody.

use crate::{
    StoreError,
    engine::{Beside, Checked, Engine, Line, Transaction},
    gate::Bound,
    row::{FromRow, Row},
};
use sea_orm::Value;
use std::time::Duration;
use testkit::database::Place;

const ADD: &str = "INSERT INTO organizations (id, slug, name, status, is_provider, settings_json,
    settings_version, generation, created_at)
    VALUES (gen_random_uuid(), $1, 'Any', 'active', FALSE, '{}', 1, 0, 0)";
const ADD_AND_TELL: &str = "INSERT INTO organizations (id, slug, name, status, is_provider,
    settings_json, settings_version, generation, created_at)
    VALUES (gen_random_uuid(), $1, 'Any', 'active', FALSE, '{}', 1, 0, 0) RETURNING slug AS word";
const ALL: &str = "SELECT slug AS word FROM organizations WHERE slug LIKE 'piece-%' ORDER BY slug";
const FAIL: &str = "SELECT 1 / (length($1) - length($1)) AS word";
const ECHO: &str = "SELECT $1 || $1 AS word";
const SLEEP: &str = "SELECT pg_sleep(30)::text AS word";

#[derive(FromRow)]
struct Word {
    word: String,
}

struct Stage {
    engine: Engine,
    _place: Place,
}

impl Stage {
    async fn new() -> Self {
        let place = Place::migrated().await;
        Self { engine: Engine::open(&place.url(), false).await.unwrap(), _place: place }
    }

    async fn begin(&self) -> Transaction {
        self.engine.write(Beside::Others).await.unwrap()
    }

    async fn kept(&self) -> Vec<String> {
        words(Line::Engine(&self.engine).rows(checked(ALL, &[])).await.unwrap())
    }
}

fn words(rows: Vec<Row>) -> Vec<String> {
    rows.iter().map(|row| Word::from_row(row).unwrap().word).collect()
}

fn checked(sql: &'static str, values: &[&str]) -> Checked {
    let values = values.iter().map(|value| Value::from(*value)).collect();
    Checked { bound: Bound::System, sql, values }
}

async fn later(transaction: &Transaction, sql: &'static str, value: &str) {
    Line::Transaction(transaction).run_with_next(checked(sql, &[value])).await.unwrap();
}

async fn now(transaction: &Transaction, sql: &'static str, value: &str) -> Result<u64, StoreError> {
    Line::Transaction(transaction).run(checked(sql, &[value])).await
}

#[tokio::test]
async fn what_waits_for_the_next_statement_is_done_before_it() {
    let stage = Stage::new().await;
    let transaction = stage.begin().await;
    later(&transaction, ADD, "piece-1").await;
    later(&transaction, ADD, "piece-2").await;
    let seen = Line::Transaction(&transaction).rows(checked(ALL, &[])).await.unwrap();
    assert_eq!(words(seen), ["piece-1", "piece-2"]);
    later(&transaction, ADD, "piece-3").await;
    assert!(stage.kept().await.is_empty());
    transaction.commit().await.unwrap();
    assert_eq!(stage.kept().await, ["piece-1", "piece-2", "piece-3"]);
}

#[tokio::test]
async fn what_waits_for_nothing_is_kept_all_the_same() {
    let stage = Stage::new().await;
    let [plain, early] = [stage.begin().await, stage.begin().await];
    later(&plain, ADD, "piece-1").await;
    plain.commit().await.unwrap();
    later(&early, ADD, "piece-2").await;
    let told = early.commit_after(checked(ADD_AND_TELL, &["piece-3"])).await.unwrap();
    assert_eq!(words(told), ["piece-3"]);
    assert_eq!(stage.kept().await, ["piece-1", "piece-2", "piece-3"]);
}

#[tokio::test]
async fn an_error_comes_with_the_next_statement_and_nothing_is_kept() {
    let stage = Stage::new().await;
    let transaction = stage.begin().await;
    now(&transaction, ADD, "piece-1").await.unwrap();
    later(&transaction, FAIL, "x").await;
    assert!(now(&transaction, ADD, "piece-2").await.unwrap_err().to_string().contains("zero"));
    now(&transaction, ADD, "piece-3").await.unwrap_err();
    transaction.commit().await.unwrap_err();
    assert!(stage.kept().await.is_empty());
}

#[tokio::test]
async fn an_error_comes_with_the_end_and_nothing_is_kept() {
    let stage = Stage::new().await;
    for end in ["plain", "early", "last"] {
        let transaction = stage.begin().await;
        now(&transaction, ADD, "piece-1").await.unwrap();
        later(&transaction, FAIL, "x").await;
        let ended = match end {
            "plain" => transaction.commit().await,
            "early" => transaction.commit_early().await,
            _ => transaction.commit_after(checked(ALL, &[])).await.map(drop),
        };
        assert!(ended.unwrap_err().to_string().contains("zero"), "{end}");
        assert!(stage.kept().await.is_empty(), "{end}");
    }
}

#[tokio::test]
async fn a_lookup_by_itself_writes_nothing() {
    let stage = Stage::new().await;
    let line = Line::Engine(&stage.engine);
    let refused = line.rows(checked(ADD_AND_TELL, &["piece-1"])).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{:?}", refused.map(words));
    assert!(stage.kept().await.is_empty());
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    let stage = Stage::new().await;
    let transaction = stage.begin().await;
    let long = "x".repeat(200 << 10);
    let statements = (0..300).map(|_| checked(ECHO, &[long.as_str()])).collect();
    Line::Transaction(&transaction).run_each(statements).await.unwrap();
    let last = Line::Transaction(&transaction).rows(checked(ECHO, &["ab"])).await.unwrap();
    assert_eq!(words(last), ["abab"]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn each_of_many_has_its_own_rows() {
    let stage = Stage::new().await;
    let transaction = stage.begin().await;
    later(&transaction, ADD, "piece-1").await;
    let asked: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let statements = asked.iter().map(|number| checked(ECHO, &[number.as_str()])).collect();
    let found = Line::Transaction(&transaction).rows_each(statements).await.unwrap();
    let found: Vec<_> = found.into_iter().flat_map(words).collect();
    let expected: Vec<_> = asked.iter().map(|number| number.repeat(2)).collect();
    assert_eq!(found, expected);
    transaction.commit().await.unwrap();
    assert_eq!(stage.kept().await, ["piece-1"]);
}

#[tokio::test]
async fn one_text_with_values_of_other_kinds_is_another_statement() {
    let stage = Stage::new().await;
    let sql = "SELECT $1::text AS word";
    for _ in 0..2 {
        for value in [Value::from(7_i64), Value::from("seven"), Value::from(7_i32)] {
            let statement = Checked { bound: Bound::System, sql, values: vec![value.clone()] };
            let answer = words(Line::Engine(&stage.engine).rows(statement).await.unwrap());
            let expected = if value == Value::from("seven") { "seven" } else { "7" };
            assert_eq!(answer, [expected]);
        }
    }
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_breaks_its_transaction_and_no_other() {
    let stage = Stage::new().await;
    let transaction = stage.begin().await;
    now(&transaction, ADD, "piece-1").await.unwrap();
    let statement = Line::Transaction(&transaction).run(checked(SLEEP, &[]));
    tokio::time::timeout(Duration::from_millis(50), statement).await.unwrap_err();
    transaction.commit().await.unwrap_err();
    for _ in 0..40 {
        assert!(stage.kept().await.is_empty());
    }
}
