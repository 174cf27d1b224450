//! What is different between two contents of a file: hunks of lines, with the words that changed.
//!
//! It never takes long: what is too large is only said to be different, and after the deadline the
//! rest is told more coarsely than it could be.

mod words;

use serde::Serialize;
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};
use std::{fmt::Write, ops::Range, time::Instant};
use utoipa::ToSchema;

/// Unchanged lines around each change.
const CONTEXT: usize = 3;
/// Bytes of a content that is still compared line by line.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// What comparing two contents gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// No difference.
    Same,
    /// At least one is no text.
    Binary,
    /// At least one is larger than [`MAX_BYTES`].
    TooLarge,
    /// Two different texts.
    Text(Diff),
}

/// The difference of two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// In order.
    pub hunks: Vec<Hunk>,
    /// Lines that only the second has.
    pub added: u32,
    /// Lines that only the first has.
    pub removed: u32,
}

/// Lines that belong together: changes, and what is around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DiffHunk)]
pub struct Hunk {
    /// Of the first text.
    pub from: Lines,
    /// Of the second text.
    pub to: Lines,
    /// As a unified diff has them.
    pub lines: Vec<Line>,
}

/// Neighbouring lines of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DiffLines)]
pub struct Lines {
    /// The number of the first line, from 1; of none, the line after which they would come.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DiffLineKind)]
pub enum LineKind {
    /// In both.
    Same,
    /// In the first only.
    Removed,
    /// In the second only.
    Added,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DiffLine)]
pub struct Line {
    /// Where it is.
    pub kind: LineKind,
    /// Its number in the first text.
    #[schema(required = true)]
    pub from: Option<u32>,
    /// Its number in the second text.
    #[schema(required = true)]
    pub to: Option<u32>,
    /// Its text in parts, without the end of the line.
    pub parts: Vec<Part>,
    /// Whether the line ends in a line feed; only the last one of a text may not.
    pub ends: bool,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DiffPart)]
pub struct Part {
    /// What it says.
    pub text: String,
    /// Whether the other text's line does not have it.
    pub changed: bool,
}

/// Compares two contents; after `deadline` more coarsely.
pub fn compare(from: &[u8], to: &[u8], deadline: Option<Instant>) -> Comparison {
    if from == to {
        return Comparison::Same;
    }
    let (Some(from), Some(to)) = (text(from), text(to)) else { return Comparison::Binary };
    if from.len().max(to.len()) > MAX_BYTES {
        return Comparison::TooLarge;
    }
    let from: Vec<&str> = from.split_inclusive('\n').collect();
    let to: Vec<&str> = to.split_inclusive('\n').collect();
    let ops = capture_diff_slices_deadline(Algorithm::Histogram, &from, &to, deadline);
    let mut diff = Diff { hunks: Vec::new(), added: 0, removed: 0 };
    for op in ops.iter().filter(|op| op.tag() != DiffTag::Equal) {
        diff.added += number(op.new_range().len());
        diff.removed += number(op.old_range().len());
    }
    let texts = Texts { from, to, deadline };
    diff.hunks = group_diff_ops(ops, CONTEXT).iter().map(|ops| texts.hunk(ops)).collect();
    Comparison::Text(diff)
}

/// A content as text, unless it is none or holds a NUL.
pub fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

struct Texts<'a> {
    from: Vec<&'a str>,
    to: Vec<&'a str>,
    deadline: Option<Instant>,
}

impl Texts<'_> {
    fn hunk(&self, ops: &[DiffOp]) -> Hunk {
        let mut lines = Vec::new();
        for op in ops {
            let (tag, from, to) = op.as_tag_tuple();
            if tag == DiffTag::Equal {
                let pairs = from.zip(to);
                lines.extend(pairs.map(|(from, to)| self.same(from, to)));
            } else {
                self.changed(from, to, &mut lines);
            }
        }
        let range = |of: fn(&DiffOp) -> Range<usize>| {
            let first = ops.first().map_or(0, |op| of(op).start);
            let count = ops.last().map_or(0, |op| of(op).end) - first;
            let first = if count == 0 { first } else { first + 1 };
            Lines { first: number(first), count: number(count) }
        };
        Hunk { from: range(DiffOp::old_range), to: range(DiffOp::new_range), lines }
    }

    fn same(&self, from: usize, to: usize) -> Line {
        let (text, ends) = without_end(self.from[from]);
        let parts = vec![Part { text: text.to_owned(), changed: false }];
        line(LineKind::Same, Some(from), Some(to), parts, ends)
    }

    /// Lines that were replaced, each beside the one in its place as far as there is one.
    fn changed(&self, from: Range<usize>, to: Range<usize>, lines: &mut Vec<Line>) {
        let mut added = Vec::with_capacity(to.len());
        for at in 0..from.len().max(to.len()) {
            let old = from.clone().nth(at).map(|number| (number, without_end(self.from[number])));
            let new = to.clone().nth(at).map(|number| (number, without_end(self.to[number])));
            let (old_parts, new_parts) = match (&old, &new) {
                (Some((_, (old, _))), Some((_, (new, _)))) => words::parts(old, new, self.deadline),
                (old, new) => {
                    let whole = |side: &Option<(usize, (&str, bool))>| {
                        side.iter().map(|(_, (text, _))| words::whole(text)).collect()
                    };
                    (whole(old), whole(new))
                }
            };
            if let Some((number, (_, ends))) = old {
                lines.push(line(LineKind::Removed, Some(number), None, old_parts, ends));
            }
            if let Some((number, (_, ends))) = new {
                added.push(line(LineKind::Added, None, Some(number), new_parts, ends));
            }
        }
        lines.append(&mut added);
    }
}

fn line(
    kind: LineKind,
    from: Option<usize>,
    to: Option<usize>,
    parts: Vec<Part>,
    ends: bool,
) -> Line {
    let from_one = |at: Option<usize>| at.map(|at| number(at + 1));
    Line { kind, from: from_one(from), to: from_one(to), parts, ends }
}

fn without_end(line: &str) -> (&str, bool) {
    line.strip_suffix('\n').map_or((line, false), |line| (line, true))
}

/// Texts are far too small for more lines than that.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Diff {
    /// As `diff -u` and `git diff` write it; `patch` takes it.
    pub fn unified(&self, from: &str, to: &str) -> String {
        let mut text = format!("--- {from}\n+++ {to}\n");
        for hunk in &self.hunks {
            // Writing into a string cannot fail.
            let _written = writeln!(text, "@@ -{} +{} @@", hunk.from, hunk.to);
            for line in &hunk.lines {
                text.push(match line.kind {
                    LineKind::Same => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                });
                line.parts.iter().for_each(|part| text.push_str(&part.text));
                text.push('\n');
                if !line.ends {
                    text.push_str("\\ No newline at end of file\n");
                }
            }
        }
        text
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            1 => write!(f, "{}", self.first),
            count => write!(f, "{},{count}", self.first),
        }
    }
}

#[cfg(test)]
mod tests;
