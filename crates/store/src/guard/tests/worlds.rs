//! Made-up queries against a real engine, in two worlds: one where another organization is busy
//! and one where it has nothing. Whatever the guard lets through must answer alike in both.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, Value};
use uuid::Uuid;

use super::super::Guard;
use super::{FOREIGN, Mode, OWN};

const TABLES: [&str; 3] = ["users", "executions", "workflows"];

/// Makes a query out of a list of choices; an exhausted list chooses the first of everything.
struct Maker<'a> {
    choices: std::slice::Iter<'a, u8>,
    names: usize,
}

impl Maker<'_> {
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::from(*self.choices.next().unwrap_or(&0)) % from.len()]
    }

    fn query(&mut self, depth: usize) -> String {
        let mut aliases = Vec::new();
        let first = self.source(&mut aliases, depth);
        let mut from = first;
        for _ in 0..self.pick(&["", "x", "", "xx"]).len() {
            let kind = self.pick(&["JOIN", "LEFT JOIN", ",", "CROSS JOIN"]);
            let source = self.source(&mut aliases, depth);
            let on = if ["JOIN", "LEFT JOIN"].contains(&kind) {
                format!(" ON {}", self.condition(&aliases, depth))
            } else {
                String::new()
            };
            from = format!("{from} {kind} {source}{on}");
        }
        let condition = self.condition(&aliases, depth);
        let alias = &aliases[aliases.len() - 1];
        let what = match self.pick(&["mark", "count", "max", "sub"]) {
            "count" => "CAST(count(*) AS TEXT)".to_owned(),
            "max" => format!("max({alias}.mark)"),
            "sub" if depth > 0 => format!("({} LIMIT 1)", self.query(depth - 1)),
            _ => format!("{alias}.mark"),
        };
        let query = format!("SELECT {what} AS mark FROM {from} WHERE {condition}");
        match self.pick(&["", "", "", " UNION ALL ", " EXCEPT "]) {
            "" => query,
            _ if depth == 0 => query,
            set => format!("{query}{set}{}", self.query(depth - 1)),
        }
    }

    fn source(&mut self, aliases: &mut Vec<String>, depth: usize) -> String {
        self.names += 1;
        let alias = format!("t{}", self.names);
        let table = self.pick(&TABLES);
        let derived = depth > 0 && self.pick(&["", "", "", "d"]) == "d";
        let inner = if derived { format!("({})", self.query(depth - 1)) } else { table.to_owned() };
        aliases.push(alias.clone());
        format!("{inner} AS {alias}")
    }

    /// Mostly one good conjunct for each table, with others around them.
    fn condition(&mut self, aliases: &[String], depth: usize) -> String {
        let mut all = String::new();
        for alias in aliases {
            let atom = self.atom(alias, aliases, depth);
            if all.is_empty() {
                all = atom;
                continue;
            }
            let glue = self.pick(&["AND", "AND", "AND", "AND", "OR"]);
            all = format!("{all} {glue} {atom}");
        }
        match self.pick(&["", "", "", "", "", "and", "or", "not", "paren"]) {
            "and" => format!("{all} AND {}", self.atom(&aliases[0], aliases, depth)),
            "or" => format!("{all} OR {}", self.atom(&aliases[0], aliases, depth)),
            "not" => format!("NOT {all}"),
            "paren" => format!("({all})"),
            _ => all,
        }
    }

    fn atom(&mut self, alias: &str, aliases: &[String], depth: usize) -> String {
        let names: Vec<&str> = aliases.iter().map(String::as_str).collect();
        let other = self.pick(&names);
        let own = format!("{alias}.organization_id = $1");
        match self.pick(&["", "", "", "", "", "in", "same", "odd", "sub", "swap", "bare"]) {
            "in" => format!("{alias}.organization_id IN ($1, $2)"),
            "same" => format!("{alias}.organization_id = {other}.organization_id"),
            "swap" => format!("$1 = {other}.organization_id"),
            "bare" => "organization_id = $1".to_owned(),
            "sub" if depth > 0 => {
                let how = self.pick(&["EXISTS", "NOT EXISTS"]);
                format!("{own} AND {how} ({})", self.query(depth - 1))
            }
            "odd" => {
                let odd = self.pick(&[
                    "@ IS NULL",
                    "@ IS NOT DISTINCT FROM $1",
                    "@ IS DISTINCT FROM $3",
                    "@ = $3",
                    "@ <> $1",
                    "@ >= $2",
                    "@ BETWEEN $1 AND $3",
                    "@ IN ($1, $3)",
                    "1 = 1",
                    "(@ = $1) = (1 = 1)",
                    "@ = coalesce($1, @)",
                    "@ BETWEEN $2 AND @ = $1",
                    "CASE WHEN @ = $1 THEN 1 ELSE 1 END",
                    "@ = $1 IS NOT NULL",
                    "@ = @",
                    "(@, 1) = ($1, 1)",
                    "@ NOT IN ($1, $2)",
                    "@ IN ($2)",
                    "@ = $2",
                ]);
                odd.replace('@', &format!("{alias}.organization_id"))
            }
            _ => own,
        }
    }
}

