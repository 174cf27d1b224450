//! The cache in Redis or Valkey.

mod connection;
mod link;

pub use connection::check;

use crate::{
    Address, Health, KEPT, Key,
    backend::{Answer, Asked},
    metrics,
};
use ::redis::{Cmd, RedisError, Value, cmd};
use link::Link;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Longest time that a run waits for one answer.
const READ: Duration = Duration::from_millis(250);
/// Longest time for a write, which nobody waits for.
const WRITE: Duration = Duration::from_secs(1);
/// Most bytes written at a time, beyond the first value.
const WRITTEN_AT_ONCE: usize = 1024 * 1024;

/// Redis, as long as it answers.
pub(crate) struct Redis {
    link: Link,
    /// It answers and keeps nothing: full, read-only, or forbidden.
    refuses: AtomicBool,
}

impl Redis {
    pub(crate) async fn open(address: Address) -> Self {
        Self { link: Link::open(address).await, refuses: AtomicBool::new(false) }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_up()
    }

    pub(crate) fn health(&self) -> Health {
        match self.link.is_up() && !self.refuses.load(Ordering::Relaxed) {
            true => Health::Up,
            false => Health::Degraded,
        }
    }

    /// `GETRANGE` rather than `GET`, so that a huge value costs no more than the right one.
    pub(crate) async fn get(&self, asked: &[Asked]) -> Option<Vec<Answer>> {
        let commands = asked.iter().map(|asked| {
            let mut get = cmd("GETRANGE");
            get.arg(asked.key.as_str()).arg(0).arg(asked.at_most);
            get
        });
        let Some(replies) = self.link.run(commands.collect(), READ).await else {
            metrics::failed("read");
            return None;
        };
        let answers: Result<Vec<_>, RedisError> = replies.into_iter().map(answer).collect();
        match answers {
            Ok(answers) => Some(answers),
            Err(error) => {
                metrics::failed("read");
                self.link.lose(&error);
                None
            }
        }
    }

    pub(crate) async fn put(&self, values: Vec<(Key, Vec<u8>)>) {
        let (mut commands, mut bytes) = (Vec::new(), 0);
        for (key, value) in values {
            bytes += value.len();
            let mut set = cmd("SET");
            set.arg(key.as_str()).arg(value).arg("EX").arg(KEPT.as_secs());
            commands.push(set);
            if bytes >= WRITTEN_AT_ONCE {
                self.write(std::mem::take(&mut commands)).await;
                bytes = 0;
            }
        }
        self.write(commands).await;
    }

    pub(crate) async fn remove(&self, keys: &[Key]) {
        let unlink = |key: &Key| {
            let mut unlink = cmd("UNLINK");
            unlink.arg(key.as_str());
            unlink
        };
        // Removing goes on when Redis is full.
        self.send(keys.iter().map(unlink).collect()).await;
    }

    async fn write(&self, commands: Vec<Cmd>) {
        if commands.is_empty() {
            return;
        }
        if let Some(refused) = self.send(commands).await
            && self.refuses.swap(refused, Ordering::Relaxed) != refused
        {
            match refused {
                true => tracing::warn!("Redis keeps nothing more; runs read the database"),
                false => tracing::info!("Redis keeps values again"),
            }
        }
    }

    /// Whether any of the commands was refused; `None` when there was no answer.
    async fn send(&self, commands: Vec<Cmd>) -> Option<bool> {
        let begun = Instant::now();
        let Some(replies) = self.link.run(commands, WRITE).await else {
            metrics::failed("write");
            return None;
        };
        metrics::took("write", begun.elapsed());
        let errors = replies.iter().filter_map(|reply| reply.as_ref().err());
        let errors = errors.inspect(|error| {
            metrics::failed("write");
            tracing::debug!(code = error.code(), "Redis refused a write");
        });
        Some(errors.count() > 0)
    }
}

/// What a reply of `GETRANGE` says; an error is one of Redis, not of the value.
fn answer(reply: Result<Value, RedisError>) -> Result<Answer, RedisError> {
    match reply {
        Ok(Value::BulkString(value)) if value.is_empty() => Ok(Answer::Nothing),
        Ok(Value::BulkString(value)) => Ok(Answer::Value(value.into())),
        Ok(_) => Ok(Answer::Odd),
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Answer::Odd),
        Err(error) => Err(error),
    }
}
