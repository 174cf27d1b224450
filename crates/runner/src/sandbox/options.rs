//! What the operator can say about the sandbox: the users of runs. No wall can be left out by it.

use std::{fmt, str::FromStr};

/// How to set up the sandbox.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// The users that runs are, when the server is root.
    pub users: UserRange,
    off: Vec<&'static str>,
}

impl SandboxOptions {
    /// With these users.
    pub fn new(users: UserRange) -> Self {
        Self { users, off: Vec::new() }
    }

    /// The same with one wall less, so that a test sees what it was good for.
    #[cfg(any(test, feature = "ablation"))]
    #[must_use]
    pub fn without(mut self, wall: &'static str) -> Self {
        self.off.push(wall);
        self
    }

    /// Whether this wall is to be raised.
    pub(super) fn has(&self, wall: &str) -> bool {
        !self.off.contains(&wall)
    }

    pub(super) fn off(&self) -> &[&'static str] {
        &self.off
    }
}

/// Numbers of users that nobody else on this machine has, written `200000-265535`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRange {
    first: u32,
    last: u32,
}

/// What was given is no range of users.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no range of users: give two numbers from 1000 up, such as `200000-265535`")]
pub struct NoUsers(String);

/// Below are the system's own users.
const LOWEST: u32 = 1000;
/// 65534 is nobody, and the last number means no user at all.
const NOBODY: u32 = 65534;

impl UserRange {
    /// How many there are.
    pub fn count(self) -> u32 {
        self.last - self.first + 1
    }

    /// The user of the cell with this number.
    pub(super) fn user(self, cell: u32) -> u32 {
        self.first + cell % self.count()
    }
}

impl Default for UserRange {
    fn default() -> Self {
        Self { first: 200_000, last: 265_535 }
    }
}

impl FromStr for UserRange {
    type Err = NoUsers;

    fn from_str(text: &str) -> Result<Self, NoUsers> {
        let wrong = || NoUsers(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: u32 = first.trim().parse().map_err(|_| wrong())?;
        let last: u32 = last.trim().parse().map_err(|_| wrong())?;
        let is_good = first >= LOWEST
            && first <= last
            && last < u32::MAX
            && !(first..=last).contains(&NOBODY)
            && !(first..=last).contains(&(NOBODY + 1));
        if is_good { Ok(Self { first, last }) } else { Err(wrong()) }
    }
}

impl fmt::Display for UserRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::UserRange;

    #[test]
    fn a_range_is_read_as_it_is_written() {
        let range: UserRange = "300000-300003".parse().unwrap();
        assert_eq!(range.to_string(), "300000-300003");
        assert_eq!((range.count(), range.user(0), range.user(6)), (4, 300_000, 300_002));
        for wrong in ["", "1000", "0-5", "999-2000", "5000-4000", "60000-70000", "1000-4294967295"]
        {
            assert!(wrong.parse::<UserRange>().is_err(), "{wrong}");
        }
    }
}
