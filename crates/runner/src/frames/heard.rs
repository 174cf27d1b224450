//! A whole stream of a child's bytes, heard as the listener hears it; for the tests and the fuzzing.

use super::{BadFrame, Incoming, Joining, Large, MAX_FRAME, MAX_JOINED, codec, is_shallow};
use bytes::BytesMut;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// How the bytes were understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An end with this JSON text.
    Value(String),
    /// An end with an error.
    Failure,
    /// The protocol was broken.
    Broken(BadFrame),
    /// So many frames, and no end.
    Silence(usize),
}

/// Hears `bytes` at once and in pieces, and panics where a promise of the decoder is broken:
/// the pieces make no difference, and what comes out is small, shallow JSON.
pub fn check(bytes: &[u8]) {
    let heard = hear(bytes, bytes.len().max(1));
    let size = 1 + bytes.len() % 7;
    assert_eq!(heard, hear(bytes, size), "in pieces of {size}");
    if let Heard::Value(text) = heard {
        assert!(text.len() <= MAX_JOINED.max(MAX_FRAME), "{} bytes", text.len());
        assert!(is_shallow(text.as_bytes()), "a deep value");
        serde_json::from_str::<serde::de::IgnoredAny>(&text).expect("JSON");
    }
}

/// Hears `bytes` that arrive in pieces of `size`.
pub(super) fn hear(bytes: &[u8], size: usize) -> Heard {
    let mut stream = Stream { codec: codec(), buffer: BytesMut::new(), frames: 0, joining: None };
    for piece in bytes.chunks(size) {
        stream.buffer.extend_from_slice(piece);
        if let Some(end) = stream.drain() {
            return end;
        }
    }
    Heard::Silence(stream.frames)
}

struct Stream {
    codec: LengthDelimitedCodec,
    buffer: BytesMut,
    frames: usize,
    joining: Option<Joining>,
}

impl Stream {
    /// Takes every frame that is whole; the end, if there is one among them.
    fn drain(&mut self) -> Option<Heard> {
        loop {
            let frame = match self.codec.decode(&mut self.buffer) {
                Ok(frame) => frame?,
                Err(_) => return Some(Heard::Broken(BadFrame::TooLarge)),
            };
            self.frames += 1;
            match self.take(&frame) {
                Ok(None) => {}
                Ok(Some(end)) => return Some(end),
                Err(broken) => return Some(Heard::Broken(broken)),
            }
        }
    }

    fn take(&mut self, frame: &[u8]) -> Result<Option<Heard>, BadFrame> {
        assert!(frame.len() <= MAX_FRAME, "a frame of {} bytes", frame.len());
        match (Incoming::parse(frame)?, &mut self.joining) {
            (Incoming::Part(part), Some(joining)) => Ok(joining.push(&part)?.map(Heard::Value)),
            (Incoming::Part(_), None) | (_, Some(_)) => Err(BadFrame::PartOutOfPlace),
            (Incoming::Result(Large::Inline(text), _), None) => Ok(Some(Heard::Value(text))),
            (Incoming::Result(Large::Parts(parts), _), None) => {
                self.joining = Some(Joining::new(parts));
                Ok(None)
            }
            (Incoming::Error(_), None) => Ok(Some(Heard::Failure)),
            _ => Ok(None),
        }
    }
}
