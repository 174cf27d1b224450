//! The queue's statements find what they need by an index, however many rows there are: no table is
//! read as a whole, and nothing long is sorted. A million rows with `BIFROST_FULL`.

use super::statements::constants;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use testkit::{
    World,
    database::{Engine, engine},
    world::database_url,
};

/// Statements that run all the time, by file and name.
const HOT: [&str; 21] = [
    "cancel.rs CANCEL_WAITING",
    "enqueue.rs BY_KEY",
    "queue/deal.rs ANY",
    "queue/deal.rs CHARGE",
    "queue/deal.rs FIRST",
    "queue/deal.rs LANES",
    "queue/deal.rs LEVEL",
    "queue/deal.rs TAKE_ONE",
    "queue/deal.rs TAKE_SOME",
    "queue/deal.rs WAIT_FOR_LANE",
    "queue/finish.rs END",
    "queue/finish.rs LEAVE",
    "queue/finish.rs TRY_LATER",
    "queue/lanes.rs CHANGE",
    "queue/lanes.rs ENTER",
    "queue/lease.rs BEAT",
    "queue/promote.rs ANY_DUE",
    "queue/promote.rs PROMOTE",
    "queue/rescue.rs ANY_EXPIRED",
    "queue/rescue.rs EXPIRED",
    "queue/start.rs START",
];

/// One organization has half of the rows, of all others some are delayed and some run.
const FILL_SQLITE: [&str; 3] = [
    "PRAGMA foreign_keys = OFF",
    "INSERT INTO queue_lanes (organization_id, virtual_time, weight, max_concurrent, waiting,
        delayed, running, usual_cost, joined)
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
     SELECT unhex(printf('%032x', n)), n * 7919 % 1000, 1, 10, n % 3, 0, 0, 1, TRUE FROM n",
    "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt, max_attempts,
        cancel_requested, worker, lease_until, priority, delayed)
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ROWS)
     SELECT unhex(printf('%032x', CASE WHEN n % 2 = 0 THEN 1 ELSE n % 1000 END)),
        unhex(printf('%032x', n)), n, 0, 3, FALSE,
        CASE WHEN n % 1000 = 7 THEN unhex(printf('%032x', n % 10)) END,
        CASE WHEN n % 1000 = 7 THEN n END, n % 3, n % 100 = 9 FROM n",
];
const FILL_POSTGRES: [&str; 4] = [
    "SET session_replication_role = replica",
    "INSERT INTO queue_lanes (organization_id, virtual_time, weight, max_concurrent, waiting,
        delayed, running, usual_cost, joined)
     SELECT lpad(to_hex(n), 32, '0')::uuid, n * 7919 % 1000, 1, 10, n % 3, 0, 0, 1, TRUE
     FROM generate_series(1, 1000) AS n",
    "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt, max_attempts,
        cancel_requested, worker, lease_until, priority, delayed)
     SELECT lpad(to_hex(CASE WHEN n % 2 = 0 THEN 1 ELSE n % 1000 END), 32, '0')::uuid,
        lpad(to_hex(n), 32, '0')::uuid, n, 0, 3, FALSE,
        CASE WHEN n % 1000 = 7 THEN lpad(to_hex(n % 10), 32, '0')::uuid END,
        CASE WHEN n % 1000 = 7 THEN n END, n % 3, n % 100 = 9 FROM generate_series(1, ROWS) AS n",
    "VACUUM ANALYZE",
];

async fn filled(world: &World) -> DatabaseConnection {
    let rows = if std::env::var_os("BIFROST_FULL").is_some() { "1000000" } else { "40000" };
    let mut options = sea_orm::ConnectOptions::new(database_url(&world.directory));
    options.max_connections(1).sqlx_logging(false);
    let raw = Database::connect(options).await.unwrap();
    let fill: &[&str] = match engine() {
        Engine::Sqlite => &FILL_SQLITE,
        Engine::Postgres => &FILL_POSTGRES,
    };
    for sql in fill {
        raw.execute_unprepared(&sql.replace("ROWS", rows)).await.unwrap();
    }
    raw
}

