//! The control channel to a zygote: whole packets of JSON, with descriptors beside them.

use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
        SocketFlags, SocketType, recv, sendmsg, shutdown, socketpair,
    },
};
use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Longest packet, in bytes.
pub(crate) const MAX_PACKET: usize = 64 * 1024;
/// Most descriptors beside one packet.
const MAX_DESCRIPTORS: usize = 8;

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct Control(AsyncFd<OwnedFd>);

impl Control {
    /// Both ends; the second one is for the zygote and blocks, as Python expects.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self(AsyncFd::new(ours)?), theirs))
    }

    /// Sends one packet; waits while the zygote is behind.
    pub(crate) async fn send(&self, packet: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, |socket| send_now(socket, packet, with)).await
    }

    /// Sends one packet without descriptors, or fails if it cannot be done at once.
    pub(crate) fn try_send(&self, packet: &[u8]) -> io::Result<()> {
        send_now(self.0.get_ref(), packet, &[])
    }

    /// The next packet; `None` when the zygote is gone. Descriptors it might send are discarded
    /// by the kernel, because no room is offered for them.
    pub(crate) async fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; MAX_PACKET];
        let read = |socket: &OwnedFd| Ok(recv(socket, &mut packet[..], RecvFlags::empty())?.0);
        let length = self.0.async_io(Interest::READABLE, read).await?;
        packet.truncate(length);
        Ok((length > 0).then_some(packet))
    }

    /// Ends the channel for both sides, which tells the zygote to leave.
    pub(crate) fn close(&self) {
        // The other end may be gone already: then there is nothing to end.
        let _gone = shutdown(self.0.get_ref(), Shutdown::Both);
    }
}

fn send_now(socket: &OwnedFd, packet: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(with)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}
