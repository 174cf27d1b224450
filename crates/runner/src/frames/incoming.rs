//! Frames from a child. Nothing in them is trusted.

use super::{BadFrame, MAX_JOINED, is_shallow};
use domain::execution::{Failure, LoadedModule};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tokio::time::Instant;

/// One frame.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A line of log.
    Log(Log),
    /// What the child left out of the log.
    Dropped(Dropped),
    /// A request of the SDK.
    Call(Call),
    /// Workspace modules loaded since the last time, and installed packages imported.
    Modules(Modules),
    /// How far the run has come.
    Progress(Told),
    /// The end, good; the value or how many parts of it follow, and its content type.
    Result(Large, Option<String>),
    /// A piece of a large value.
    Part(String),
    /// The end, bad.
    Error(Failure),
}

/// A value that may come in parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Large {
    /// Here it is, as JSON text.
    Inline(String),
    /// So many parts follow.
    Parts(usize),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub level: String,
    pub message: String,
    /// Seconds since 1970 by the child's clock.
    pub time: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Dropped {
    pub lines: u64,
    pub bytes: u64,
}

/// How far a run says it has come.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Told {
    pub done: f64,
    pub total: Option<f64>,
    pub note: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub id: u64,
    pub method: String,
    pub arguments: serde_json::Value,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// What a run has imported.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Modules {
    pub modules: Vec<LoadedModule>,
    /// Installed packages, by their first names that have a file.
    #[serde(default)]
    pub packages: Vec<String>,
    /// When the first of them were told.
    #[serde(skip)]
    pub told_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    parts: Option<usize>,
    result_type: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    data: String,
}

#[derive(Deserialize)]
struct Error {
    error: Failure,
}

impl Incoming {
    /// Reads one frame.
    pub(crate) fn parse(frame: &[u8]) -> Result<Self, BadFrame> {
        if !is_shallow(frame) {
            return Err(BadFrame::TooDeep);
        }
        let kind: Kind<'_> = read(frame)?;
        Ok(match kind.kind.as_ref() {
            "log" => Self::Log(read(frame)?),
            "dropped" => Self::Dropped(read(frame)?),
            "call" => Self::Call(read(frame)?),
            "modules" => Self::Modules(read(frame)?),
            "progress" => Self::Progress(read(frame)?),
            "result" => {
                let mut value = read::<Value<'_>>(frame)?;
                let result_type = value.result_type.take();
                Self::Result(value.large()?, result_type)
            }
            "part" => Self::Part(read::<Part>(frame)?.data),
            "error" => Self::Error(read::<Error>(frame)?.error),
            _ => return Err(BadFrame::Malformed("an unknown type".to_owned())),
        })
    }
}

impl Value<'_> {
    fn large(self) -> Result<Large, BadFrame> {
        match (self.value, self.parts) {
            (Some(value), None) => Ok(Large::Inline(value.get().to_owned())),
            // `"value": null` and no `value` read the same.
            (None, None) => Ok(Large::Inline("null".to_owned())),
            (None, Some(parts)) if parts > 0 => Ok(Large::Parts(parts)),
            _ => Err(BadFrame::PartOutOfPlace),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, BadFrame> {
    // Only where it went wrong: the message itself could quote what the child sent.
    let place = |error: serde_json::Error| {
        BadFrame::Malformed(format!("line {}, column {}", error.line(), error.column()))
    };
    serde_json::from_slice(frame).map_err(place)
}

/// Joins the parts of one value.
#[derive(Debug)]
pub(crate) struct Joining {
    missing: usize,
    text: String,
}

impl Joining {
    /// Waits for `parts` of them.
    pub(crate) fn new(parts: usize) -> Self {
        Self { missing: parts, text: String::new() }
    }

    /// Takes one; the whole JSON text after the last.
    pub(crate) fn push(&mut self, part: &str) -> Result<Option<String>, BadFrame> {
        if self.text.len() + part.len() > MAX_JOINED {
            return Err(BadFrame::JoinedTooLarge);
        }
        self.text.push_str(part);
        self.missing -= 1;
        if self.missing > 0 {
            return Ok(None);
        }
        let text = std::mem::take(&mut self.text);
        if !is_shallow(text.as_bytes()) {
            return Err(BadFrame::TooDeep);
        }
        read::<&RawValue>(text.as_bytes())?;
        Ok(Some(text))
    }
}
