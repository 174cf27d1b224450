//! Why a statement was refused.

use thiserror::Error;

/// Why a statement was refused. Names come from the statement's text, never from bound values.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Longer or made of more words than the guard reads.
    #[error("statement too long")]
    TooLong,
    /// Nested deeper than the guard follows.
    #[error("statement nested too deeply")]
    TooDeep,
    /// Not exactly one statement that the parser understands.
    #[error("not exactly one statement that can be parsed")]
    Syntax,
    /// A `--` or `/* */` comment.
    #[error("comments are not allowed")]
    Comment,
    /// Syntax that is not on the allow-list.
    #[error("{0} is not among the shapes that can be proven")]
    Shape(&'static str),
    /// A function that is not on the allow-list.
    #[error("function `{0}` is not allowed")]
    Function(String),
    /// An identifier quoted or spelled in a way on which the engines could differ.
    #[error("identifier `{0}` must be plain, or lower case in double quotes")]
    Identifier(String),
    /// A placeholder that is not `$1`, `$2`, …
    #[error("placeholder `{0}` must be a number such as `$1`")]
    Placeholder(String),
    /// A table name with a schema.
    #[error("table name `{0}` must not be qualified")]
    Qualified(String),
    /// A table that is not in the catalog.
    #[error("table `{0}` is not in the catalog")]
    UnknownTable(String),
    /// An alias or common table expression with a misleading name.
    #[error("name `{0}` is ambiguous or shadows a table")]
    Alias(String),
    /// A table that the mode may not use in this way.
    #[error("table `{0}` is not open to this caller in this way")]
    Closed(&'static str),
    /// A table without a condition that confines it to one organization.
    #[error("table `{0}` is not confined to one organization")]
    Unproven(&'static str),
    /// A statement that changes rows of a table whose rows never change.
    #[error("rows of `{0}` are never changed")]
    AppendOnly(&'static str),
    /// A statement that changes the organization of a row.
    #[error("the organization of a row of `{0}` can't be changed")]
    Immutable(&'static str),
    /// An `INSERT` that does not give the organization as a placeholder in each row.
    #[error("each row inserted into `{0}` must give its organization as a placeholder")]
    Insert(&'static str),
    /// An upsert whose conflict target does not start with the organization.
    #[error("the conflict target on `{0}` must start with the organization")]
    Conflict(&'static str),
    /// A table name that no proof covers.
    #[error("{seen} table names seen but {proven} accounted for")]
    Incomplete {
        /// Table names anywhere in the statement.
        seen: usize,
        /// Table names that a proof looked at.
        proven: usize,
    },
    /// More distinct statements than a program with static SQL has.
    #[error("too many distinct statements")]
    TooMany,
    /// A placeholder of the proof has no value.
    #[error("placeholder `${0}` has no value")]
    Missing(usize),
    /// A placeholder of the proof holds something else than the caller's organization.
    #[error("placeholder `${0}` does not hold the caller's organization")]
    Value(usize),
}
