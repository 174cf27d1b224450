//! The file: a line that says what it is, a section per organization and table, and a line that
//! says what must have come before it.

use super::{
    MoveError,
    tables::{self, Table, When},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io::Write};
use uuid::Uuid;

/// The form of the file that this version writes and reads.
const FORMAT: u32 = 1;
const KIND: &str = "bifrost export";

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Every organization, and Global.
    Instance,
    /// One of them.
    Organization {
        /// Its id, which it keeps.
        id: Uuid,
        /// Its short name when it was exported.
        slug: String,
    },
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    kind: String,
    format: u32,
    /// The program that wrote it.
    pub version: String,
    /// When, in microseconds.
    pub made_at: i64,
    /// What is in it.
    pub content: Content,
    /// The schema it was written from.
    pub migrations: Vec<String>,
    /// What tells the master key that opens its secrets; none if nothing was ever sealed or the
    /// secrets were left out.
    pub master_key: Option<String>,
    /// Whose rows are in it, in this order. Nil is Global.
    pub organizations: Vec<Uuid>,
}

/// What begins a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub table: String,
    pub organization: Uuid,
    pub columns: Vec<String>,
    pub rows: u64,
}

/// What ends a section: the hash over the lines of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    pub section_sha256: String,
}

/// A secret that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Whose.
    pub organization: Uuid,
    /// The name of the configuration value.
    pub key: String,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// Rows of each table, over all organizations.
    pub rows: BTreeMap<String, u64>,
    /// Secrets that have to be set again.
    pub secrets_left_out: Vec<LeftOut>,
    /// Over every byte before this line.
    pub sha256: String,
}

impl Header {
    pub(super) fn new(content: Content, organizations: Vec<Uuid>, made_at: i64) -> Self {
        Self {
            kind: KIND.to_owned(),
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            content,
            migrations: Vec::new(),
            master_key: None,
            organizations,
        }
    }

    /// Whether this version can read what follows.
    pub(super) fn check(&self) -> Result<(), MoveError> {
        match (self.kind.as_str(), self.format) {
            (KIND, FORMAT) => Ok(()),
            (KIND, format) => Err(MoveError::Format(format)),
            _ => Err(MoveError::NotAnExport),
        }
    }

    /// The sections that must follow, in their order.
    pub(super) fn sections(&self) -> impl Iterator<Item = (Uuid, &'static Table)> + '_ {
        let all = matches!(self.content, Content::Instance);
        [When::Early, When::Last].into_iter().flat_map(move |when| {
            self.organizations.iter().flat_map(move |id| {
                let tables = tables::all().filter(move |table| table.when == when);
                tables.filter(move |table| all || table.travels).map(move |table| (*id, table))
            })
        })
    }
}

impl Section {
    pub fn new(table: &Table, organization: Uuid, rows: u64) -> Self {
        let columns = table.columns.iter().map(|column| column.name.to_owned()).collect();
        Self { table: table.name.to_owned(), organization, columns, rows }
    }
}

/// Writes lines and hashes them.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    whole: Sha256,
    section: Sha256,
}

impl<'a> Lines<'a> {
    pub fn to(out: &'a mut dyn Write) -> Self {
        Self { out, whole: Sha256::new(), section: Sha256::new() }
    }

    /// A line that is no row.
    pub fn say<T: Serialize>(&mut self, line: &T) -> Result<(), MoveError> {
        let mut line = serde_json::to_vec(line).map_err(std::io::Error::from)?;
        line.push(b'\n');
        self.whole.update(&line);
        self.out.write_all(&line)?;
        Ok(())
    }

    /// A row.
    pub fn row(&mut self, mut line: Vec<u8>) -> Result<(), MoveError> {
        line.push(b'\n');
        self.whole.update(&line);
        self.section.update(&line);
        self.out.write_all(&line)?;
        Ok(())
    }

    /// The end of a section.
    pub fn end_section(&mut self) -> Result<(), MoveError> {
        let section_sha256 = hex::encode(std::mem::take(&mut self.section).finalize());
        self.say(&Sum { section_sha256 })
    }

    /// The last line; its hash.
    pub fn end(
        mut self,
        rows: BTreeMap<String, u64>,
        secrets_left_out: Vec<LeftOut>,
    ) -> Result<Footer, MoveError> {
        let sha256 = hex::encode(std::mem::take(&mut self.whole).finalize());
        let footer = Footer { rows, secrets_left_out, sha256 };
        self.say(&footer)?;
        self.out.flush()?;
        Ok(footer)
    }
}