async fn world(organizations: &[Uuid]) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let db = Database::connect(options).await.expect("a database in memory");
    for table in TABLES {
        let create = format!("CREATE TABLE {table} (organization_id BLOB NOT NULL, mark TEXT)");
        db.execute_unprepared(&create).await.expect("create");
        for organization in organizations {
            for row in 0..2 {
                let mark = format!("{table} {organization} {row}");
                let insert = format!("INSERT INTO {table} VALUES ($1, $2)");
                let values: [Value; 2] = [(*organization).into(), mark.into()];
                let insert = Statement::from_sql_and_values(DbBackend::Sqlite, insert, values);
                db.execute_raw(insert).await.expect("insert");
            }
        }
    }
    db
}

/// The marks a query gives, sorted, or nothing when the engine refuses it.
async fn answer(
    db: &DatabaseConnection,
    sql: &str,
    values: &[Value],
) -> Option<Vec<Option<String>>> {
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values.to_vec());
    let rows = db.query_all_raw(statement).await.ok()?;
    let marks = rows.iter().map(|row| row.try_get_by_index(0).expect("a mark"));
    let mut marks: Vec<_> = marks.collect();
    marks.sort();
    Some(marks)
}

#[test]
fn what_passes_answers_alike_in_both_worlds() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let (busy, empty) = runtime.block_on(async {
        (world(&[OWN, Uuid::nil(), FOREIGN]).await, world(&[OWN, Uuid::nil()]).await)
    });
    let values: [Value; 3] = [OWN.into(), Uuid::nil().into(), FOREIGN.into()];
    let (passed, answered, leaks) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let choices = prop::collection::vec(any::<u8>(), 0..60);
    let result = runner.run(&choices, |choices| {
        let sql = Maker { choices: choices.iter(), names: 0 }.query(2);
        let allowed = Guard::default().check(&sql, &values, OWN, Mode::Tenant).is_ok();
        let (one, two) = runtime.block_on(async {
            (answer(&busy, &sql, &values).await, answer(&empty, &sql, &values).await)
        });
        if allowed {
            passed.fetch_add(1, Ordering::Relaxed);
            answered.fetch_add(usize::from(one.is_some()), Ordering::Relaxed);
            prop_assert_eq!(one, two, "{}", sql);
        } else {
            leaks.fetch_add(usize::from(one != two), Ordering::Relaxed);
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let counts = [passed, answered, leaks].map(AtomicUsize::into_inner);
    // Many must pass, and many of those refused must really leak, or this shows nothing.
    assert!(counts.iter().all(|count| *count > cases as usize / 20), "{counts:?} of {cases}");
}
