//! Bells inside one process: there is work, something about an execution has changed.
//!
//! A bell carries no news, it only says that looking into the store is worthwhile. Other
//! processes are told by [`crate::carry_bells`], or find out by looking now and then: a missed ring
//! costs time, never correctness.

use domain::ExecutionId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::News;
use tokio::sync::{Notify, watch};

/// All bells of a process. Clones ring the same ones.
#[derive(Clone, Default)]
pub struct Bells(Arc<Inner>);

#[derive(Default)]
struct Inner {
    work: Notify,
    cancel: Notify,
    executions: Mutex<HashMap<ExecutionId, watch::Sender<()>>>,
    /// What other processes have not been told yet, once somebody tells them.
    untold: Mutex<Option<News>>,
    telling: Notify,
}

impl Bells {
    /// Says that something was enqueued.
    pub fn ring_work(&self) {
        self.0.work.notify_one();
        self.note(|news| news.work = true);
    }

    /// Waits until something was enqueued since the last wait.
    pub async fn work(&self) {
        self.0.work.notified().await;
    }

    /// Says that somebody wants an execution stopped.
    pub fn ring_cancel(&self) {
        self.0.cancel.notify_one();
        self.note(|news| news.cancel = true);
    }

    /// Waits until somebody wants an execution stopped.
    pub async fn cancel(&self) {
        self.0.cancel.notified().await;
    }

    /// Says that an execution's state or log has changed.
    pub fn ring_execution(&self, id: ExecutionId) {
        self.ring_execution_here(id);
        self.note(|news| _ = news.executions.insert(id));
    }

    /// Rings what another process has rung.
    pub(crate) fn ring_here(&self, news: &News) {
        if news.work {
            self.0.work.notify_one();
        }
        if news.cancel {
            self.0.cancel.notify_one();
        }
        for id in &news.executions {
            self.ring_execution_here(*id);
        }
    }

    /// Rings every bell: others may have rung any of them unheard.
    pub(crate) fn ring_everything(&self) {
        let executions = self.watches().keys().copied().collect();
        self.ring_here(&News { work: true, cancel: true, executions });
    }

    /// From now on, what is rung here is kept for others until it is told.
    pub(crate) fn carry_out(&self) {
        self.untold().get_or_insert_default();
    }

    /// Waits until there is something to tell others, and takes it.
    pub(crate) async fn news(&self) -> News {
        loop {
            let telling = self.0.telling.notified();
            let news = self.untold().as_mut().map(std::mem::take).unwrap_or_default();
            if !news.is_empty() {
                return news;
            }
            telling.await;
        }
    }

    fn note(&self, note: impl FnOnce(&mut News)) {
        if let Some(news) = self.untold().as_mut() {
            note(news);
            self.0.telling.notify_one();
        }
    }

    fn untold(&self) -> MutexGuard<'_, Option<News>> {
        self.0.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<ExecutionId, watch::Sender<()>>> {
        self.0.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_execution_here(&self, id: ExecutionId) {
        let mut executions = self.watches();
        if let Some(bell) = executions.get(&id) {
            let listened_to = bell.send(()).is_ok();
            if !listened_to {
                executions.remove(&id);
            }
        }
    }

    /// Listens to an execution from now on: watch first, then read its state, then wait.
    pub fn watch_execution(&self, id: ExecutionId) -> ExecutionWatch {
        let mut executions = self.watches();
        let bell = executions.entry(id).or_insert_with(|| watch::channel(()).0);
        let mut receiver = bell.subscribe();
        receiver.mark_unchanged();
        ExecutionWatch { receiver: Some(receiver), id, bells: self.clone() }
    }

    /// How many executions are listened to.
    pub fn watched(&self) -> usize {
        self.watches().len()
    }

    fn forget(&self, id: ExecutionId) {
        let mut executions = self.watches();
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
