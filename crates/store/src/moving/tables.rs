//! What is moved of each table: its columns, and the statements that read and write them.
//!
//! A test holds the list equal to the guard's catalog, the columns equal to the migrated schema,
//! and the order right for its foreign keys.

mod people;
mod work;
mod workspace;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Uuid,
    Text,
    Int,
    Bool,
    Bytes,
}

/// A column without the one that says whose a row is, which every section says once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

/// When a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In batches, one after the other.
    Early,
    /// In the transaction that ends the import: caretakers act on its rows wherever they see them.
    Last,
}

/// A table with rows of organizations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub name: &'static str,
    /// The columns in the order of both statements, which have the owner's before them or in their
    /// condition.
    pub columns: &'static [Column],
    /// Which of them, with the owner, tell rows apart and order them. None: there is one row.
    pub key: &'static [&'static str],
    /// Rows of one page. Few where a row can be large: a page is in memory as a whole.
    pub rows: usize,
    pub when: When,
    /// Whether an organization takes it to another instance. What somebody holds to be signed in
    /// to one instance is no good on another.
    pub travels: bool,
    /// `$1` the owner.
    pub count: &'static str,
    /// `$1` the owner, then the key of the last row that was read, then the number of rows.
    pub page: &'static str,
    /// `$1` the owner, then the columns.
    pub insert: &'static str,
}

impl Table {
    /// Where a column is in a row.
    pub fn at(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Every table, in the order that foreign keys allow.
pub(crate) fn all() -> impl Iterator<Item = &'static Table> {
    people::TABLES.iter().chain(workspace::TABLES).chain(work::TABLES)
}

const fn uuid(name: &'static str) -> Column {
    Column { name, kind: Kind::Uuid }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn boolean(name: &'static str) -> Column {
    Column { name, kind: Kind::Bool }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes }
}

/// Rows of a page where rows are small.
const SMALL: usize = 500;
/// Where they can have results, inputs or tracebacks.
const MEDIUM: usize = 50;
/// Where they can have whole files.
const LARGE: usize = 4;
