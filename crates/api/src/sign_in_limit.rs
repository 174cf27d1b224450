//! How often somebody may try to sign in: a bucket of attempts per account and per address.

use domain::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How many attempts a bucket holds, and how long one takes to come back.
#[derive(Clone, Copy)]
struct Size {
    attempts: f64,
    seconds_each: f64,
}

const ACCOUNT: Size = Size { attempts: 10.0, seconds_each: 30.0 };
const ADDRESS: Size = Size { attempts: 60.0, seconds_each: 2.0 };

#[derive(Clone, Hash, PartialEq, Eq)]
enum Key {
    /// Hashed: whoever signs in chooses how long its text is.
    Account([u8; 32]),
    Address(IpAddr),
}

struct Bucket {
    left: f64,
    at: Timestamp,
}

/// Too many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until the next one is let through.
    pub seconds: u64,
}

/// Attempts of this process; they are not counted across nodes.
#[derive(Clone)]
pub struct SignInLimit {
    buckets: Cache<Key, Arc<Mutex<Bucket>>>,
}

impl Default for SignInLimit {
    fn default() -> Self {
        let buckets = Cache::builder()
            .max_capacity(100_000)
            .time_to_idle(Duration::from_secs(15 * 60))
            .build();
        Self { buckets }
    }
}

impl SignInLimit {
    /// Takes one attempt from the account's and the address's bucket, or says how long to wait.
    pub fn attempt(
        &self,
        account: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Wait> {
        self.attempt_from(address, now)?;
        self.take(account_key(account), ACCOUNT, now)
    }

    /// Gives the attempt back: it was the right password.
    pub fn succeeded(&self, account: &str, address: Option<IpAddr>) {
        self.give_back(&account_key(account), ACCOUNT);
        self.succeeded_from(address);
    }

    /// Takes one attempt from the address's bucket alone.
    pub fn attempt_from(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Wait> {
        address.map_or(Ok(()), |address| self.take(Key::Address(block(address)), ADDRESS, now))
    }

    /// Gives an attempt back to the address alone.
    pub fn succeeded_from(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.give_back(&Key::Address(block(address)), ADDRESS);
        }
    }

    fn take(&self, key: Key, size: Size, now: Timestamp) -> Result<(), Wait> {
        let fresh = || Arc::new(Mutex::new(Bucket { left: size.attempts, at: now }));
        let bucket = self.buckets.get_with(key, fresh);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.0.saturating_sub(bucket.at.0).max(0) as f64 / 1e6;
        bucket.left = (bucket.left + passed / size.seconds_each).min(size.attempts);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(Wait { seconds: ((1.0 - bucket.left) * size.seconds_each).ceil() as u64 })
    }

    fn give_back(&self, key: &Key, size: Size) {
        if let Some(bucket) = self.buckets.get(key) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.left = (bucket.left + 1.0).min(size.attempts);
        }
    }
}

fn account_key(account: &str) -> Key {
    Key::Account(Sha256::digest(account).into())
}

/// One customer of an IPv6 provider has a /64: counted as one address.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_eleventh_wrong_password_waits_and_time_heals() {
        let (limit, now) = (SignInLimit::default(), Timestamp(0));
        for _ in 0..10 {
            assert_eq!(limit.attempt("acme/a@acme.test", None, now), Ok(()));
        }
        let refused = limit.attempt("acme/a@acme.test", None, now);
        assert_eq!(refused, Err(Wait { seconds: 30 }));
        assert_eq!(limit.attempt("acme/b@acme.test", None, now), Ok(()));
        assert_eq!(limit.attempt("acme/a@acme.test", None, now.after(SECOND * 30)), Ok(()));
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let limit = SignInLimit::default();
        let address = Some("192.0.2.1".parse().unwrap());
        for _ in 0..1000 {
            assert_eq!(limit.attempt("acme/a@acme.test", address, Timestamp(0)), Ok(()));
            limit.succeeded("acme/a@acme.test", address);
        }
    }

    #[test]
    fn an_address_is_limited_over_all_accounts_and_a_v6_network_is_one() {
        let limit = SignInLimit::default();
        let mut refused = 0;
        for host in 0..100 {
            let address = format!("2001:db8::{host:x}").parse().unwrap();
            let outcome = limit.attempt(&format!("acme/{host}"), Some(address), Timestamp(0));
            refused += u32::from(outcome.is_err());
        }
        assert_eq!(refused, 40);
    }
}
