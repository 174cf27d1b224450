//! What a zygote says.

use crate::control::Control;
use serde::{Deserialize, de::Error as _};

/// One packet about one run.
#[derive(Debug, PartialEq)]
pub(crate) struct Notice {
    pub run: String,
    pub event: Event,
}

/// What happened to a child.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// It lives.
    Forked,
    /// There is none, for this reason.
    ForkFailed(String),
    /// It was reaped: its exit code, or minus the signal, and the seconds of processor time it took.
    Exited { status: i32, cpu: f64 },
    /// The zygote is gone, and it with it.
    Lost,
}

/// The first word of a zygote.
#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    /// The version.
    pub python: String,
    /// What its code objects are keyed by.
    pub tag: String,
    /// Names at the top of the installed packages it has imported.
    #[serde(default)]
    pub packages: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Packet {
    Ready(Ready),
    Forked { run: String },
    ForkFailed { run: String, error: String },
    Exited { run: String, status: i32, cpu: f64 },
}

impl Notice {
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, serde_json::Error> {
        let (run, event) = match serde_json::from_slice(packet)? {
            Packet::Forked { run } => (run, Event::Forked),
            Packet::ForkFailed { run, error } => (run, Event::ForkFailed(error)),
            Packet::Exited { run, status, cpu } => (run, Event::Exited { status, cpu }),
            Packet::Ready(_) => {
                return Err(serde_json::Error::custom("a second `ready`"));
            }
        };
        Ok(Self { run, event })
    }
}

/// Waits for the first packet.
pub(crate) async fn ready(control: &Control) -> Result<Ready, String> {
    match control.receive().await {
        Ok(Some(packet)) => match serde_json::from_slice(&packet) {
            Ok(Packet::Ready(ready)) => Ok(ready),
            Ok(_) => Err("its first word was not `ready`".to_owned()),
            Err(error) => Err(format!("its first word was no event: {error}")),
        },
        Ok(None) => Err("it left".to_owned()),
        Err(error) => Err(format!("its channel failed: {error}")),
    }
}
