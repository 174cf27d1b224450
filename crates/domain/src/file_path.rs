//! The path of a workspace file: relative, normalised, and nothing that could escape.

use crate::module_name::ModuleName;
use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;

/// A path like `shared/halopsa.py`. Equal paths are equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// Why a text is not the path of a workspace file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing there.
    #[error("the path is empty")]
    Empty,
    /// Over [`FilePath::MAX_BYTES`].
    #[error("the path is longer than 1024 bytes")]
    TooLong,
    /// A segment over [`FilePath::MAX_SEGMENT_BYTES`].
    #[error("a part of the path is longer than 255 bytes")]
    SegmentTooLong,
    /// `/a`, `a//b` or `a/`.
    #[error("the path has an empty part: write it relative, with single slashes")]
    EmptySegment,
    /// `.` or `..`.
    #[error("the path has a `.` or `..` part: write it without")]
    Dots,
    /// A control character or NUL.
    #[error("the path has a control character")]
    Control,
    /// `\`.
    #[error("the path has a backslash: separate parts with `/`")]
    Backslash,
    /// A segment that starts or ends with a space.
    #[error("a part of the path starts or ends with a space")]
    OuterSpace,
    /// Text that another normal form would spell differently.
    #[error("the path is not in Unicode normal form C")]
    NotNormal,
}

impl FilePath {
    /// Longest path, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 1024;
    /// Longest part between slashes, in bytes of UTF-8.
    pub const MAX_SEGMENT_BYTES: usize = 255;

    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        if text.is_empty() {
            return Err(BadPath::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(BadPath::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadPath::Control);
        }
        if text.contains('\\') {
            return Err(BadPath::Backslash);
        }
        text.split('/').try_for_each(check_segment)?;
        if is_nfc(text) { Ok(Self(text.to_owned())) } else { Err(BadPath::NotNormal) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which two paths of one scope may not collide: without regard to case.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// The directories above the file, outermost first, without the root.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }

    /// Whether this is Python source, importable or not.
    pub fn is_python(&self) -> bool {
        self.0.ends_with(".py")
    }

    /// The module this file is, if it is one: a `.py` path whose parts are identifiers.
    pub fn module(&self) -> Option<ModuleName> {
        let stem = self.0.strip_suffix(".py").filter(|stem| !stem.contains('.'))?;
        let dotted = match stem.strip_suffix("/__init__") {
            Some(package) => package,
            None if stem == "__init__" => return None,
            None => stem,
        };
        ModuleName::parse(&dotted.replace('/', ".")).ok()
    }

    /// Whether this is the `__init__.py` of a package.
    pub fn is_package(&self) -> bool {
        self.0.ends_with("/__init__.py")
    }
}

fn check_segment(segment: &str) -> Result<(), BadPath> {
    match segment {
        "" => Err(BadPath::EmptySegment),
        "." | ".." => Err(BadPath::Dots),
        _ if segment.len() > FilePath::MAX_SEGMENT_BYTES => Err(BadPath::SegmentTooLong),
        _ if segment.starts_with(' ') || segment.ends_with(' ') => Err(BadPath::OuterSpace),
        _ => Ok(()),
    }
}

impl TryFrom<String> for FilePath {
    type Error = BadPath;
    fn try_from(text: String) -> Result<Self, BadPath> {
        Self::parse(&text)
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadPath, FilePath};

    #[test]
    fn paths_that_could_escape_or_confuse_are_refused() {
        let long = "a".repeat(256);
        let cases = [
            ("", BadPath::Empty),
            ("/etc/passwd", BadPath::EmptySegment),
            ("a//b", BadPath::EmptySegment),
            ("a/", BadPath::EmptySegment),
            ("../a", BadPath::Dots),
            ("a/./b", BadPath::Dots),
            ("a\0b", BadPath::Control),
            ("a\nb", BadPath::Control),
            ("a\\b", BadPath::Backslash),
            (" a/b", BadPath::OuterSpace),
            ("a/b ", BadPath::OuterSpace),
            ("e\u{301}.py", BadPath::NotNormal),
            (long.as_str(), BadPath::SegmentTooLong),
        ];
        for (text, reason) in cases {
            assert_eq!(FilePath::parse(text), Err(reason), "{text:?}");
        }
        assert_eq!(FilePath::parse(&"a/".repeat(600)), Err(BadPath::TooLong));
    }

    #[test]
    fn only_paths_of_identifiers_are_modules() {
        let module = |text| FilePath::parse(text).unwrap().module().map(|name| name.to_string());
        assert_eq!(module("shared/halopsa.py").as_deref(), Some("shared.halopsa"));
        assert_eq!(module("shared/__init__.py").as_deref(), Some("shared"));
        assert_eq!(module("größe/é.py").as_deref(), Some("größe.é"));
        for text in ["a-b.py", "1a.py", "a/b.txt", "__init__.py", "class.py", "a.b/c.py"] {
            assert_eq!(module(text), None, "{text}");
        }
    }
}
