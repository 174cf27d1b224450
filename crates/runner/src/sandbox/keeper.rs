//! The program that makes cells: one thread with the rights for it, asked over a socket.

use super::{Means, SandboxOptions, Site};
use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags,
        SocketFlags, SocketType, recvmsg, send, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde::Deserialize;
use serde_json::json;
use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long making a cell may take. It is milliseconds.
const LIMIT: Duration = Duration::from_secs(20);
const LONGEST: usize = 64 * 1024;
const MOST_DESCRIPTORS: usize = 8;

/// The program, which leaves when this is dropped.
pub(super) struct Keeper {
    socket: Mutex<OwnedFd>,
    _process: tokio::process::Child,
}

/// What it has found it can make.
pub(super) struct Found {
    pub means: Means,
    pub why: String,
    pub user_namespace: Option<Arc<OwnedFd>>,
}

/// A cell as it is made: where its proxy listens, and its namespaces.
pub(super) struct Made {
    pub listener: TcpListener,
    pub port: u16,
    pub namespaces: Vec<OwnedFd>,
}

#[derive(Deserialize)]
struct Hello {
    kind: Means,
    why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Port(u16),
    Error(String),
}

impl Keeper {
    /// Starts it and hears what it can do.
    pub(super) async fn start(
        site: &Site,
        options: &SandboxOptions,
        visible: &[PathBuf],
        root: &Path,
    ) -> io::Result<(Self, Found)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(LIMIT))?;
        let settings = json!({ "root": root, "visible": visible, "off": options.off() });
        let process = command(site, &settings.to_string(), theirs).spawn()?;
        let keeper = Self { socket: Mutex::new(ours), _process: process };
        let (keeper, hello) = tokio::task::spawn_blocking(move || {
            let hello = receive(&keeper.socket());
            (keeper, hello)
        })
        .await
        .map_err(io::Error::other)?;
        let (text, mut descriptors) = hello?;
        let Hello { kind, why } = serde_json::from_slice(&text)?;
        let user_namespace = descriptors.pop().map(Arc::new);
        Ok((keeper, Found { means: kind, why, user_namespace }))
    }

    /// Makes a cell whose scratch directories are below `scratch`. Blocks for milliseconds.
    pub(super) fn make(&self, scratch: &str) -> io::Result<Made> {
        let request = json!({ "scratch": scratch }).to_string();
        let socket = self.socket();
        send(&*socket, request.as_bytes(), SendFlags::NOSIGNAL)?;
        let (text, descriptors) = receive(&socket)?;
        let port = match serde_json::from_slice(&text)? {
            Answer::Port(port) => port,
            Answer::Error(error) => return Err(io::Error::other(error)),
        };
        let mut descriptors = descriptors.into_iter();
        let listener = descriptors.next().ok_or_else(|| io::Error::other("no listener came"))?;
        Ok(Made { listener: listener.into(), port, namespaces: descriptors.collect() })
    }

    fn socket(&self) -> std::sync::MutexGuard<'_, OwnedFd> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn command(site: &Site, settings: &str, channel: OwnedFd) -> tokio::process::Command {
    let directory = serde_json::Value::from(site.runtime.to_string_lossy().as_ref());
    let script = format!(
        "import sys; sys.path.insert(0, {directory}); from bifrost_runtime.cells import main; main()"
    );
    let mut command = tokio::process::Command::new(&site.python);
    command.args(["-I", "-S", "-c", &script, settings]);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(channel))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// One packet with the descriptors beside it. Nothing at all is an error: it is gone.
fn receive(socket: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        let text =
            "the program that makes cells has gone; its own complaint is in the server's log";
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
    }
    text.truncate(received.bytes);
    Ok((text, descriptors))
}
