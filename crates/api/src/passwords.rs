//! Passwords: Argon2id, off the async threads, two at a time.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Fewest characters of a new password.
pub const MIN_CHARACTERS: usize = 8;
/// Most bytes of a password; longer ones are not hashed.
pub const MAX_BYTES: usize = 1024;
/// 19 MiB each, and a core: two at a time leave the rest of the server its breath.
const AT_ONCE: usize = 2;
/// Beyond these, sign-in says "try again" instead of queueing.
const WAITING: usize = 64;

/// Why a password was not hashed or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nobody should choose it.
    #[error("use at least {MIN_CHARACTERS} characters and at most {MAX_BYTES} bytes")]
    Unfit,
    /// Too many others are being hashed.
    #[error("too many sign-ins at once")]
    Busy,
    /// Argon2 failed, for want of memory or randomness.
    #[error("hashing failed")]
    Hash,
}

/// Hashes a new password to a PHC string (Argon2id, 19 MiB, t=2, p=1). Takes about 20 ms of a core.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < MIN_CHARACTERS || password.len() > MAX_BYTES {
        return Err(PasswordError::Unfit);
    }
    hash(password)
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let hash = argon2()?.hash_password(password.as_bytes()).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let parameters = Params::new(19_456, 2, 1, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn verify(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// Hashes and checks passwords for the server.
#[derive(Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// The hash of a text that nobody knows: checked when there is no account.
    dummy: Arc<str>,
}

impl Passwords {
    /// Makes the dummy hash, so that the first unknown account takes no longer than the next.
    pub fn new() -> Result<Self, PasswordError> {
        let mut unknown = Zeroizing::new([0; 32]);
        getrandom::fill(unknown.as_mut()).map_err(|_| PasswordError::Hash)?;
        Ok(Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            dummy: hash(&Zeroizing::new(hex::encode(unknown.as_ref())))?.into(),
        })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let password = Zeroizing::new(password);
        self.aside(move || hash_password(&password)).await?
    }

    /// Whether `password` is that of `stored`. Takes as long when nothing is stored.
    pub async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let password = Zeroizing::new(password);
        let exists = stored.is_some() && password.len() <= MAX_BYTES;
        let hash = stored.filter(|_| exists).unwrap_or_else(|| self.dummy.to_string());
        let matches = self
            .aside(move || verify(password.get(..MAX_BYTES).unwrap_or(&password), &hash))
            .await?;
        Ok(exists && matches)
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let turn = self.running.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The turn goes with the work: a client that hangs up does not let a third one in.
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_an_account_matches() {
        let passwords = Passwords::new().unwrap();
        let hash = hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = |password: &str, stored: Option<&str>| {
            passwords.verify(password.to_owned(), stored.map(str::to_owned))
        };
        assert_eq!(check("correct horse battery", Some(&hash)).await, Ok(true));
        assert_eq!(check("wrong horse battery", Some(&hash)).await, Ok(false));
        assert_eq!(check("correct horse battery", None).await, Ok(false));
        assert_eq!(check("correct horse battery", Some("garbage")).await, Ok(false));
        assert_eq!(check(&"x".repeat(MAX_BYTES + 1), Some(&hash)).await, Ok(false));
    }

    #[tokio::test]
    async fn two_are_hashed_at_a_time_on_threads_for_it_and_a_crowd_is_sent_away() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let passwords = Passwords::new().unwrap();
        let here = std::thread::current().id();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (running, most) = (running.clone(), most.clone());
            move || {
                assert_ne!(std::thread::current().id(), here);
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                hash("some work").unwrap();
                running.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let crowd = (0..WAITING + 3).map(|_| passwords.aside(work()));
        let outcomes = futures_util::future::join_all(crowd).await;
        let busy = outcomes.iter().filter(|it| **it == Err(PasswordError::Busy)).count();
        assert_eq!((busy, most.load(Ordering::SeqCst)), (3, AT_ONCE));
    }

    #[test]
    fn short_and_endless_passwords_are_not_hashed() {
        assert_eq!(hash_password("short"), Err(PasswordError::Unfit));
        assert_eq!(hash_password(&"x".repeat(MAX_BYTES + 1)), Err(PasswordError::Unfit));
    }
}