/// The statement with values in it: ids where the first one is an organization, else numbers.
fn with_values(place: &str, sql: &str) -> String {
    let id = match engine() {
        Engine::Sqlite => "X'00000000000000000000000000000001'",
        Engine::Postgres => "'00000000-0000-0000-0000-000000000001'::uuid",
    };
    let of_organization = sql.contains("organization_id = $1") || place == "queue/lease.rs BEAT";
    let ids: &[usize] = match place {
        "queue/deal.rs TAKE_ONE" => &[1, 2, 6],
        "queue/deal.rs TAKE_SOME" => {
            &[1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]
        }
        "queue/finish.rs LEAVE" | "queue/finish.rs TRY_LATER" => &[1, 2, 3],
        "cancel.rs CANCEL_WAITING" | "queue/finish.rs END" => &[1, 2],
        "queue/start.rs START" => &[1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
        _ if of_organization => &[1],
        _ => &[],
    };
    let words = ["queue/finish.rs END", "enqueue.rs BY_KEY"].contains(&place);
    let mut text = sql.to_owned();
    for number in (1..=22).rev() {
        let value = match (ids.contains(&number), words && number < 7) {
            (true, _) => id,
            (false, true) => "'x'",
            (false, false) => "5",
        };
        text = text.replace(&format!("${number}"), value);
    }
    match engine() {
        Engine::Postgres => text,
        Engine::Sqlite => text.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", ""),
    }
}

async fn plan(raw: &DatabaseConnection, sql: &str) -> Vec<String> {
    let (explain, column) = match engine() {
        Engine::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        Engine::Postgres => ("EXPLAIN", "QUERY PLAN"),
    };
    let statement = Statement::from_string(raw.get_database_backend(), format!("{explain} {sql}"));
    let rows = raw.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get::<String>("", column).unwrap()).collect()
}

/// What a line of a plan does that it should not. Tables with a handful of rows may be read.
fn fault(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '-', '>']);
    let small = ["organizations", "users", "executions"].iter().any(|table| {
        line.starts_with(&format!("Seq Scan on {table}"))
            || line.starts_with(&format!("SCAN {table}"))
    });
    let read = line.starts_with("SCAN") && !line.contains("INDEX") && line != "SCAN CONSTANT ROW";
    let whole = line.starts_with("Seq Scan") || read;
    let sorts = line.starts_with("Sort  ") || line.starts_with("USE TEMP B-TREE FOR ORDER BY");
    (whole && !small) || sorts
}

#[tokio::test]
async fn no_statement_of_the_queue_reads_a_table_as_a_whole() {
    let world = World::new().await;
    let raw = filled(&world).await;
    let all = constants();
    let mut wrong = Vec::new();
    for place in HOT {
        let constant = all.iter().find(|it| it.place == place);
        let sql = &constant.unwrap_or_else(|| panic!("there is no `{place}`")).sql;
        let lines = plan(&raw, &with_values(place, sql)).await;
        println!("{place}\n  {}", lines.join("\n  "));
        wrong.extend(lines.into_iter().filter(|line| fault(line)).map(|it| (place, it)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_next_are_found_in_the_order_of_their_index() {
    let world = World::new().await;
    let raw = filled(&world).await;
    let all = constants();
    for (place, index) in [
        ("queue/deal.rs LANES", "queue_lanes_eligible"),
        ("queue/deal.rs LEVEL", "queue_lanes_eligible"),
        ("queue/deal.rs LEVEL", "queue_lanes_virtual_time"),
        ("queue/deal.rs TAKE_ONE", "job_queue_waiting"),
        ("queue/deal.rs FIRST", "job_queue_waiting"),
        ("queue/promote.rs PROMOTE", "job_queue_delayed"),
    ] {
        let sql = &all.iter().find(|it| it.place == place).unwrap().sql;
        let lines = plan(&raw, &with_values(place, sql)).await.join("\n");
        assert!(lines.contains(index), "{place} does not use {index}:\n{lines}");
    }
}
