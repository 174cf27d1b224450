//! Watches over one child until it is gone: its end, its time, the wish to stop it.

use crate::{
    frames::Outgoing,
    listening::End,
    outcome::{Ending, Stop},
    zygote::{Child, Exit},
};
use bytes::Bytes;
use futures_util::future::{Fuse, FusedFuture};
use rustix::process::Signal;
use std::{future::Future, pin::Pin, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long a child may take to go after its end, and after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long a zygote may take to report a child that was killed.
const REAP: Duration = Duration::from_secs(5);
/// How long frames of a child that is gone are still read.
const REST: Duration = Duration::from_secs(10);

/// One child being watched.
pub(crate) struct Watch<'a, L> {
    pub child: &'a mut Child,
    /// The listening, which must go on whatever else happens.
    pub listening: Pin<&'a mut Fuse<L>>,
    pub deadline: Instant,
    pub cancel: &'a CancellationToken,
    /// Seconds of processor time after which the kernel kills it.
    pub cpu_seconds: u64,
    /// Frames to the child.
    pub replies: &'a mpsc::Sender<Vec<Bytes>>,
}

impl<L: Future<Output = End>> Watch<'_, L> {
    /// Until the child is reaped and nothing it has started is left.
    pub(crate) async fn watch(mut self) -> Ending {
        let cancel = self.cancel.clone();
        tokio::select! {
            biased;
            end = &mut self.listening => self.after_end(end).await,
            exit = self.child.exited() => {
                let end = self.rest().await;
                self.ending(None, end, exit, Instant::now())
            }
            () = cancel.cancelled() => self.stop(Stop::Cancelled).await,
            () = sleep_until(self.deadline) => self.stop(Stop::TimedOut).await,
        }
    }

    async fn after_end(&mut self, end: End) -> Ending {
        let known = Instant::now();
        if let End::Broken(_) = end {
            let exit = self.kill().await;
            return self.ending(None, end, exit, known);
        }
        // One that closed its socket may be about to go: how it does tells what happened.
        let (end, exit) = match (timeout(GRACE, self.child.exited()).await, end) {
            (Ok(exit), end) => (end, exit),
            (Err(_), End::Silence) => (End::HungUp, self.kill().await),
            (Err(_), end) => (end, self.kill().await),
        };
        self.ending(None, end, exit, known)
    }

    fn ending(&self, stop: Option<Stop>, end: End, exit: Exit, known: Instant) -> Ending {
        // Far below the 2^53 that are exact.
        let spent = self.child.cpu() >= self.cpu_seconds as f64;
        Ending { stop, end, exit, spent, known }
    }

    /// Asks it to go, and kills it if it does not.
    async fn stop(&mut self, stop: Stop) -> Ending {
        let known = Instant::now();
        // A child that does not read is ended all the same.
        let _full = self.replies.try_send(vec![Outgoing::Cancel.to_bytes()]);
        self.child.kill(Signal::TERM);
        let exit = match self.exit_while_listening(GRACE).await {
            Some(exit) => exit,
            None => self.kill().await,
        };
        let end = self.rest().await;
        self.ending(Some(stop), end, exit, known)
    }

    /// Kills its whole process group and waits until that is done.
    async fn kill(&mut self) -> Exit {
        self.child.kill(Signal::KILL);
        if let Some(exit) = self.exit_while_listening(REAP).await {
            return exit;
        }
        tracing::error!(
            "a zygote does not report a killed child; it is killed with all of its children"
        );
        self.child.kill_directly();
        Exit::Lost
    }

    /// Waits for the exit while log lines and calls still go through.
    async fn exit_while_listening(&mut self, limit: Duration) -> Option<Exit> {
        let until = Instant::now() + limit;
        loop {
            tokio::select! {
                biased;
                exit = self.child.exited() => return Some(exit),
                _end = &mut self.listening, if !self.listening.is_terminated() => {}
                () = sleep_until(until) => return None,
            }
        }
    }

    /// What a child that is gone has left in the socket. A process that escaped from its group
    /// may hold the other end open, so this too has an end.
    async fn rest(&mut self) -> End {
        if self.listening.is_terminated() {
            return End::Silence;
        }
        timeout(REST, &mut self.listening).await.unwrap_or(End::Silence)
    }
}
