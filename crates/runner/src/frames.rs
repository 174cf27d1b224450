//! Frames: what the supervisor and a child say to each other, checked before it is believed.

#[cfg(test)]
mod corpus;
#[cfg(any(test, fuzzing))]
mod heard;
mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub use heard::check;

pub(crate) use incoming::{Call, Incoming, Joining, Large, Log, Modules, Told};
pub(crate) use outgoing::{
    ChildLimits, EntryInfo, ExecutionInfo, OrganizationFrame, Outgoing, Start, StartRun, Wrong,
    large_frames, reply,
};

use tokio_util::codec::LengthDelimitedCodec;

/// Longest frame, in bytes of JSON.
pub(crate) const MAX_FRAME: usize = 1024 * 1024;
/// Longest JSON that stands inside a frame; longer ones follow it in parts.
pub(crate) const MAX_INLINE: usize = 512 * 1024;
/// Longest JSON that parts may join to.
pub(crate) const MAX_JOINED: usize = 16 * 1024 * 1024;
/// Deepest nesting of arrays and objects.
pub(crate) const MAX_DEPTH: usize = 100;

/// How a child broke the protocol, in words for the people of its organization.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("a frame of more than 1 MiB")]
    TooLarge,
    #[error("a frame that is no JSON object of a known form ({0})")]
    Malformed(String),
    #[error("a frame nested more than 100 deep")]
    TooDeep,
    #[error("a value of more than 16 MiB: return less, or write it to a file")]
    JoinedTooLarge,
    #[error("a part of a value where none was due, or the other way round")]
    PartOutOfPlace,
}

/// Four bytes of big-endian length, then as many bytes of JSON.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .length_field_type::<u32>()
        .max_frame_length(MAX_FRAME)
        .new_codec()
}

/// Whether arrays and objects nest at most [`MAX_DEPTH`] deep; `json` need not be well formed.
pub(crate) fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}
