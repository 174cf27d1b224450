//! Tells a run's log and its organization's audit what was refused.

use super::{Gate, MOST_LOGGED, Policy, Report, Traffic};
use crate::{
    logs::LogGate,
    masking::Masking,
    sources::{Sources, now},
};
use domain::{Access, audit::Event, execution::LogLevel};
use serde_json::json;
use std::{io, net::TcpListener};
use tokio::sync::mpsc;

/// The way out of one run; `None` for a run that has none.
pub(crate) struct WayOut {
    gate: Option<Gate>,
    reports: mpsc::Receiver<Report>,
}

impl WayOut {
    /// Opens the gate behind `listener`, before the run says or does anything.
    pub fn open(listener: Option<TcpListener>, policy: Policy) -> io::Result<Self> {
        let (reporter, reports) = mpsc::channel(MOST_LOGGED);
        let gate = listener.map(|listener| Gate::open(listener, policy, reporter)).transpose()?;
        Ok(Self { gate, reports })
    }

    /// Tells what is refused while `talk` goes on, then closes the gate. What `talk` came to, once
    /// all is told, and what passed.
    pub async fn during<T>(
        self,
        teller: &Teller<'_>,
        talk: impl Future<Output = T>,
    ) -> (T, Traffic) {
        let talk = async {
            let outcome = talk.await;
            match self.gate {
                Some(gate) => (outcome, gate.close().await),
                None => (outcome, Traffic::default()),
            }
        };
        // The gate has the other end of the reports: the second one ends after the first.
        let (ended, ()) = tokio::join!(talk, teller.tell_all(self.reports));
        teller.sum_up(ended.1).await;
        ended
    }
}

/// Where refusals are told.
pub(crate) struct Teller<'a> {
    pub log: &'a LogGate,
    pub masking: &'a Masking,
    pub sources: &'a Sources,
    pub access: &'a Access,
}

impl Teller<'_> {
    async fn tell_all(&self, mut reports: mpsc::Receiver<Report>) {
        while let Some(report) = reports.recv().await {
            self.tell(report).await;
        }
    }

    async fn tell(&self, report: Report) {
        self.log.push(LogLevel::Warning, &report.text, now()).await;
        if !report.audited {
            return;
        }
        // An entry is never changed: a secret that was sent as a name must not get there.
        let target = self.masking.text(&report.target);
        let event =
            Event::denied("network.refused", target).with(json!({ "because": report.rule }));
        if let Err(error) = self.sources.refused(self.access, event).await {
            tracing::error!(%error, "a refusal of the network is not in the audit");
        }
    }

    /// Says at the end what passed, if anything did.
    async fn sum_up(&self, traffic: Traffic) {
        let Traffic { connections, sent, received, refused } = traffic;
        if connections > 0 || refused > 0 {
            let text = format!(
                "network: {connections} connections, {sent} bytes sent, {received} received, \
                 {refused} refused"
            );
            self.log.push(LogLevel::Debug, &text, now()).await;
        }
    }
}

#[cfg(test)]
mod tests;
