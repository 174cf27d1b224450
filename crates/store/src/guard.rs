//! The statement guard: no SQL reaches the database unless every tenant table it names is
//! provably confined to one organization.
//!
//! The second wall of `tenancy.md`. Nothing here does I/O. [`inspect`] parses one statement and
//! says which placeholders must hold the organization for the statement to be confined, or
//! refuses; [`Guard`] remembers that by text and compares the values at every execution. It
//! fails closed: syntax that is not on an allow-list is refused, however harmless it may be.
//!
//! - `shape`: which words, operators and functions a statement may be made of
//! - `prove`: walks the queries, counts the tables seen and the tables proven
//! - `scope`: the tables of one `FROM`, and what the conditions say about them
//! - `write`: `INSERT`, `UPDATE`, `DELETE`
//! - `plain`: clauses that must be absent
//! - `cache`: verdicts by text, values at execution, counters

mod cache;
mod catalog;
mod plain;
mod prove;
mod refusal;
mod scope;
mod shape;
mod write;

#[cfg(test)]
mod tests;

pub use cache::Guard;
pub use catalog::{CATALOG, Catalog, Kind, Table};
pub use refusal::Refusal;

use sqlparser::{ast::Visit, dialect::PostgreSqlDialect, parser::Parser, tokenizer::Token};

/// On whose behalf a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For one organization: every tenant table must be confined to it.
    Tenant,
    /// For a caretaker (claiming, sign-in by slug): no organization is demanded, but only the
    /// tables that the catalog opens to caretakers can be named, and tenant rows can't be added.
    System,
}

/// What must hold of the bound values for an inspected statement to be confined.
///
/// Both lists are placeholder numbers, counted from 1, sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    organization: Vec<usize>,
    readable: Vec<usize>,
}

impl Proof {
    /// Placeholders that must hold the organization.
    pub fn organization(&self) -> &[usize] {
        &self.organization
    }

    /// Placeholders that must hold the organization or the nil UUID (rows of Global, reads only).
    pub fn readable(&self) -> &[usize] {
        &self.readable
    }
}

/// Proves that `sql` is confined to one organization, or refuses it.
///
/// # Errors
///
/// A [`Refusal`] that names the first thing found wrong.
pub fn inspect(sql: &str, catalog: &Catalog, mode: Mode) -> Result<Proof, Refusal> {
    let tokens = shape::tokens(sql)?;
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens(tokens);
    let statement = parser.parse_statement().map_err(|_| Refusal::Syntax)?;
    if parser.peek_token().token != Token::EOF {
        return Err(Refusal::Syntax);
    }
    if let std::ops::ControlFlow::Break(refusal) = statement.visit(&mut shape::Shape::default()) {
        return Err(refusal);
    }
    prove::statement(&statement, catalog, mode)
}
