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
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use tokio::{io::Interest, net::UnixDatagram};

/// Longest packet, in bytes.
pub(crate) const MAX_PACKET: usize = 64 * 1024;
/// Most descriptors beside one packet.
const MAX_DESCRIPTORS: usize = 16;

/// The supervisor's end. Tokio has no type for sequenced packets and none for any descriptor that
/// can be had without `unsafe`; to the kernel's event queue a datagram socket is the same.
#[derive(Debug)]
pub(crate) struct Control(UnixDatagram);

impl Control {
    /// Both ends; the second one is for the zygote and blocks, as Python expects.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let ours = std::os::unix::net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        Ok((Self(UnixDatagram::from_std(ours)?), theirs))
    }

    /// Sends one packet; waits while the zygote is behind.
    pub(crate) async fn send(&self, packet: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, || send_now(&self.0, packet, with)).await
    }

    /// Sends one packet without descriptors, or fails if it cannot be done at once.
    pub(crate) fn try_send(&self, packet: &[u8]) -> io::Result<()> {
        send_now(&self.0, packet, &[])
    }

    /// The next packet; `None` when the zygote is gone. Descriptors it might send are discarded
    /// by the kernel, because no room is offered for them.
    pub(crate) async fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; MAX_PACKET];
        let read = || Ok(recv(&self.0, &mut packet[..], RecvFlags::empty())?.0);
        let length = self.0.async_io(Interest::READABLE, read).await?;
        packet.truncate(length);
        Ok((length > 0).then_some(packet))
    }

    /// Ends the channel for both sides, which tells the zygote to leave.
    pub(crate) fn close(&self) {
        // The other end may be gone already: then there is nothing to end.
        let _gone = shutdown(&self.0, Shutdown::Both);
    }
}

fn send_now(socket: &impl AsFd, packet: &[u8], with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(with)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}
