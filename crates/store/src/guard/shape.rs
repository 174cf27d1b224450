//! Which words, operators and functions a statement may be made of: an allow-list.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, Query, UnaryOperator, Value, ValueWithSpan, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::Refusal;

pub(super) const MAX_BYTES: usize = 65_536;
/// Bounds how deep a chain such as `a + a + …` can nest before it is dropped again.
pub(super) const MAX_TOKENS: usize = 8_192;
pub(super) const MAX_DEPTH: usize = 200;

/// Functions that read nothing but their arguments and behave alike on both engines.
const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "rank",
    "replace",
    "round",
    "row_number",
    "substr",
    "sum",
    "trim",
    "upper",
];

/// The words of `sql`, if there are few enough and none is a comment or a semicolon.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, Refusal> {
    if sql.len() > MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    let tokens =
        Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().map_err(|_| Refusal::Syntax)?;
    let comment = |token: &Token| match token {
        Token::Whitespace(space) => {
            !matches!(space, Whitespace::Space | Whitespace::Newline | Whitespace::Tab)
        }
        _ => false,
    };
    if tokens.iter().any(comment) {
        return Err(Refusal::Comment);
    }
    // `==` is `=` on one engine and nothing on the other.
    if tokens.contains(&Token::SemiColon) || tokens.contains(&Token::DoubleEq) {
        return Err(Refusal::Syntax);
    }
    if tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count() > MAX_TOKENS {
        return Err(Refusal::TooLong);
    }
    Ok(tokens)
}

/// Visits every node of a statement and stops at the first that is not on the allow-list.
#[derive(Default)]
pub(super) struct Shape {
    depth: usize,
}

impl Visitor for Shape {
    type Break = Refusal;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Refusal> {
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Refusal> {
        self.leave()
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refusal> {
        if let Err(refusal) = expression(expr) {
            return ControlFlow::Break(refusal);
        }
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Refusal> {
        self.leave()
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> ControlFlow<Refusal> {
        if identifier(ident) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Refusal::Identifier(ident.value.clone()))
        }
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Refusal> {
        if name.0.len() == 1 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Refusal::Qualified(name.to_string()))
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Refusal> {
        match &value.value {
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => {
                ControlFlow::Continue(())
            }
            Value::Placeholder(text) if placeholder(text).is_some() => ControlFlow::Continue(()),
            Value::Placeholder(text) => ControlFlow::Break(Refusal::Placeholder(text.clone())),
            _ => ControlFlow::Break(Refusal::Shape("this kind of literal")),
        }
    }
}

impl Shape {
    fn enter(&mut self) -> ControlFlow<Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return ControlFlow::Break(Refusal::TooDeep);
        }
        ControlFlow::Continue(())
    }

    fn leave(&mut self) -> ControlFlow<Refusal> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// The number of a placeholder such as `$12`.
pub(super) fn placeholder(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('$')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok().filter(|number| *number <= 65_535) } else { None }
}

/// Both engines must read a name alike: PostgreSQL folds plain names to lower case and SQLite
/// compares all names without case, so a quoted name has to be in lower case already.
fn identifier(ident: &Ident) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let value = ident.value.as_bytes();
    let plain = value.first().is_some_and(|first| !first.is_ascii_digit())
        && value.iter().copied().all(word);
    match ident.quote_style {
        None => plain,
        Some('"') => plain && !value.iter().any(u8::is_ascii_uppercase),
        Some(_) => false,
    }
}

/// Whether `expr` is on the allow-list, with operands that all parsers group alike.
///
/// `AND`, `OR` and `NOT` decide what confines a table, and parsers differ in what they take for
/// the operand of an unusual operator. So a logical operator inside another operator must be in
/// parentheses, and the bounds of `BETWEEN` must be plain.
fn expression(expr: &Expr) -> Result<(), Refusal> {
    let grouped = match expr {
        Expr::Identifier(_) | Expr::Value(_) | Expr::Nested(_) => true,
        Expr::Exists { .. } | Expr::Subquery(_) | Expr::Tuple(_) | Expr::Case { .. } => true,
        Expr::CompoundIdentifier(parts) => parts.len() == 2,
        Expr::Function(function) => return call(function),
        Expr::Cast { kind: CastKind::Cast, format: None, .. } => true,
        Expr::IsNull(e) | Expr::IsNotNull(e) => tight(e),
        Expr::IsTrue(e) | Expr::IsNotTrue(e) | Expr::IsFalse(e) | Expr::IsNotFalse(e) => tight(e),
        Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => tight(a) && tight(b),
        Expr::InList { expr, .. } | Expr::InSubquery { expr, .. } => tight(expr),
        Expr::Between { expr, low, high, .. } => tight(expr) && atom(low) && atom(high),
        Expr::Like { any: false, expr, pattern, escape_char, .. } => {
            tight(expr) && tight(pattern) && escape_char.as_deref().is_none_or(atom)
        }
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => tight(expr),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => !and_or(expr),
        Expr::BinaryOp { left, op, right } => binary(left, op, right),
        _ => false,
    };
    if grouped { Ok(()) } else { Err(Refusal::Shape("this expression")) }
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> bool {
    use BinaryOperator::{
        And, Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Or, Plus, StringConcat,
    };
    let or = |e: &Expr| matches!(e, Expr::BinaryOp { op: Or, .. });
    match op {
        Or => true,
        And => !or(left) && !or(right),
        Eq | NotEq | Lt | LtEq | Gt | GtEq | Plus | Minus | Multiply | Divide | Modulo
        | StringConcat => tight(left) && tight(right),
        _ => false,
    }
}

fn and_or(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
}

fn tight(expr: &Expr) -> bool {
    !and_or(expr) && !matches!(expr, Expr::UnaryOp { op: UnaryOperator::Not, .. })
}

fn atom(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::Function(_)
    )
}

fn call(function: &Function) -> Result<(), Refusal> {
    let name = function.name.to_string().to_lowercase();
    if !FUNCTIONS.contains(&name.as_str()) {
        return Err(Refusal::Function(name));
    }
    let plain = !function.uses_odbc_syntax
        && function.parameters == FunctionArguments::None
        && function.within_group.is_empty()
        && function.null_treatment.is_none();
    let FunctionArguments::List(list) = &function.args else {
        return Err(Refusal::Shape("a function without an argument list"));
    };
    let positional = |arg: &FunctionArg| {
        matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard))
    };
    if plain && list.clauses.is_empty() && list.args.iter().all(positional) {
        Ok(())
    } else {
        Err(Refusal::Shape("this form of function call"))
    }
}
