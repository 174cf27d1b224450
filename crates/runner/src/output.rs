//! The raw output pipe of a child: what is written past Python, cut into lines of log.

use crate::{
    logs::{Dropped, LogGate, MAX_LINE},
    sources::now,
};
use domain::execution::LogLevel;
use std::{
    io::{self, BufRead},
    os::fd::OwnedFd,
};
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// The reading end, and the writing end for a child.
pub(crate) fn pair() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((pipe::Receiver::from_owned_fd(ours)?, theirs))
}

/// Reads until nobody holds the writing end any more.
pub(crate) async fn read(mut from: pipe::Receiver, gate: &LogGate) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut line = Line::default();
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        line.take(&buffer[..length], gate).await;
    }
    line.end(gate).await;
    Ok(())
}

/// The line that is being read; only as much of it as is kept.
#[derive(Default)]
struct Line {
    start: Vec<u8>,
    began: bool,
}

impl Line {
    async fn take(&mut self, mut bytes: &[u8], gate: &LogGate) {
        while !bytes.is_empty() {
            if gate.is_full() {
                return self.skip(bytes, gate);
            }
            let length = bytes.iter().position(|&byte| byte == b'\n');
            let (piece, rest) = bytes.split_at(length.unwrap_or(bytes.len()));
            self.began = true;
            // One byte over the limit, so that the gate sees that it has to cut.
            let room = (MAX_LINE + 1).saturating_sub(self.start.len());
            self.start.extend_from_slice(&piece[..piece.len().min(room)]);
            if length.is_none() {
                return;
            }
            self.end(gate).await;
            bytes = &rest[1..];
        }
    }

    async fn end(&mut self, gate: &LogGate) {
        if std::mem::take(&mut self.began) {
            let text = String::from_utf8_lossy(&self.start);
            gate.push(LogLevel::Info, &text, now()).await;
            self.start.clear();
        }
    }

    /// The standard library's search is fast even in a debug build, and there may be a gigabyte.
    fn skip(&mut self, mut bytes: &[u8], gate: &LogGate) {
        let mut dropped = Dropped { lines: 0, bytes: bytes.len() as u64 };
        while let Ok(1..) = bytes.skip_until(b'\n') {
            dropped.lines += 1;
        }
        self.began = false;
        gate.drop_more(dropped);
    }
}
