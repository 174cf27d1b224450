//! Writes to the cache behind the runs, one after the other, with bounded memory.

use crate::{
    File, Key,
    backend::{Answer, Asked, Backend},
    key::word,
    metrics, value,
};
use domain::Scope;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::HashSet, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::AbortHandle,
};

/// Bytes that may wait to be written. What does not fit is not kept.
const WAITING: usize = 32 * 1024 * 1024;
/// Bytes of memory that one file of an index is counted as.
pub(crate) const INDEX_ENTRY: usize = 160;
/// The longest index that is written: some 25,000 files.
const LONGEST_INDEX: usize = 4 * 1024 * 1024;
/// The longest generation, in decimal digits and a sign.
const LONGEST_NUMBER: usize = 20;
/// Most keys removed at a time.
const REMOVED_AT_ONCE: usize = 512;

/// Something to be done to the cache.
pub(crate) enum Job {
    Keep { owner: Scope, files: Vec<(File, Vec<u8>)> },
    Index { owner: Scope, generation: i64, files: Arc<[File]> },
    Remove(Vec<Key>),
    Forget(Scope),
    Settled(oneshot::Sender<()>),
}

/// What a scope has, as Redis is told.
#[derive(Serialize, Deserialize)]
struct Index<'a> {
    org: Cow<'a, str>,
    generation: i64,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    path: Cow<'a, str>,
    version: u32,
    hash: Cow<'a, str>,
}

/// The way to the task that writes; it ends with this.
pub(crate) struct Writer {
    jobs: mpsc::UnboundedSender<(Job, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Writer {
    pub(crate) fn start(backend: Arc<Backend>) -> Self {
        let (jobs, mut waiting) = mpsc::unbounded_channel::<(Job, OwnedSemaphorePermit)>();
        let task = tokio::spawn(async move {
            while let Some((job, _room)) = waiting.recv().await {
                run(&backend, job).await;
            }
        });
        let (room, task) = (Arc::new(Semaphore::new(WAITING)), task.abort_handle());
        Self { jobs, room, task }
    }

    /// Hands a job over that takes so many bytes of memory, if there is room.
    pub(crate) fn send(&self, job: Job, bytes: usize) {
        self.send_with(bytes, || job);
    }

    /// As [`Writer::send`]; the job is made only if there is room for it.
    pub(crate) fn send_with(&self, bytes: usize, job: impl FnOnce() -> Job) {
        let permits = u32::try_from(bytes.min(WAITING)).unwrap_or(u32::MAX);
        match self.room.clone().try_acquire_many_owned(permits) {
            // The task outlives every sender.
            Ok(room) => drop(self.jobs.send((job(), room))),
            Err(_) => metrics::skipped(),
        }
    }

    /// Waits for everything that was sent before.
    pub(crate) async fn settle(&self) {
        let (done, settled) = oneshot::channel();
        self.send(Job::Settled(done), 0);
        // A task that is gone has nothing left to do.
        let _gone = settled.await;
    }
}

async fn run(backend: &Backend, job: Job) {
    match job {
        Job::Keep { owner, files } => keep(backend, owner, files).await,
        Job::Index { owner, generation, files } => index(backend, owner, generation, &files).await,
        Job::Remove(keys) => remove(backend, keys).await,
        Job::Forget(owner) => forget(backend, owner).await,
        // Whoever asked may have stopped waiting.
        Job::Settled(done) => drop(done.send(())),
    }
}

async fn keep(backend: &Backend, owner: Scope, files: Vec<(File, Vec<u8>)>) {
    let values = files.into_iter().map(|(file, content)| {
        (Key::module(owner, &file.path), value::encode(owner, &file, &content))
    });
    backend.put(values.collect()).await;
}

/// Writes the index of a generation that is not there, and removes what it no longer has.
async fn index(backend: &Backend, owner: Scope, generation: i64, files: &[File]) {
    let key = Key::generation(owner);
    let Some(known) = one(backend, key.clone(), LONGEST_NUMBER).await else { return };
    if known == generation.to_string().as_bytes() {
        return;
    }
    let Some(before) = paths(backend, owner).await else { return };
    let now: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let gone = before.iter().filter(|path| !now.contains(path.as_str()));
    remove(backend, gone.map(|path| Key::module(owner, path)).collect()).await;
    let entries = files.iter().map(|file| Entry {
        path: file.path.as_str().into(),
        version: file.version,
        hash: hex::encode(file.hash).into(),
    });
    let index = Index { org: word(owner).into(), generation, files: entries.collect() };
    let text = serde_json::to_vec(&index).unwrap_or_default();
    if text.len() <= LONGEST_INDEX {
        let number = generation.to_string().into_bytes();
        backend.put(vec![(Key::index(owner), text), (key, number)]).await;
    }
}

async fn forget(backend: &Backend, owner: Scope) {
    let Some(paths) = paths(backend, owner).await else { return };
    let mut keys: Vec<_> = paths.iter().map(|path| Key::module(owner, path)).collect();
    keys.extend([Key::index(owner), Key::generation(owner)]);
    remove(backend, keys).await;
}

async fn remove(backend: &Backend, keys: Vec<Key>) {
    for some in keys.chunks(REMOVED_AT_ONCE) {
        backend.remove(some).await;
    }
}

/// The paths that the index has; `None` when nothing can be asked. They only ever become keys of
/// `owner`, so an index that somebody else wrote removes nothing of anybody else.
async fn paths(backend: &Backend, owner: Scope) -> Option<Vec<String>> {
    let text = one(backend, Key::index(owner), LONGEST_INDEX).await?;
    let index = serde_json::from_slice::<Index<'_>>(&text);
    let files = index.map(|index| index.files).unwrap_or_default();
    Some(files.into_iter().map(|entry| entry.path.into_owned()).collect())
}

/// One value; empty if there is none.
async fn one(backend: &Backend, key: Key, at_most: usize) -> Option<Vec<u8>> {
    match backend.get(&[Asked { key, at_most }]).await?.pop() {
        Some(Answer::Value(value)) => Some(value.to_vec()),
        _ => Some(Vec::new()),
    }
}
