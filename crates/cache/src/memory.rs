//! The cache in this process's memory, bounded by bytes.

use crate::{Key, backend::Answer};
use bytes::Bytes;
use moka::sync::Cache;

/// Values by name, the least used let go.
pub(crate) struct Memory(Cache<Key, Bytes>);

/// Bytes that an entry takes beside its name and its value.
const OVERHEAD: usize = 128;

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, value: &Bytes| {
            u32::try_from(key.as_str().len() + value.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().weigher(weigh).max_capacity(bytes).time_to_live(crate::KEPT).build())
    }

    pub(crate) fn get(&self, key: &Key) -> Answer {
        self.0.get(key).map_or(Answer::Nothing, Answer::Value)
    }

    pub(crate) fn put(&self, key: Key, value: Vec<u8>) {
        self.0.insert(key, value.into());
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.0.invalidate(key);
    }
}
