//! Frames to a child.

use super::{BadFrame, MAX_INLINE, MAX_JOINED, is_shallow};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

/// One frame.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Outgoing<'a> {
    /// The first one.
    Start(Start<'a>),
    /// A piece of the inputs.
    Part { data: &'a str },
    /// The answer to a call.
    Reply {
        id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parts: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Wrong>,
    },
    /// Somebody wants this run to stop.
    Cancel,
}

/// An exception for the SDK to raise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wrong {
    /// A built-in exception's name, or `bifrost.BifrostError`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What to tell the author of the workflow.
    pub message: String,
}

/// What a child is to do.
#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(crate) enum Start<'a> {
    /// Run a workflow. Boxed because it is much larger than the others.
    Run(Box<StartRun<'a>>),
    /// Read a file without running it.
    Analyse { path: &'a str, origin: &'a str, limits: ChildLimits },
    /// Compile these entries of a bundle.
    Compile {
        limits: ChildLimits,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parts: Option<usize>,
    },
    /// Attack its own walls.
    Probe { limits: ChildLimits, value: Box<RawValue> },
}

/// Everything a run is told about itself.
#[derive(Debug, Serialize)]
pub(crate) struct StartRun<'a> {
    pub organization: Option<OrganizationFrame<'a>>,
    /// IANA name of the time zone its clock shows.
    pub timezone: &'a str,
    pub user: Option<&'a crate::UserInfo>,
    pub execution: ExecutionInfo<'a>,
    pub entry: EntryInfo<'a>,
    pub limits: ChildLimits,
    /// Where it may write, an absolute path.
    pub scratch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
}

/// An organization with where it is, in one object.
#[derive(Debug, Serialize)]
pub(crate) struct OrganizationFrame<'a> {
    #[serde(flatten)]
    pub organization: &'a crate::OrganizationInfo,
    #[serde(flatten)]
    pub regional: &'a domain::settings::Regional,
}

#[derive(Debug, Serialize)]
pub(crate) struct ExecutionInfo<'a> {
    pub id: domain::ExecutionId,
    pub workflow: &'a str,
    pub attempt: u32,
    /// Seconds from its start until it is ended.
    pub timeout: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct EntryInfo<'a> {
    pub module: &'a str,
    pub function: &'a str,
    /// Whether it is a data provider.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub provider: bool,
}

/// Limits the child sets on itself before it runs anything of the workspace.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ChildLimits {
    pub memory_mb: u32,
    pub cpu_seconds: u64,
    pub file_mb: u32,
    pub open_files: u32,
    pub processes: u32,
}

impl Outgoing<'_> {
    /// The JSON of the frame.
    pub(crate) fn to_bytes(&self) -> Bytes {
        // Plain structs with text keys: there is nothing in them that JSON cannot hold.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The JSON text `value` as it travels: inline, or the number of parts and the frames of them.
#[derive(Debug)]
pub(crate) struct LargeFrames {
    pub value: Option<Box<RawValue>>,
    pub parts: Option<usize>,
    pub frames: Vec<Bytes>,
}

/// The frames of the answer to a call.
pub(crate) fn reply(id: u64, answer: Result<serde_json::Value, Wrong>) -> Vec<Bytes> {
    let wrong = |error| {
        let reply = Outgoing::Reply { id, result: None, parts: None, error: Some(error) };
        vec![reply.to_bytes()]
    };
    match answer.map(|value| large_frames(&value.to_string())) {
        Ok(Ok(LargeFrames { value: result, parts, frames })) => {
            let reply = Outgoing::Reply { id, result, parts, error: None };
            std::iter::once(reply.to_bytes()).chain(frames).collect()
        }
        Ok(Err(error)) => {
            let message = format!("the answer cannot be sent: {error}");
            wrong(Wrong { kind: "bifrost.BifrostError", message })
        }
        Err(error) => wrong(error),
    }
}

/// Splits `value` if it is too long for one frame.
pub(crate) fn large_frames(value: &str) -> Result<LargeFrames, BadFrame> {
    if value.len() > MAX_JOINED {
        return Err(BadFrame::JoinedTooLarge);
    }
    // The frame around it is one level more.
    if !is_shallow(format!("[{value}").as_bytes()) {
        return Err(BadFrame::TooDeep);
    }
    if value.len() <= MAX_INLINE {
        let raw = RawValue::from_string(value.to_owned())
            .map_err(|error| BadFrame::Malformed(error.to_string()))?;
        return Ok(LargeFrames { value: Some(raw), parts: None, frames: Vec::new() });
    }
    let frames: Vec<Bytes> = pieces(value).map(|data| Outgoing::Part { data }.to_bytes()).collect();
    Ok(LargeFrames { value: None, parts: Some(frames.len()), frames })
}

/// Pieces short enough that, escaped as JSON text once more, they fit into a frame.
fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = rest.len().min(MAX_INLINE / 2);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
