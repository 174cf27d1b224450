//! Every condition of every good statement, broken in every way: each mutant must be refused,
//! at inspection or at execution with the values of the original.

use std::ops::ControlFlow;

use sea_orm::Value;
use sqlparser::ast::{BinaryOperator, Expr, VisitMut, VisitorMut};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};

use super::super::Guard;
use super::good::GOOD;
use super::{Mode, OWN, Proof, satisfying, tenant};

/// Ways to break the condition `{}`.
const WAYS: &[&str] = &[
    "1 = 1",
    "NOT {}",
    "NOT ({})",
    "({} OR 1 = 1)",
    "(1 = 1 OR {})",
    "({} OR id = $2)",
    "{} IS NOT NULL",
    "({}) = true",
    "CASE WHEN {} THEN 1 = 1 ELSE 1 = 1 END",
    "coalesce({}, true)",
    "({} AND 1 = 1 OR 1 = 1)",
    "{} IS NOT FALSE",
    "{} IS DISTINCT FROM false",
    "1 = 1 OR {}",
];

/// Ways to break the whole statement `{}`.
const WHOLE: &[&str] = &[
    "{} -- x",
    "{} /* x */",
    "{};",
    "{}; DELETE FROM users",
    "{} UNION ALL SELECT * FROM users",
    "EXPLAIN {}",
    "WITH x AS (SELECT * FROM users) {}",
];

/// Finds the `at`-th condition on an organization and replaces it.
struct Breaker<'a> {
    at: usize,
    seen: usize,
    change: &'a dyn Fn(&Expr) -> Option<String>,
}

impl VisitorMut for Breaker<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if !condition(expr) {
            return ControlFlow::Continue(());
        }
        self.seen += 1;
        if self.seen - 1 == self.at
            && let Some(text) = (self.change)(expr)
        {
            *expr = parse(&text).expect("mutant");
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn parse(text: &str) -> Result<Expr, ParserError> {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text)?.parse_expr()
}

fn key(expr: &Expr) -> bool {
    let text = expr.to_string().to_lowercase().replace('"', "");
    text.ends_with("organization_id") || ["id", "o.id"].contains(&text.as_str())
}

fn condition(expr: &Expr) -> bool {
    let organization = |e: &Expr| e.to_string() == "$1";
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let named = expr.to_string().to_lowercase().contains("organization_id");
            (named && (key(left) || key(right))) || (key(left) && organization(right))
        }
        Expr::InList { expr, list, .. } => key(expr) && list.len() == 2,
        _ => false,
    }
}

/// Ways to break a condition that look at its text.
fn rewritten(text: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for (from, to) in [
        (" = ", " <> "),
        (" = ", " >= "),
        (" = ", " LIKE "),
        (" = ", " IS NOT DISTINCT FROM "),
        (" IN ", " NOT IN "),
        ("$1", "$29"),
        ("$1", "$30"),
        ("$1", "$31"),
        ("$1", "CAST($1 AS uuid)"),
        ("$1", "coalesce($1, $1)"),
        ("$1", "(SELECT $1)"),
        ("$1", "'0190'"),
        ("$2)", "$30)"),
        ("$2)", "$2, $3)"),
        ("organization_id", "zz.organization_id"),
        ("organization_id", "coalesce(organization_id, $1)"),
        ("organization_id", "name"),
        ("organization_id = $", "(organization_id, 1) = ($"),
    ] {
        if text.contains(from) {
            let qualified = text.contains(".organization_id") && to.contains("organization_id");
            texts.extend((!qualified).then(|| text.replacen(from, to, 1)));
        }
    }
    for alias in ["e.", "u.", "f.", "w.", "l.", "o."] {
        if text.contains(alias) {
            texts.push(text.replace(alias, "zz."));
        }
    }
    texts.extend(WAYS.iter().map(|way| way.replace("{}", text)));
    // A rewriting may not be one whole expression, which would prove nothing.
    texts.retain(|text| parse(text).is_ok_and(|expr| expr.to_string().len() >= text.len()));
    texts
}

fn broken_conditions(sql: &str) -> Vec<String> {
    let parse = || Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0);
    let mut mutants = Vec::new();
    for at in 0.. {
        let found = std::cell::RefCell::new(None);
        let note = |expr: &Expr| {
            *found.borrow_mut() = Some(expr.to_string());
            None
        };
        let _ = parse().visit(&mut Breaker { at, seen: 0, change: &note });
        let Some(text) = found.into_inner() else { break };
        for changed in rewritten(&text) {
            let mut statement = parse();
            let change = |_: &Expr| Some(changed.clone());
            let _ = statement.visit(&mut Breaker { at, seen: 0, change: &change });
            mutants.push(statement.to_string());
        }
    }
    mutants
}

