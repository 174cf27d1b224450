//! The packages of a scope, as the rooms that read and those that build speak of them.

use crate::{
    Scope,
    content_hash::content_hash,
    requirements::{Fault, Requirements},
};

/// The `requirements.txt` of one scope, for whoever builds what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose file it is.
    pub owner: Scope,
    /// SHA-256 of it, in hex.
    pub hash: String,
    /// Its version.
    pub version: u32,
    /// One requirement each.
    pub lines: Vec<String>,
    /// What in it is refused, by line.
    pub faults: Vec<(u32, Fault)>,
}

impl Wanted {
    /// What a version of `owner`'s file asks for.
    pub fn new(owner: Scope, version: u32, content: &[u8]) -> Self {
        let Requirements { lines, faults } = Requirements::parse(content);
        Self { owner, hash: content_hash(content), version, lines, faults }
    }

    /// Whether it asks for nothing: the standard library only.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.faults.is_empty()
    }
}

/// A package of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Package {
    /// Its name, as the index writes it.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The packages of a lock, which is lines of `name==version` with hashes after them.
pub fn packages(lock: &str) -> Vec<Package> {
    let package = |line: &str| {
        let (name, rest) = line.split_once("==")?;
        let version = rest.split([' ', ';', '\\']).next()?.trim();
        let name = name.split('[').next()?.trim();
        (!name.starts_with(['#', '-']))
            .then(|| Package { name: name.into(), version: version.into() })
    };
    lock.lines().filter(|line| !line.starts_with([' ', '\t'])).filter_map(package).collect()
}

/// Builds environments, somewhere behind.
pub trait Builder: Send + Sync {
    /// Begins to build, unless it is there or being built. What has failed is tried again.
    fn begin(&self, wanted: Wanted);

    /// The version of Python that the packages are for.
    fn python(&self) -> String;
}

/// Builds nothing: for a process that runs nothing. Those that do build when a run needs it.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The version of Python.
    pub python: String,
}

impl Builder for Elsewhere {
    fn begin(&self, _: Wanted) {}

    fn python(&self) -> String {
        self.python.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Package, packages};

    #[test]
    fn a_lock_tells_its_packages() {
        let lock = "idna==3.7 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb==\n\
             # via==1\ntzdata==2024.1 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n\
             requests[socks]==2.0\n";
        let package =
            |name: &str, version: &str| Package { name: name.into(), version: version.into() };
        let expected =
            [package("idna", "3.7"), package("tzdata", "2024.1"), package("requests", "2.0")];
        assert_eq!(packages(lock), expected);
    }
}
