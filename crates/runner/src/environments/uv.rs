//! The program that resolves and installs packages: `uv`, found once, run with next to nothing.

use crate::sandbox::{Places, Sandbox};
use std::{
    ffi::OsString,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How much of what it says is kept: the end, where errors are.
const KEPT: usize = 32 * 1024;
/// Longest line that is looked at.
const LINE: usize = 4 * 1024;
/// Where certificates are looked for besides the usual places, if the server was told so.
const CERTIFICATES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// How the server itself reaches the network, if not directly.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// A `uv` that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uv {
    /// The program.
    pub executable: PathBuf,
    /// What it calls itself.
    pub version: String,
}

/// Why there is none.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoUv {
    /// The named one does not answer.
    #[error("`{0}` is not a uv that can be run: {1}; name another one")]
    Unusable(PathBuf, String),
    /// None on the search path.
    #[error(
        "no `uv` was found, so that no packages can be installed: install it (`pip install uv`, or \
         from your distribution) and name its path in the configuration if it is not on the search path"
    )]
    NotFound,
}

impl Uv {
    /// The configured one, or the one on the search path.
    pub async fn find(configured: Option<&Path>) -> Result<Self, NoUv> {
        match configured {
            Some(path) => Self::ask(path).await,
            None => Self::ask(Path::new("uv")).await.map_err(|_| NoUv::NotFound),
        }
    }

    async fn ask(program: &Path) -> Result<Self, NoUv> {
        let unusable = |reason: String| NoUv::Unusable(program.to_owned(), reason);
        let executable = on_path(program).ok_or_else(|| unusable("it is not there".to_owned()))?;
        let mut command = Command::new(&executable);
        command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
        let answer = tokio::time::timeout(Duration::from_secs(10), command.output());
        let answer = answer.await.map_err(|_| unusable("no answer in 10 seconds".to_owned()))?;
        let answer = answer.map_err(|error| unusable(error.to_string()))?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let version = text.trim().strip_prefix("uv ").filter(|_| answer.status.success());
        let version = version.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
        let version = version.ok_or_else(|| unusable("it does not say its version".to_owned()))?;
        Ok(Self { executable, version })
    }
}

impl Uv {
    /// What has to be readable for it to start. One of a version manager is a script that looks for the
    /// program below the manager's directory.
    fn parts(&self) -> Vec<PathBuf> {
        let mut parts = vec![self.executable.clone()];
        let above = self.executable.parent().and_then(Path::parent);
        if is_script(&self.executable) {
            // Neither the whole machine nor all homes.
            parts.extend(above.filter(|it| it.components().count() > 2).map(Path::to_owned));
        }
        parts
    }
}

fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *b"#!"
}

/// The program's whole path: its calls get a search path of their own.
fn on_path(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).ok().filter(|path| path.exists());
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|path| path.join(program)).find(|path| path.is_file())
}

/// One call.
pub(super) struct Call<'a> {
    pub uv: &'a Uv,
    pub sandbox: &'a Sandbox,
    /// What it reads besides the machine's libraries, such as packages of the operator.
    pub readable: Vec<PathBuf>,
    /// Where it puts what it makes, besides its home and cache.
    pub target: &'a Path,
    /// Its home, working and temporary directory: nobody else's.
    pub home: &'a Path,
    /// What it downloaded before.
    pub cache: &'a Path,
    pub arguments: Vec<OsString>,
    /// Variables of this call, such as the index, which may have a password.
    pub variables: Vec<(&'static str, OsString)>,
}

/// How a call went.
pub(super) struct Said {
    pub status: ExitStatus,
    /// The end of what it said.
    pub text: String,
    /// It took too long and was killed.
    pub late: bool,
}

impl Said {
    /// Why it went, when it said nothing.
    pub(super) fn how(&self) -> String {
        match (self.late, self.status.code(), self.status.signal()) {
            (true, ..) => format!("it took longer than {} minutes", CALL_LIMIT.as_secs() / 60),
            (_, Some(code), _) => format!("it left with {code}"),
            (_, _, Some(signal)) => format!("it left with {}", crate::process::signal_name(signal)),
            _ => "it left".to_owned(),
        }
    }
}

impl Call<'_> {
    /// Runs it in a process group of its own, which is killed when the time is over or nobody
    /// waits any more. `tell` gets each line as it comes.
    pub(super) async fn run(self, mut tell: impl FnMut(&str)) -> std::io::Result<Said> {
        let mut child = self.command()?.spawn()?;
        let group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()));
        let mut text = String::new();
        let said = child.stderr.take();
        let reading = async {
            if let Some(said) = said {
                read(said, |line| {
                    tell(line);
                    keep(&mut text, line);
                })
                .await;
            }
            child.wait().await
        };
        let ended = tokio::time::timeout(CALL_LIMIT, reading).await;
        drop(group);
        let (status, late) = match ended {
            Ok(status) => (status?, false),
            Err(_) => (child.wait().await?, true),
        };
        Ok(Said { status, text, late })
    }

    /// Behind walls, with limits. No descriptor of the server is inherited: all are closed on exec.
    fn command(self) -> std::io::Result<Command> {
        let certificates = CERTIFICATES.iter().filter_map(std::env::var_os).map(PathBuf::from);
        let mut readable = self.readable;
        readable.extend(certificates.filter(|path| path.exists()));
        readable.extend(self.uv.parts());
        readable.push(PathBuf::from("/proc"));
        let mut command = self.sandbox.installer(&Places {
            readable: readable.iter().map(PathBuf::as_path).collect(),
            writable: vec![self.home, self.cache, self.target],
        })?;
        command
            .arg(&self.uv.executable)
            .args(["--no-config", "--no-progress", "--color", "never"])
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", self.home)
            .env("TMPDIR", self.home)
            .env("UV_CACHE_DIR", self.cache)
            .env("UV_NO_CONFIG", "1")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .envs(CERTIFICATES.iter().chain(&PROXIES).filter_map(|name| {
                Some((name, std::env::var_os(name).filter(|value| !value.is_empty())?))
            }))
            .envs(self.variables)
            .current_dir(self.home)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// Kills everything the call has started when it goes.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        self.0.into_iter().for_each(crate::process::kill_group);
    }
}

async fn read(from: impl AsyncRead + Unpin, mut tell: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        let Ok(some) = from.fill_buf().await else { return };
        if some.is_empty() {
            tell(&String::from_utf8_lossy(&line));
            return;
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let part = &some[..end.unwrap_or(some.len())];
        line.extend(&part[..part.len().min(LINE.saturating_sub(line.len()))]);
        let used = end.map_or(some.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            tell(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
}

fn keep(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
    if text.len() > KEPT {
        let mut from = text.len() - KEPT;
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
    }
}