/// Breaks an `INSERT`, which gives its organization rather than asking for it.
fn broken_inserts(sql: &str) -> Vec<String> {
    if !sql.contains("INSERT") {
        return Vec::new();
    }
    let mut mutants = Vec::new();
    for (from, to) in [
        ("organization_id,", "tenant_id,"),
        ("(organization_id, ", "("),
        ("organization_id", "\"Organization_Id\""),
        ("VALUES ($1,", "VALUES ($30,"),
        ("VALUES ($1,", "VALUES (NULL,"),
        ("VALUES ($1,", "VALUES (lower($1),"),
        ("VALUES ($2, $1,", "VALUES ($1, $2,"),
        ("VALUES ($1, $2", "VALUES ($2, $1"),
        ("), ($1,", "), ($30,"),
        ("), ($1,", "), (DEFAULT,"),
        ("SELECT $1,", "SELECT $30,"),
        ("SELECT $1,", "SELECT 1, $1,"),
        ("SELECT $1,", "SELECT NULL,"),
        ("UNION ALL SELECT $1", "UNION ALL SELECT $4"),
        ("SELECT e.id, e.organization_id", "SELECT e.organization_id, e.id"),
        ("SELECT e.id, e.organization_id, 0", "SELECT *"),
        ("ON CONFLICT (organization_id, ", "ON CONFLICT ("),
        ("ON CONFLICT (organization_id, path)", "ON CONFLICT (path, organization_id)"),
        ("DO UPDATE SET", "DO UPDATE SET organization_id = excluded.organization_id,"),
        ("INSERT INTO", "INSERT OR REPLACE INTO"),
    ] {
        if sql.contains(from) {
            mutants.push(sql.replacen(from, to, 1));
        }
    }
    mutants
}

/// The organization's placeholder changes places with each other one, but for Global's: then the
/// same rows of the same two are read in another order.
fn swapped(sql: &str, proof: &Proof) -> Vec<String> {
    let number = |n: usize| format!("${n}");
    let last = (2..30).take_while(|n| sql.contains(&number(*n))).last().unwrap_or(1);
    // From the highest on, so that `$1` is not found in `$12`.
    let others = (2..=last).filter(|n| !proof.readable().contains(n));
    others
        .map(|other| {
            let mut text = sql.to_owned();
            for n in (1..=last).rev() {
                text = text.replace(&number(n), &format!("@{n};"));
            }
            for n in 1..=last {
                let to = if n == other {
                    1
                } else if n == 1 {
                    other
                } else {
                    n
                };
                text = text.replace(&format!("@{n};"), &number(to));
            }
            text
        })
        .collect()
}

/// Mutants of `sql` that the guard lets through, and how many there were.
fn survivors(sql: &str, guard: &Guard) -> (usize, Vec<String>) {
    let proof = tenant(sql).expect(sql);
    let values: Vec<Value> = satisfying(&proof);
    let mut mutants = broken_conditions(sql);
    assert!(sql.len() < 20 || sql.contains("INSERT") || !mutants.is_empty(), "{sql}");
    mutants.extend(broken_inserts(sql));
    mutants.extend(swapped(sql, &proof));
    mutants.extend(WHOLE.iter().map(|way| way.replace("{}", sql)));
    let count = mutants.len();
    mutants.retain(|mutant| guard.check(mutant, &values, OWN, Mode::Tenant).is_ok());
    (count, mutants)
}

fn assert_none_survives(statements: &[String], least: usize) {
    let guard = Guard::default();
    let (mut count, mut all) = (0, Vec::new());
    for sql in statements {
        let (mutants, surviving) = survivors(sql, &guard);
        count += mutants;
        all.extend(surviving);
    }
    assert!(all.is_empty(), "{} of {count} survive:\n{}", all.len(), all.join("\n"));
    println!("{count} mutants of {} statements", statements.len());
    assert!(count > least, "only {count} mutants");
}

#[test]
fn every_mutant_is_refused() {
    let good: Vec<_> = GOOD.iter().map(|sql| (*sql).to_owned()).collect();
    assert_none_survives(&good, 1_500);
}

#[test]
fn every_mutant_of_every_statement_of_the_product_is_refused() {
    assert_none_survives(&crate::tests::sql_audit::tenant_statements(), 1_500);
}
