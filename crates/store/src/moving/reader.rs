//! Reading the file: line by line, never more in memory than one of them.

use super::{
    MoveError, Progress, Tell,
    cells::{self, Cell, Row},
    format::{Content, Footer, Header, Section, Sum},
    tables::Table,
};
use domain::Scope;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
};

/// A line is at most so long: a file of 10 MiB in base64 and more. What is longer is no export.
const LONGEST: u64 = 256 << 20;

/// How often progress is told, in rows.
const STEP: u64 = 2_000;

/// What a file was found to hold, from its first byte to its last.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The first line.
    pub header: Header,
    /// The last one.
    pub footer: Footer,
    /// Where the first section begins.
    pub(super) begins: u64,
    /// Where the last line begins.
    pub(super) ends: u64,
    /// The status of the one organization that is in it.
    pub(super) status: Option<String>,
    /// A table with a text that PostgreSQL cannot keep.
    pub(super) nul: Option<&'static str>,
}

/// Reads lines from some place on.
pub(super) struct Lines<'a> {
    input: BufReader<&'a mut File>,
    /// Where the next line begins.
    pub at: u64,
    whole: Sha256,
}

/// A section whose rows are being read.
pub(super) struct Open {
    pub table: &'static Table,
    pub owner: Scope,
    /// Rows that are still to come.
    pub left: u64,
    section: Sha256,
}

/// The beginning of a section, if it is one.
pub(super) struct Begins(Option<Section>);

impl Begins {
    /// Whether it is this section's.
    pub fn begins(&self, owner: Scope, table: &Table) -> bool {
        let name = |section: &Section| (section.table == table.name, section.organization);
        self.0.as_ref().map(name) == Some((true, owner.column()))
    }
}

impl<'a> Lines<'a> {
    pub fn from(file: &'a mut File, at: u64) -> Result<Self, MoveError> {
        file.seek(SeekFrom::Start(at))?;
        Ok(Self { input: BufReader::with_capacity(1 << 16, file), at, whole: Sha256::new() })
    }

    /// Goes on reading elsewhere.
    pub fn jump(&mut self, at: u64) -> Result<(), MoveError> {
        self.input.seek(SeekFrom::Start(at))?;
        self.at = at;
        Ok(())
    }

    /// What begins here, without going on.
    pub fn peek(&mut self) -> Result<Begins, MoveError> {
        let at = self.at;
        let line = self.next()?;
        self.jump(at)?;
        Ok(Begins(line.as_deref().and_then(exactly)))
    }

    /// A line with its end; nothing at the end of the file.
    fn next(&mut self) -> Result<Option<Vec<u8>>, MoveError> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut line)?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => {
                self.at += read as u64;
                Ok(Some(line))
            }
            Some(_) => Err(MoveError::Truncated),
        }
    }

    /// A line that must be there, counted into the hash over everything.
    fn must(&mut self) -> Result<Vec<u8>, MoveError> {
        let line = self.next()?.ok_or(MoveError::Truncated)?;
        self.whole.update(&line);
        Ok(line)
    }

    /// A line that says something: exactly as it is written.
    fn said<T: DeserializeOwned + Serialize>(&mut self) -> Result<T, MoveError> {
        let (at, line) = (self.at, self.must()?);
        exactly(&line).ok_or(MoveError::Damaged(at))
    }

    pub fn header(&mut self) -> Result<Header, MoveError> {
        let line = self.next()?.ok_or(MoveError::NotAnExport)?;
        self.whole.update(&line);
        let header: Header = exactly(&line).ok_or(MoveError::NotAnExport)?;
        header.check()?;
        Ok(header)
    }

    /// The section that must come here.
    pub fn open(&mut self, owner: Scope, table: &'static Table) -> Result<Open, MoveError> {
        let at = self.at;
        let section: Section = self.said()?;
        let expected = Section::new(table, owner.column(), section.rows);
        if section != expected {
            return Err(MoveError::Damaged(at));
        }
        Ok(Open { table, owner, left: section.rows, section: Sha256::new() })
    }

    /// The next row of a section.
    pub fn row(&mut self, open: &mut Open) -> Result<Option<Row>, MoveError> {
        if open.left == 0 {
            return Ok(None);
        }
        let (at, line) = (self.at, self.must()?);
        open.section.update(&line);
        open.left -= 1;
        let row = cells::parse(open.table, &line[..line.len() - 1]);
        row.map(Some).ok_or(MoveError::Damaged(at))
    }

    /// The end of a section. Its hash can only be looked at if it was read from its start.
    pub fn close(&mut self, open: Open, whole: bool) -> Result<(), MoveError> {
        let at = self.at;
        let sum: Sum = self.said()?;
        let found = hex::encode(open.section.finalize());
        if whole && sum.section_sha256 != found { Err(MoveError::Damaged(at)) } else { Ok(()) }
    }
}

/// What a line says, if it is written exactly as this version writes it: no bit can differ.
fn exactly<T: DeserializeOwned + Serialize>(line: &[u8]) -> Option<T> {
    let said: T = serde_json::from_slice(line).ok()?;
    let mut again = serde_json::to_vec(&said).ok()?;
    again.push(b'\n');
    (again == line).then_some(said)
}

/// Reads a whole file and holds every line against what it says of itself.
pub fn examine(file: &mut File, tell: Tell<'_>) -> Result<Manifest, MoveError> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut lines = Lines::from(file, 0)?;
    let header = lines.header()?;
    let begins = lines.at;
    let mut rows = BTreeMap::<String, u64>::new();
    let (mut status, mut nul) = (None, None);
    for (owner, table) in header.sections() {
        let mut open = lines.open(Scope::from_column(owner), table)?;
        *rows.entry(table.name.to_owned()).or_default() += open.left;
        let mut seen = 0_u64;
        while let Some(row) = lines.row(&mut open)? {
            if table.name == "organizations"
                && matches!(header.content, Content::Organization { .. })
            {
                status = text(table, &row, "status");
            }
            if row.iter().any(|cell| matches!(cell, Cell::Text(text) if text.contains('\0'))) {
                nul = Some(table.name);
            }
            seen += 1;
            if seen.is_multiple_of(STEP) {
                tell(&Progress::new(table.name, lines.at, length));
            }
        }
        lines.close(open, true)?;
    }
    let ends = lines.at;
    let sha256 = hex::encode(std::mem::take(&mut lines.whole).finalize());
    let footer: Footer = lines.said()?;
    if footer.sha256 != sha256 || footer.rows != rows || lines.next()?.is_some() {
        return Err(MoveError::Damaged(ends));
    }
    tell(&Progress::new("", length, length));
    Ok(Manifest { header, footer, begins, ends, status, nul })
}

/// A text of a row.
pub(super) fn text(table: &Table, row: &Row, name: &str) -> Option<String> {
    match table.at(name).map(|at| &row[at]) {
        Some(Cell::Text(text)) => Some(text.clone()),
        _ => None,
    }
}
