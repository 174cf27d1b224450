//! From requirements to a lock, and from a lock to a directory: two calls of uv.

use super::{
    EnvironmentOptions,
    directories::Directories,
    uv::{Call, Said, Uv},
    words::Words,
};
use crate::{Python, sandbox::Sandbox};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};

/// Builds that go on at the same time.
const AT_ONCE: usize = 2;
/// Longest lock that is kept.
const LONGEST_LOCK: u64 = 4 * 1024 * 1024;

/// Why there is no environment; the words are for whoever wrote the file.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum NotBuilt {
    /// The file, or what it asks for.
    #[error("{0}")]
    Refused(String),
    /// This machine.
    #[error("{0}")]
    Machine(String),
    /// Nobody could be asked what is known; the next run asks again.
    #[error("the database could not be asked; try again")]
    Store,
}

impl From<io::Error> for NotBuilt {
    fn from(error: io::Error) -> Self {
        // The words of an error of the system name no path.
        Self::Machine(format!("the packages could not be put down: {error}; the operator can help"))
    }
}

/// Where a build says what it does.
pub(super) type Progress = watch::Sender<String>;

/// Resolves and installs.
pub(super) struct Builds {
    python: Python,
    options: EnvironmentOptions,
    directories: Directories,
    sandbox: Sandbox,
    slots: Arc<Semaphore>,
}

impl Builds {
    pub(super) fn new(
        python: Python,
        options: EnvironmentOptions,
        (directories, sandbox): (Directories, Sandbox),
    ) -> Self {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        Self { python, options, directories, sandbox, slots }
    }

    /// The name of what a lock comes to on this machine with this interpreter.
    pub(super) fn name(&self, lock: &str) -> String {
        let (major, minor, micro) = self.python.version;
        let (os, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        let place = format!("{} {major}.{minor}.{micro} {os} {machine}\n", self.python.tag);
        let digest = Sha256::new().chain_update(place).chain_update(lock).finalize();
        hex::encode(&digest[..16])
    }

    /// The lock of these requirements.
    pub(super) async fn lock(
        &self,
        lines: &[String],
        progress: &Progress,
    ) -> Result<String, NotBuilt> {
        let _slot = self.slots.acquire().await;
        let home = self.home()?;
        let (wanted, lock) = (home.path().join("requirements.in"), home.path().join("lock.txt"));
        std::fs::write(&wanted, lines.join("\n") + "\n")?;
        let mut arguments = words(["pip", "compile", "--generate-hashes", "--no-header"]);
        arguments.extend(words(["--no-annotate", "--no-emit-index-url", "--no-strip-markers"]));
        arguments.extend([wanted.into(), "-o".into(), lock.clone().into()]);
        self.call((home.path(), home.path()), arguments, progress).await?;
        if std::fs::metadata(&lock)?.len() > LONGEST_LOCK {
            let text = "the lock is longer than 4 MiB: ask for fewer packages";
            return Err(NotBuilt::Refused(text.to_owned()));
        }
        Ok(std::fs::read_to_string(lock)?)
    }

    /// Has the directory of a lock be there.
    pub(super) async fn install(
        &self,
        id: &str,
        lock: &str,
        progress: &Progress,
    ) -> Result<(), NotBuilt> {
        if self.directories.is_there(id) {
            return Ok(());
        }
        let _slot = self.slots.acquire().await;
        let (directories, name) = (self.directories.clone(), id.to_owned());
        let hold = tokio::task::spawn_blocking(move || directories.hold(&name));
        let hold = hold.await.map_err(io::Error::other)??;
        if self.directories.is_there(id) {
            return Ok(());
        }
        let made = self.directories.begin(id, &hold)?;
        let (home, packages) = (self.home()?, made.path().join("packages"));
        std::fs::write(made.path().join("lock.txt"), lock)?;
        std::fs::create_dir(&packages)?;
        let mut arguments = words(["pip", "install", "--require-hashes", "--no-deps"]);
        arguments.extend(words(["--compile-bytecode", "--link-mode", "copy", "--target"]));
        let lock = made.path().join("lock.txt");
        arguments.extend([packages.into(), "-r".into(), lock.into()]);
        self.call((home.path(), made.path()), arguments, progress).await?;
        let (directories, name) = (self.directories.clone(), id.to_owned());
        let finish = move || directories.finish(&name, made, &hold);
        tokio::task::spawn_blocking(finish).await.map_err(io::Error::other)??;
        Ok(())
    }

    async fn call(
        &self,
        (home, target): (&Path, &Path),
        mut arguments: Vec<OsString>,
        progress: &Progress,
    ) -> Result<(), NotBuilt> {
        let uv = Uv::find(self.options.uv.as_deref()).await;
        let uv = uv.map_err(|error| NotBuilt::Machine(error.to_string()))?;
        arguments.extend(["--python".into(), self.python.executable.clone().into()]);
        let mut variables = Vec::new();
        self.sources(&mut arguments, &mut variables);
        let cache = self.directories.cache();
        let words = self.words(home, &uv);
        let (sandbox, readable) = (&self.sandbox, self.readable());
        let call =
            Call { uv: &uv, sandbox, readable, target, home, cache: &cache, arguments, variables };
        let said = call.run(|line| {
            if let Some(word) = words.progress(line) {
                progress.send_replace(word);
            }
        });
        match said.await? {
            said if said.status.success() => Ok(()),
            said => Err(NotBuilt::Refused(why(&words, &said))),
        }
    }

    /// Where packages come from, and in which form.
    fn sources(
        &self,
        arguments: &mut Vec<OsString>,
        variables: &mut Vec<(&'static str, OsString)>,
    ) {
        if !self.options.build {
            arguments.extend(words(["--only-binary", ":all:"]));
        }
        if let Some(index) = &self.options.index {
            // Not an argument, which everybody on the machine could read.
            variables.push(("UV_DEFAULT_INDEX", index.expose_secret().into()));
        }
        if let Some(directory) = &self.options.find_links {
            arguments.extend(["--find-links".into(), directory.clone().into()]);
            if self.options.index.is_none() {
                arguments.extend(words(["--no-index", "--offline"]));
            }
        }
    }

    /// Packages of the operator that are files of this machine.
    fn readable(&self) -> Vec<PathBuf> {
        let index = self.options.index.as_ref().map(|index| index.expose_secret());
        let index = index.map(|index| index.strip_prefix("file://").unwrap_or(index));
        let index = index.filter(|index| index.starts_with('/')).map(PathBuf::from);
        let paths = self.options.find_links.clone().into_iter().chain(index);
        paths.filter(|path| path.exists()).collect()
    }

    fn words(&self, home: &Path, uv: &Uv) -> Words {
        let index = self.options.index.as_ref().map(|index| index.expose_secret());
        let places = [home, self.directories.root(), &uv.executable, &self.python.executable];
        Words::new(places.into_iter().chain(self.options.find_links.as_deref()), index)
    }

    fn home(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(".building-").tempdir_in(self.directories.root())
    }
}

fn why(words: &Words, said: &Said) -> String {
    match words.error(&said.text) {
        text if text.is_empty() || said.late => format!("{} {text}", said.how()).trim().to_owned(),
        text => text,
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).into()
}
