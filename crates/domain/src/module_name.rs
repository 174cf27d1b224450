//! The dotted name of a Python module, and the names a workspace may not take.

use crate::{file_path::FilePath, standard_library::STANDARD_LIBRARY};
use unicode_normalization::UnicodeNormalization;

/// A name like `shared.halopsa`: identifiers joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleName(String);

/// Why a text is not a module name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a module name: use identifiers joined by dots, as in an import")]
pub struct BadModuleName(String);

impl ModuleName {
    /// Reads a dotted name. Python spells identifiers in NFKC, and so must the name.
    pub fn parse(text: &str) -> Result<Self, BadModuleName> {
        if text.len() <= FilePath::MAX_BYTES && text.split('.').all(is_identifier) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadModuleName(text.to_owned()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dot.
    pub fn top_level(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The names above it, outermost first: `a` and `a.b` for `a.b.c`.
    pub fn parents(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('.').map(|(at, _)| Self(self.0[..at].to_owned()))
    }

    /// Where a scope would have it as a package, as a module, and as a namespace, in the order
    /// in which Python looks.
    pub fn places(&self) -> Places {
        let directory = self.0.replace('.', "/");
        Places {
            package: format!("{directory}/__init__.py"),
            module: format!("{directory}.py"),
            directory,
        }
    }

    /// The reason why no workspace may have a module of this name, if there is one.
    pub fn reserved(&self) -> Option<Reserved> {
        let name = self.top_level();
        if name == "bifrost" || name == "bifrost_runtime" {
            Some(Reserved::Platform)
        } else if STANDARD_LIBRARY.binary_search(&name).is_ok() {
            Some(Reserved::StandardLibrary)
        } else {
            None
        }
    }
}

/// The paths that can make one module name, see [`ModuleName::places`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `a/b/__init__.py`
    pub package: String,
    /// `a/b.py`
    pub module: String,
    /// `a/b`, a namespace if any file lies under it.
    pub directory: String,
}

/// Why a name belongs to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// `bifrost` and `bifrost_runtime`.
    Platform,
    /// Any of `sys.stdlib_module_names`.
    StandardLibrary,
}

fn is_identifier(part: &str) -> bool {
    let mut characters = part.chars();
    let starts = characters.next().is_some_and(|c| c == '_' || c.is_alphabetic());
    starts
        && characters.all(|c| c == '_' || c.is_alphanumeric())
        && part.nfkc().eq(part.chars())
        && KEYWORDS.binary_search(&part).is_err()
}

impl std::fmt::Display for ModuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Python's hard keywords, sorted: they can never stand in an import statement.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted());
        assert!(STANDARD_LIBRARY.is_sorted());
    }

    #[test]
    fn platform_and_standard_library_names_are_reserved_at_the_top_only() {
        let reserved = |text| ModuleName::parse(text).unwrap().reserved();
        assert_eq!(reserved("bifrost.files"), Some(Reserved::Platform));
        assert_eq!(reserved("json"), Some(Reserved::StandardLibrary));
        assert_eq!(reserved("xml.extra"), Some(Reserved::StandardLibrary));
        assert_eq!(reserved("shared.json"), None);
    }
}
