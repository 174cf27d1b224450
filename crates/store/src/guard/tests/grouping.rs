//! Trees that a parser with other precedences would build: refused although today's does not.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Visit};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::super::shape::Shape;
use super::Refusal;

fn expr(text: &str) -> Box<Expr> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).expect(text);
    Box::new(parser.parse_expr().expect(text))
}

fn binary(left: &str, op: BinaryOperator, right: &str) -> Expr {
    Expr::BinaryOp { left: expr(left), op, right: expr(right) }
}

fn accepted(expr: &Expr) -> bool {
    match expr.visit(&mut Shape::default()) {
        ControlFlow::Continue(()) => true,
        ControlFlow::Break(refusal) => {
            assert_eq!(refusal, Refusal::Shape("this expression"));
            false
        }
    }
}

#[test]
fn logic_inside_other_operators_needs_parentheses() {
    use BinaryOperator::{And, Eq, Plus};
    for logic in ["b OR 1 = 1", "b AND c", "NOT b"] {
        let paren = format!("({logic})");
        let trees = |logic: &str| {
            [
                Expr::IsDistinctFrom(expr("a"), expr(logic)),
                Expr::IsNotDistinctFrom(expr(logic), expr("a")),
                Expr::IsNull(expr(logic)),
                Expr::IsTrue(expr(logic)),
                Expr::InList { expr: expr(logic), list: vec![*expr("1")], negated: false },
                Expr::UnaryOp { op: UnaryOperator::Minus, expr: expr(logic) },
                binary("a", Eq, logic),
                binary(logic, Plus, "a"),
                like(logic, "a", "'!'"),
                like("a", logic, "'!'"),
                like("a", "b", logic),
                between("a", logic, "2"),
                between("a", "1", logic),
                between(logic, "1", "2"),
            ]
        };
        for (bare, wrapped) in trees(logic).iter().zip(&trees(&paren)) {
            assert!(!accepted(bare), "{bare}");
            assert!(accepted(wrapped), "{wrapped}");
        }
    }
    assert!(!accepted(&binary("a", And, "b OR c")));
    assert!(accepted(&binary("a", And, "(b OR c)")));
    assert!(!accepted(&Expr::UnaryOp { op: UnaryOperator::Not, expr: expr("a AND b") }));
    assert!(!accepted(&between("a", "b BETWEEN 1 AND 2", "3")));
}

fn like(of: &str, pattern: &str, escape: &str) -> Expr {
    let escape_char = Some(expr(escape));
    Expr::Like { negated: false, any: false, expr: expr(of), pattern: expr(pattern), escape_char }
}

fn between(of: &str, low: &str, high: &str) -> Expr {
    Expr::Between { expr: expr(of), negated: false, low: expr(low), high: expr(high) }
}
