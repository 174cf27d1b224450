//! Word from process to process that looking into the database is worthwhile. Only that: whoever
//! misses it, or never hears any, finds everything by looking now and then.

use crate::{Store, StoreError, postgres};
use domain::ExecutionId;
use std::{collections::BTreeSet, str::FromStr};
use uuid::Uuid;

/// What has happened since the last word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Something can be claimed.
    pub work: bool,
    /// Somebody wants an execution stopped.
    pub cancel: bool,
    /// Executions whose state or log has changed.
    pub executions: BTreeSet<ExecutionId>,
}

/// Hears what other processes on the same database tell.
pub struct NewsListener {
    me: Uuid,
    listener: postgres::Listener,
}

/// Tells other processes, and knows its own voice.
#[derive(Clone)]
pub struct NewsTeller {
    me: Uuid,
    store: Store,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Another process told this.
    News(News),
    /// Our own word came back: telling and hearing work.
    Echo,
    /// Nothing was heard for a while, and something may have been said.
    Gap,
}

/// How many executions fit into one word: the server takes 8000 bytes.
const EXECUTIONS: usize = 200;

impl News {
    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        !self.work && !self.cancel && self.executions.is_empty()
    }

    fn words(&self, me: Uuid) -> Vec<String> {
        let ids: Vec<String> = self.executions.iter().map(|id| id.0.simple().to_string()).collect();
        let flags =
            format!("{}{}", if self.work { "w" } else { "" }, if self.cancel { "c" } else { "" });
        let word = |ids: &[String]| format!("{} {flags} {}", me.simple(), ids.join(","));
        match ids.is_empty() {
            true => vec![word(&[])],
            false => ids.chunks(EXECUTIONS).map(word).collect(),
        }
    }

    /// The teller and the news; nothing, when it is no word of ours.
    fn parse(word: &str) -> Option<(Uuid, Self)> {
        let mut parts = word.split(' ');
        let (me, flags, ids) = (parts.next()?, parts.next()?, parts.next()?);
        let ids = ids.split(',').filter(|id| !id.is_empty());
        let executions =
            ids.map(|id| Uuid::from_str(id).map(ExecutionId)).collect::<Result<_, _>>();
        let (work, cancel) = (flags.contains('w'), flags.contains('c'));
        Some((Uuid::from_str(me).ok()?, Self { work, cancel, executions: executions.ok()? }))
    }
}

impl Store {
    /// A teller and a listener, on an engine through which several machines can speak.
    pub async fn news(&self) -> Result<Option<(NewsTeller, NewsListener)>, StoreError> {
        let Some(listener) = self.engine_listener().await? else { return Ok(None) };
        let me = Uuid::now_v7();
        Ok(Some((NewsTeller { me, store: self.clone() }, NewsListener { me, listener })))
    }
}

impl NewsTeller {
    /// Tells every other process.
    pub async fn tell(&self, news: &News) -> Result<(), StoreError> {
        for word in news.words(self.me) {
            self.store.say(&word).await?;
        }
        Ok(())
    }
}

impl NewsListener {
    /// Waits for the next word.
    pub async fn hear(&mut self) -> Result<Heard, StoreError> {
        loop {
            let Some(word) = self.listener.next().await? else { return Ok(Heard::Gap) };
            match News::parse(&word) {
                Some((teller, _)) if teller == self.me => return Ok(Heard::Echo),
                Some((_, news)) => return Ok(Heard::News(news)),
                None => tracing::debug!(%word, "a word that this version does not know"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_in_words_that_the_server_takes() {
        let me = Uuid::now_v7();
        let executions: BTreeSet<_> = (0..450).map(|_| ExecutionId(Uuid::now_v7())).collect();
        let news = News { work: true, cancel: false, executions: executions.clone() };
        let words = news.words(me);
        assert_eq!(words.len(), 3);
        assert!(words.iter().all(|word| word.len() < 8000));
        let heard = words.iter().map(|word| News::parse(word).unwrap());
        let mut all = BTreeSet::new();
        for (teller, news) in heard {
            assert_eq!((teller, news.work, news.cancel), (me, true, false));
            all.extend(news.executions);
        }
        assert_eq!(all, executions);
        let (_, nothing) = News::parse(&News::default().words(me)[0]).unwrap();
        assert!(nothing.is_empty());
        assert_eq!(News::parse("what is this"), None);
    }
}
