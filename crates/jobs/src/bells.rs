//! Bells inside one process: there is work, something about an execution has changed.
//!
//! A bell carries no news, it only says that looking into the store is worthwhile. Other
//! processes are reached by looking now and then, so a missed ring costs time, never correctness.

use domain::ExecutionId;
use std::{collections::HashMap, sync::Arc, sync::Mutex, sync::PoisonError};
use tokio::sync::{Notify, watch};

/// All bells of a process. Clones ring the same ones.
#[derive(Clone, Default)]
pub struct Bells(Arc<Inner>);

#[derive(Default)]
struct Inner {
    work: Notify,
    cancel: Notify,
    executions: Mutex<HashMap<ExecutionId, watch::Sender<()>>>,
}

impl Bells {
    /// Says that something was enqueued.
    pub fn ring_work(&self) {
        self.0.work.notify_one();
    }

    /// Waits until something was enqueued since the last wait.
    pub async fn work(&self) {
        self.0.work.notified().await;
    }

    /// Says that somebody wants an execution stopped.
    pub fn ring_cancel(&self) {
        self.0.cancel.notify_one();
    }

    /// Waits until somebody wants an execution stopped.
    pub async fn cancel(&self) {
        self.0.cancel.notified().await;
    }

    /// Says that an execution's state or log has changed.
    pub fn ring_execution(&self, id: ExecutionId) {
        let mut executions = self.0.executions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = executions.get(&id) {
            let listened_to = bell.send(()).is_ok();
            if !listened_to {
                executions.remove(&id);
            }
        }
    }

    /// Listens to an execution from now on: watch first, then read its state, then wait.
    pub fn watch_execution(&self, id: ExecutionId) -> ExecutionWatch {
        let mut executions = self.0.executions.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = executions.entry(id).or_insert_with(|| watch::channel(()).0);
        let mut receiver = bell.subscribe();
        receiver.mark_unchanged();
        ExecutionWatch { receiver: Some(receiver), id, bells: self.clone() }
    }

    /// How many executions are listened to.
    pub fn watched(&self) -> usize {
        self.0.executions.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn forget(&self, id: ExecutionId) {
        let mut executions = self.0.executions.lock().unwrap_or_else(PoisonError::into_inner);
        if executions.get(&id).is_some_and(|bell| bell.receiver_count() == 0) {
            executions.remove(&id);
        }
    }
}

/// An ear for one execution.
pub struct ExecutionWatch {
    receiver: Option<watch::Receiver<()>>,
    id: ExecutionId,
    bells: Bells,
}

impl ExecutionWatch {
    /// Waits until the bell rings; rings since the last wait count.
    pub async fn changed(&mut self) {
        let rang = match &mut self.receiver {
            Some(receiver) => receiver.changed().await.is_ok(),
            None => false,
        };
        if !rang {
            std::future::pending().await
        }
    }
}

impl Drop for ExecutionWatch {
    fn drop(&mut self) {
        self.receiver = None;
        self.bells.forget(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::Bells;
    use domain::ExecutionId;

    #[tokio::test]
    async fn a_ring_between_watching_and_waiting_is_heard_and_nothing_stays_behind() {
        let bells = Bells::default();
        let id = ExecutionId(uuid::Uuid::now_v7());
        bells.ring_execution(id);
        let mut watch = bells.watch_execution(id);
        bells.ring_execution(id);
        watch.changed().await;
        assert_eq!(bells.watched(), 1);
        drop(watch);
        assert_eq!(bells.watched(), 0);
    }

    #[tokio::test]
    async fn work_rung_before_the_wait_is_heard() {
        let bells = Bells::default();
        bells.ring_work();
        bells.work().await;
    }
}
