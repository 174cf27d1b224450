//! The program that makes cells: one thread with the rights for it, asked over a socket.

use super::{Means, SandboxOptions, Site};
use crate::runtime_files;
use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags,
        SocketFlags, SocketType, recvmsg, send, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
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

/// The program, which leaves when this is dropped. One that has gone by itself is replaced when it
/// is asked.
pub(super) struct Keeper {
    program: Program,
    /// What a later one has to be, so that what it makes fits what is there.
    means: Means,
    user_namespace: Option<Arc<OwnedFd>>,
    running: Mutex<Running>,
}

/// How to start it.
struct Program {
    python: PathBuf,
    script: String,
    settings: Value,
}

struct Running {
    socket: OwnedFd,
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
        let settings = json!({ "root": root, "visible": visible, "off": options.off() });
        let program = Program::new(site, settings);
        let running = program.start(None)?;
        let (running, hello) = tokio::task::spawn_blocking(move || {
            let hello = receive(&running.socket);
            (running, hello)
        })
        .await
        .map_err(io::Error::other)?;
        let (text, mut descriptors) = hello?;
        let Hello { kind, why } = serde_json::from_slice(&text)?;
        let user_namespace = descriptors.pop().map(Arc::new);
        let found = Found { means: kind, why, user_namespace: user_namespace.clone() };
        let running = Mutex::new(running);
        Ok((Self { program, means: kind, user_namespace, running }, found))
    }

    /// Makes a cell whose scratch directories are below `scratch`. Blocks for milliseconds.
    pub(super) fn make(&self, scratch: &str) -> io::Result<Made> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, descriptors) = match running.ask(scratch) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "the program that makes cells is started again");
                *running = self.program.start(Some((self.means, &self.user_namespace)))?;
                receive(&running.socket)?;
                running.ask(scratch)?
            }
        };
        let port = match serde_json::from_slice(&text)? {
            Answer::Port(port) => port,
            Answer::Error(error) => return Err(io::Error::other(error)),
        };
        let mut descriptors = descriptors.into_iter();
        let listener = descriptors.next().ok_or_else(|| io::Error::other("no listener came"))?;
        Ok(Made { listener: listener.into(), port, namespaces: descriptors.collect() })
    }
}

impl Running {
    fn ask(&self, scratch: &str) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let request = json!({ "scratch": scratch }).to_string();
        send(&self.socket, request.as_bytes(), SendFlags::NOSIGNAL)?;
        receive(&self.socket)
    }
}

impl Program {
    fn new(site: &Site, settings: Value) -> Self {
        let script = runtime_files::script(&site.runtime, "cells");
        Self { python: site.python.clone(), script, settings }
    }

    /// One that finds out what it can be, or that is what another one was.
    fn start(&self, again: Option<(Means, &Option<Arc<OwnedFd>>)>) -> io::Result<Running> {
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT))?;
        let mut settings = self.settings.clone();
        settings["kind"] = json!(again.map(|(means, _)| means));
        let namespace = again.and_then(|(_, namespace)| namespace.as_ref());
        // In place of its standard output: the namespace it has to enter.
        let output = namespace.map_or(Ok(Stdio::null()), |it| it.try_clone().map(Stdio::from))?;
        let mut command = tokio::process::Command::new(&self.python);
        command.args(["-I", "-S", "-c", &self.script, &settings.to_string()]);
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(output)
            .stderr(Stdio::inherit())
            .process_group(0)
            .kill_on_drop(true);
        Ok(Running { socket, _process: command.spawn()? })
    }
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
