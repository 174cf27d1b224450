//! A PostgreSQL server.

use crate::{account, port};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// How a server is set up.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Whether a commit survives a loss of power, as in production. Tests are faster without.
    pub durable: bool,
    /// Further settings, `name=value`.
    pub settings: Vec<String>,
    /// What it encrypts with; without, it does not.
    pub identity: Option<Identity>,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Identity {
    /// The settings that make a server show it, once it lies in `directory`.
    fn lay(&self, directory: &Path) -> Vec<String> {
        let files = [
            ("ssl_cert_file", "server.crt", &self.certificate),
            ("ssl_key_file", "server.key", &self.key),
        ];
        let mut settings = vec!["ssl=on".to_owned()];
        for (setting, name, text) in files {
            let path = directory.join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its own");
            account::give(&path);
            settings.push(format!("{setting}={}", path.display()));
        }
        settings
    }
}

/// A running server; killed with the value.
pub struct Postgres {
    directory: TempDir,
    options: PostgresOptions,
    port: u16,
    child: Child,
}

impl Postgres {
    /// Makes and starts a server. Its one superuser is `postgres`, and nobody asks for a password.
    pub fn start(mut options: PostgresOptions) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        account::give(directory.path());
        if let Some(identity) = &options.identity {
            options.settings.extend(identity.lay(directory.path()));
        }
        let data = directory.path().join("data");
        let made = account::ordinary(program("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--no-sync", "--no-instructions", "-D"])
            .arg(&data)
            .current_dir(directory.path())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = port::free();
        let child = run(directory.path(), &options, port);
        Self { directory, options, port, child }
    }

    /// `postgres://postgres@127.0.0.1:PORT`, without a database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it as a loss of power would.
    pub fn kill(&mut self) {
        // Its children see that it is gone and go too.
        let _already_gone = self.child.kill();
        self.child.wait().expect("reaped");
    }

    /// Stops it at once, connections and all, but in order (SIGINT).
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
        assert!(asked.success());
        self.child.wait().expect("reaped");
    }

    /// Starts it again after it was killed or stopped.
    pub fn start_again(&mut self) {
        self.child = run(self.directory.path(), &self.options, self.port);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(directory: &Path, options: &PostgresOptions, port: u16) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("log"));
    let log = log.expect("a log");
    let mut command = account::ordinary(program("postgres"));
    command.arg("-D").arg(directory.join("data")).args(["-p", &port.to_string(), "-k"]);
    command.arg(directory);
    let fast = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];
    let fast = fast.iter().filter(|_| !options.durable).map(|setting| (*setting).to_owned());
    let common = ["listen_addresses=127.0.0.1", "max_connections=400", "shared_buffers=128MB"];
    let settings = common.iter().map(|setting| (*setting).to_owned());
    for setting in settings.chain(fast).chain(options.settings.iter().cloned()) {
        command.args(["-c", &setting]);
    }
    command.current_dir(directory).stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a log")).stderr(log);
    let mut child = account::start(command);
    let mut alive = || child.try_wait().expect("asked").is_none();
    // It listens before it lets anybody in.
    let there = port::wait_for(port, &mut alive) && port::wait_until(|| accepts(port), alive);
    let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
    assert!(there, "PostgreSQL did not start:\n{}", log());
    child
}

fn accepts(port: u16) -> bool {
    let mut asked = Command::new(program("pg_isready"));
    asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    asked.status().expect("pg_isready runs").success()
}

/// Debian keeps the programs of each version in a folder of their own; the newest serves.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: `apt-get install postgresql`")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("bin").join(name).exists())
        .collect();
    versions.sort_by_key(|path| {
        let version = path.file_name().and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    let newest = versions.pop().expect("PostgreSQL is installed: `apt-get install postgresql`");
    newest.join("bin").join(name)
}
