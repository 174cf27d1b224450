//! The two places where values can be, and the few things asked of either.

use crate::{Health, Key, memory::Memory, redis::Redis};
use bytes::Bytes;

/// Where values are.
pub(crate) enum Backend {
    Memory(Memory),
    Redis(Redis),
}

/// A value that is asked for.
pub(crate) struct Asked {
    pub key: Key,
    /// A longer one is not what was kept under this name.
    pub at_most: usize,
}

/// What there is under a name.
pub(crate) enum Answer {
    Nothing,
    Value(Bytes),
    /// Something that was not kept there by a cache.
    Odd,
}

impl Backend {
    pub(crate) fn health(&self) -> Health {
        match self {
            Self::Memory(_) => Health::Memory,
            Self::Redis(redis) => redis.health(),
        }
    }

    /// One answer for each of `asked`; `None` when nothing can be asked at the moment.
    pub(crate) async fn get(&self, asked: &[Asked]) -> Option<Vec<Answer>> {
        let answers = match self {
            Self::Memory(memory) => asked.iter().map(|asked| memory.get(&asked.key)).collect(),
            Self::Redis(redis) => redis.get(asked).await?,
        };
        let checked = answers.into_iter().zip(asked).map(|(answer, asked)| match answer {
            Answer::Value(value) if value.len() > asked.at_most => Answer::Odd,
            answer => answer,
        });
        Some(checked.collect())
    }

    /// Keeps values. One that cannot be kept is counted and forgotten.
    pub(crate) async fn put(&self, values: Vec<(Key, Vec<u8>)>) {
        match self {
            Self::Memory(memory) => {
                values.into_iter().for_each(|(key, value)| memory.put(key, value));
            }
            Self::Redis(redis) => redis.put(values).await,
        }
    }

    /// Removes values, if they are there.
    pub(crate) async fn remove(&self, keys: &[Key]) {
        match self {
            Self::Memory(memory) => keys.iter().for_each(|key| memory.remove(key)),
            Self::Redis(redis) => redis.remove(keys).await,
        }
    }
}
