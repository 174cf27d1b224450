//! Contents of files between the database and the bundles, in memory or in Redis.
//!
//! Nothing that comes from here is believed: [`Cache::contents`] is asked for contents by the hash
//! that the database's own index has, and gives what has this hash or nothing. So a cache that is
//! lost, slow, flushed, full or poisoned costs time and never changes what runs
//! (`docs/decisions/0015-what-the-cache-may-say.md`). The way of a question: [`Cache`] → `backend`
//! (`memory`, or `redis`, which `redis::link` keeps connected) → `value`, which checks. What is
//! kept goes through `writer`, behind the runs.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod address;
mod backend;
mod key;
mod memory;
pub mod metrics;
mod redis;
mod value;
mod writer;

pub use address::{Address, BadAddress};
pub use key::Key;
pub use redis::check;
pub use value::{Dropped, File};

use backend::{Answer, Asked, Backend};
use domain::{Access, Scope};
use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use writer::{Job, Writer};

/// How long a value is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Files with more bytes are read from the database.
const MAX_CONTENT: u64 = 4 * 1024 * 1024;
/// Most files in one question.
const FILES_AT_ONCE: usize = 256;
/// Most bytes of contents in one question, beyond its first file.
const BYTES_AT_ONCE: u64 = 1024 * 1024;
/// A cache that answers slowly is not asked any more after this time.
const PATIENCE: Duration = Duration::from_millis(750);

/// How a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// In this process's memory: nothing to be lost.
    Memory,
    /// Redis answers and keeps what it is given.
    Up,
    /// Redis does not answer, or keeps nothing: runs read the database.
    Degraded,
}

/// The cache of a process. Cheap to clone; ends with its last clone.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<Backend>,
    writer: Arc<Writer>,
}

impl Cache {
    /// In memory, at most so many bytes.
    pub fn memory(bytes: u64) -> Self {
        Self::over(Backend::Memory(memory::Memory::new(bytes)))
    }

    /// In Redis. When it cannot be reached within a second, this goes on without it and tries
    /// again in the background.
    pub async fn redis(address: Address) -> Self {
        if address.is_open() {
            tracing::warn!(redis = %address, "whoever reaches Redis can read workspace files \
                there: see docs/cache.md for a password and TLS");
        }
        Self::over(Backend::Redis(redis::Redis::open(address).await))
    }

    fn over(backend: Backend) -> Self {
        let backend = Arc::new(backend);
        let writer = Arc::new(Writer::start(backend.clone()));
        Self { backend, writer }
    }

    /// How it is at the moment.
    pub fn health(&self) -> Health {
        self.backend.health()
    }

    /// What is kept of `wanted`, files of `owner` out of the index that the database gave for
    /// `access`: by path, and with exactly the hashes of the index.
    pub async fn contents(
        &self,
        access: &Access,
        owner: Scope,
        wanted: &[&File],
    ) -> HashMap<String, Vec<u8>> {
        let mut found = HashMap::new();
        if !may_read(access, owner) {
            return found;
        }
        let begun = Instant::now();
        let cached: Vec<&File> = wanted.iter().copied().filter(|file| is_kept(file)).collect();
        for chunk in chunks(&cached, |file| file.size) {
            let Some(some) = self.some(owner, chunk).await else { break };
            found.extend(some);
            if begun.elapsed() > PATIENCE {
                break;
            }
        }
        metrics::found(found.len(), wanted.len() - found.len());
        metrics::took("read", begun.elapsed());
        found
    }

    async fn some(&self, owner: Scope, files: &[&File]) -> Option<Vec<(String, Vec<u8>)>> {
        let asked = files.iter().map(|file| Asked {
            key: Key::module(owner, &file.path),
            at_most: value::longest(file),
        });
        let asked: Vec<Asked> = asked.collect();
        let answers = self.backend.get(&asked).await?;
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for ((file, asked), answer) in files.iter().zip(asked).zip(answers) {
            let decoded = match answer {
                Answer::Nothing => continue,
                Answer::Value(value) => value::decode(owner, file, &value),
                Answer::Odd => Err(Dropped::Unreadable),
            };
            match decoded {
                Ok(content) => found.push((file.path.clone(), content)),
                Err(why) => {
                    metrics::dropped(why);
                    wrong.push(asked.key);
                }
            }
        }
        if !wrong.is_empty() {
            tracing::debug!(values = wrong.len(), "values of the cache were dropped");
            self.writer.send(Job::Remove(wrong), 0);
        }
        Some(found)
    }

    /// Keeps contents that the database gave for `access`, in the background.
    pub fn keep(&self, access: &Access, owner: Scope, files: &[(&File, &[u8])]) {
        if !may_read(access, owner) || !self.answers() {
            return;
        }
        let kept: Vec<_> = files.iter().filter(|(file, _)| is_kept(file)).collect();
        for chunk in chunks(&kept, |(file, _)| file.size) {
            let bytes = chunk.iter().map(|(_, content)| content.len()).sum();
            let files = || chunk.iter().map(|(file, content)| ((*file).clone(), content.to_vec()));
            self.writer.send_with(bytes, || Job::Keep { owner, files: files().collect() });
        }
    }

    /// Tells which files `owner` has at `generation`, so that those it has no longer are removed
    /// and all can be found again by [`Cache::forget`]. Nothing else is ever read from this.
    pub fn keep_index(&self, access: &Access, owner: Scope, generation: i64, files: Arc<[File]>) {
        if may_read(access, owner) && self.answers() {
            let bytes = files.len() * writer::INDEX_ENTRY;
            self.writer.send(Job::Index { owner, generation, files }, bytes);
        }
    }

    /// Removes what is kept of an organization that goes. What cannot be reached now runs out by
    /// itself within a day.
    pub async fn forget(&self, owner: Scope) {
        self.writer.send(Job::Forget(owner), 0);
        self.settle().await;
    }

    /// Waits until everything given so far is kept, or given up.
    pub async fn settle(&self) {
        self.writer.settle().await;
    }

    fn answers(&self) -> bool {
        match &*self.backend {
            Backend::Memory(_) => true,
            Backend::Redis(redis) => redis.is_connected(),
        }
    }
}

/// An organization's own and Global's, and nothing of anybody else.
fn may_read(access: &Access, owner: Scope) -> bool {
    owner == Scope::Global || owner == access.scope()
}

fn is_kept(file: &File) -> bool {
    file.size <= MAX_CONTENT
}

/// Parts of `items` that are small enough for one question.
fn chunks<T>(items: &[T], size: impl Fn(&T) -> u64) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(FILES_AT_ONCE).take_while(|item| {
            bytes += size(item);
            bytes <= BYTES_AT_ONCE
        });
        let count = fits.count().max(1).min(rest.len());
        let (chunk, after) = rest.split_at(count);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({:?})", self.health())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_small_and_together_everything() {
        let small: Vec<u64> = vec![1; FILES_AT_ONCE + 1];
        let counts =
            |items: &[u64]| chunks(items, |size| *size).map(<[u64]>::len).collect::<Vec<_>>();
        assert_eq!(counts(&small), [FILES_AT_ONCE, 1]);
        assert_eq!(counts(&[BYTES_AT_ONCE, 1, BYTES_AT_ONCE * 3, 1, 1]), [1, 1, 1, 2]);
        assert_eq!(counts(&[]), Vec::<usize>::new());
    }
}
