//! What a `requirements.txt` may say: which packages the runs of a scope can import.
//!
//! Only names with extras, versions, environment markers and hashes. What would let a file reach
//! beyond the operator's index (options, addresses, other files) is refused, line by line.

use crate::{
    FilePath,
    analysis::{Diagnostic, Severity},
};

#[cfg(test)]
mod tests;

/// Where a scope keeps them.
pub const PATH: &str = "requirements.txt";
/// Most bytes of one file.
const MOST_BYTES: usize = 256 * 1024;
/// Most requirements of one file.
const MOST: usize = 1_000;

/// Whether this is the file that says which packages there are.
pub fn is_requirements(path: &FilePath) -> bool {
    path.as_str() == PATH
}

/// Why a line is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An option of pip's.
    #[error(
        "`{0}` is refused: a line is a package with its version, as in `httpx==0.28.1`; which index \
         is asked is for the operator to say"
    )]
    Option(String),
    /// A package from an address or a directory.
    #[error("an address or a path is refused: packages come from the operator's index by name")]
    Address,
    /// Not a requirement.
    #[error("this is no requirement: write a package with its version, as in `httpx==0.28.1`")]
    NoRequirement,
    /// Something else than `--hash=sha256:…` after it.
    #[error("after the package only `--hash=sha256:…` is taken")]
    Trailing,
    /// Not text.
    #[error("the file is no UTF-8 text")]
    NoText,
    /// Larger than a file of packages can sensibly be.
    #[error("the file is larger than 256 KiB or names more than 1,000 packages")]
    TooLarge,
}

impl Fault {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Option(_) => "refused-option",
            Self::Address => "refused-address",
            Self::NoRequirement | Self::Trailing => "bad-requirement",
            Self::NoText | Self::TooLarge => "bad-requirements",
        }
    }
}

/// What a file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// One requirement each, without comments and continuations.
    pub lines: Vec<String>,
    /// What is wrong, by line counted from 1; 0 is the file as a whole.
    pub faults: Vec<(u32, Fault)>,
}

impl Requirements {
    /// Reads a file.
    pub fn parse(content: &[u8]) -> Self {
        let whole = |fault| Self { lines: Vec::new(), faults: vec![(0, fault)] };
        if content.len() > MOST_BYTES {
            return whole(Fault::TooLarge);
        }
        let Ok(text) = std::str::from_utf8(content) else { return whole(Fault::NoText) };
        let mut found = Self::default();
        for (number, line) in joined(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            match requirement(&line) {
                Ok(Some(line)) => found.lines.push(line),
                Ok(None) => {}
                Err(fault) => found.faults.push((number, fault)),
            }
        }
        if found.lines.len() > MOST { whole(Fault::TooLarge) } else { found }
    }

    /// What is to be told to whoever wrote the file.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let tell = |(line, fault): &(u32, Fault)| Diagnostic {
            severity: Severity::Error,
            line: *line,
            column: 0,
            code: fault.code().to_owned(),
            message: fault.to_string(),
        };
        self.faults.iter().map(tell).collect()
    }
}

/// Lines with what their backslashes continue, each with the number of its first.
fn joined(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (part, continued) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.push_str(part),
            None => lines.push((number, part.to_owned())),
        }
        goes_on = continued;
    }
    lines
}

/// The requirement in one line, if there is one.
fn requirement(line: &str) -> Result<Option<String>, Fault> {
    let line = without_comment(line).trim();
    if line.is_empty() {
        return Ok(None);
    }
    if line.starts_with('-') {
        let option = line.split([' ', '=', '\t']).next().unwrap_or_default();
        // Not what follows it, which may be an address with a password.
        let option: String = option.chars().take(32).collect();
        return Err(Fault::Option(option));
    }
    let (wanted, hashes) = match line.find(" --").or_else(|| line.find("\t--")) {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    if wanted.contains("://") || wanted.contains('@') || wanted.starts_with(['.', '/', '~']) {
        return Err(Fault::Address);
    }
    check(wanted.trim())?;
    if !hashes.split_whitespace().all(is_hash) {
        return Err(Fault::Trailing);
    }
    let words = wanted.split_whitespace().chain(hashes.split_whitespace());
    Ok(Some(words.collect::<Vec<_>>().join(" ")))
}

/// A comment begins a line or follows a space.
fn without_comment(line: &str) -> &str {
    let starts = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with([' ', '\t']);
    line.match_indices('#').find(starts).map_or(line, |(at, _)| &line[..at])
}

fn is_hash(word: &str) -> bool {
    let digest = word.strip_prefix("--hash=sha256:");
    digest.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Name, extras, versions and marker, each as far as its letters tell. The resolver knows the rest.
fn check(wanted: &str) -> Result<(), Fault> {
    let (package, marker) = match wanted.split_once(';') {
        Some((package, marker)) => (package.trim(), Some(marker.trim())),
        None => (wanted, None),
    };
    let end = package.find(|letter: char| !is_name_letter(letter)).unwrap_or(package.len());
    let (name, rest) = package.split_at(end);
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(rest) => {
            let (extras, rest) = rest.split_once(']').ok_or(Fault::NoRequirement)?;
            let sound = extras.trim().is_empty() || extras.split(',').all(|it| is_name(it.trim()));
            sound.then_some(rest.trim_start()).ok_or(Fault::NoRequirement)?
        }
        None => rest,
    };
    let rest = rest.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(rest);
    let versions = rest.trim().is_empty() || rest.split(',').all(|it| is_version(it.trim()));
    let marked = marker.is_none_or(is_marker);
    if is_name(name) && versions && marked { Ok(()) } else { Err(Fault::NoRequirement) }
}

fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "._-".contains(letter)
}

fn is_name(name: &str) -> bool {
    let ends = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    ends(name.chars().next())
        && ends(name.chars().next_back())
        && name.chars().all(is_name_letter)
        && name.len() <= 200
}

fn is_version(text: &str) -> bool {
    const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
    let version = OPERATORS.iter().find_map(|operator| text.strip_prefix(operator));
    version.map(str::trim).is_some_and(|version| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || ".*+!_-".contains(letter);
        !version.is_empty() && version.chars().all(fits)
    })
}

fn is_marker(text: &str) -> bool {
    let fits =
        |letter: char| letter.is_ascii_alphanumeric() || " '\"._-<>=!~(),*+".contains(letter);
    let even = |quote| text.matches(quote).count().is_multiple_of(2);
    !text.is_empty() && text.chars().all(fits) && even('\'') && even('"')
}
