//! A log as server-sent events, for as long as the execution lives and the reader may see it.

use crate::{
    execution_wait::LOOK_EVERY, extract::Signed, gate::still_good,
    routes::execution_logs::LineReply, state::ApiState,
};
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use domain::{
    ExecutionId,
    execution::{Progress, Status},
};
use futures_util::{Stream, StreamExt, stream};
use jobs::ExecutionWatch;
use serde::Serialize;
use std::{convert::Infallible, time::Duration};
use tokio::time::timeout;

const LINES_AT_ONCE: u32 = 500;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a reader is in a log.
pub struct Follow {
    state: ApiState,
    signed: Signed,
    id: ExecutionId,
    after: i64,
    watch: ExecutionWatch,
    progress: Option<Progress>,
    ended: bool,
}

/// The last event.
#[derive(Serialize)]
struct End {
    status: Status,
}

impl Follow {
    /// A reader who has seen everything up to line `after`.
    pub fn new(state: ApiState, signed: Signed, id: ExecutionId, after: i64) -> Self {
        let watch = state.bells.watch_execution(id);
        Self { state, signed, id, after, watch, progress: None, ended: false }
    }

    /// The next events; `None` when the stream is over.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            if self.ended || !self.may_read().await {
                return None;
            }
            let scoped = self.state.scoped(&self.signed);
            // The status first: lines are written before it becomes an outcome, so what is read
            // after an outcome is everything.
            let execution = scoped.execution(self.id).await.ok()??;
            let status = execution.status;
            let lines = scoped.logs(self.id, self.after, LINES_AT_ONCE).await.ok()??;
            let all = lines.len() < LINES_AT_ONCE as usize;
            self.after = lines.last().map_or(self.after, |line| line.seq);
            let mut events: Vec<_> = lines.into_iter().filter_map(|it| event(it.into())).collect();
            if execution.progress != self.progress {
                self.progress = execution.progress;
                events.extend(progress(self.progress.as_ref()));
            }
            if all && status.is_outcome() {
                self.ended = true;
                events.extend(Event::default().event("end").json_data(End { status }).ok());
            }
            if !events.is_empty() {
                return Some(events);
            }
            // A server that stops ends its streams: a reader goes on at another one, or here later.
            let stopping = &self.state.leaving.stopping;
            tokio::select! {
                () = stopping.cancelled() => return None,
                _ = timeout(LOOK_EVERY, self.watch.changed()) => {}
            }
        }
    }

    /// A stream ends with the right to read it: with its token, its person, its organization.
    async fn may_read(&mut self) -> bool {
        let expired = self.signed.proof.is_over(self.state.now());
        match still_good(&self.state, self.signed.proof.clone()).await {
            Ok(signed) if !expired => {
                self.signed = signed;
                true
            }
            _ => false,
        }
    }
}

fn progress(progress: Option<&Progress>) -> Option<Event> {
    Event::default().event("progress").json_data(progress?).ok()
}

fn event(line: LineReply) -> Option<Event> {
    Event::default().id(line.seq.to_string()).event("log").json_data(line).ok()
}

fn events(follow: Follow) -> impl Stream<Item = Result<Event, Infallible>> {
    let steps = stream::unfold(follow, |mut follow| async move {
        follow.next().await.map(|events| (events, follow))
    });
    steps.flat_map(|events| stream::iter(events.into_iter().map(Ok)))
}

/// The stream as a reply.
pub fn reply(follow: Follow) -> Response {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(events(follow)).keep_alive(keep_alive).into_response()
}
