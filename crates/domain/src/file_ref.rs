//! Which content of a path is meant: `own`, `global`, `base`, `own@4`, `global@3`.

use std::{fmt, num::NonZeroU32, str::FromStr};

/// One content of a path, as the asking organization can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRef {
    /// The organization's, at this version or as it is.
    Own(Option<NonZeroU32>),
    /// Global's, at this version or as it is.
    Global(Option<NonZeroU32>),
    /// The global version that the organization's override began from.
    Base,
}

/// It is none of these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use `own`, `global`, `base`, or a version such as `own@2` and `global@3`")]
pub struct BadFileRef;

impl FromStr for FileRef {
    type Err = BadFileRef;

    fn from_str(text: &str) -> Result<Self, BadFileRef> {
        let (word, version) = match text.split_once('@') {
            Some((word, version)) => (word, Some(version.parse().map_err(|_| BadFileRef)?)),
            None => (text, None),
        };
        match (word, version) {
            ("own", version) => Ok(Self::Own(version)),
            ("global", version) => Ok(Self::Global(version)),
            ("base", None) => Ok(Self::Base),
            _ => Err(BadFileRef),
        }
    }
}

impl fmt::Display for FileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, version) = match self {
            Self::Own(version) => ("own", version),
            Self::Global(version) => ("global", version),
            Self::Base => ("base", &None),
        };
        f.write_str(word)?;
        version.map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["own", "global", "base", "own@1", "global@4294967295"] {
            assert_eq!(text.parse::<FileRef>().unwrap().to_string(), text);
        }
        for text in ["", "acme", "base@1", "own@0", "own@", "own@-1", "own@1@2", "Own"] {
            assert_eq!(text.parse::<FileRef>(), Err(BadFileRef), "{text}");
        }
    }
}
