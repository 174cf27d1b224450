//! The real `bifrost` program on a private port, with a data directory of its own.

use crate::{Client, database::Place};
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The program: `env!("CARGO_BIN_EXE_bifrost")`.
    pub program: PathBuf,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// Further environment.
    pub environment: Vec<(String, String)>,
}

/// A running server; killed with the value.
pub struct Server {
    options: ServerOptions,
    directory: Arc<Place>,
    database_url: String,
    child: Child,
    /// Its address, as `http://127.0.0.1:PORT`.
    pub url: String,
    talk: Arc<Mutex<String>>,
}

const PASSWORD: &str = "correct horse battery staple";

impl Server {
    /// Starts a server on an empty data directory.
    pub fn start(program: impl AsRef<OsStr>) -> Self {
        let program = PathBuf::from(program.as_ref());
        Self::with(ServerOptions { program, arguments: Vec::new(), environment: Vec::new() })
    }

    /// Starts a server on an empty data directory.
    pub fn with(options: ServerOptions) -> Self {
        let directory = Arc::new(Place::new());
        let database_url = directory.url();
        Self::start_in(options, directory, database_url)
    }

    /// Starts a server on a database that the test has made itself.
    pub fn on(program: impl AsRef<OsStr>, database_url: &str) -> Self {
        let program = PathBuf::from(program.as_ref());
        let options = ServerOptions { program, arguments: Vec::new(), environment: Vec::new() };
        Self::start_in(options, Arc::new(Place::new()), database_url.to_owned())
    }

    /// Starts another server process on the same data directory.
    pub fn beside(&self, arguments: &[&str]) -> Self {
        let mut options = self.options.clone();
        options.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self::start_in(options, self.directory.clone(), self.database_url.clone())
    }

    fn start_in(options: ServerOptions, directory: Arc<Place>, database_url: String) -> Self {
        let mut child = Command::new(&options.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(["--database-url", &database_url])
            .args(&options.arguments)
            .envs(options.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let talk = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().expect("piped");
        let (found, address) = std::sync::mpsc::channel();
        let heard = talk.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    // Nobody waits for a second announcement.
                    let _unheard = found.send(url.trim().to_owned());
                }
                heard.lock().expect("unpoisoned").push_str(&format!("{line}\n"));
            }
        });
        let url = address.recv_timeout(Duration::from_secs(60));
        let url = url.unwrap_or_else(|_| panic!("no address from:\n{}", talk.lock().unwrap()));
        Self { options, directory, database_url, child, url, talk }
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server said on standard error so far.
    pub fn talk(&self) -> String {
        self.talk.lock().expect("unpoisoned").clone()
    }

    /// Kills the process as `kill -9` does and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have died by itself, which is what is wanted.
        let _already_gone = self.child.kill();
        self.child.wait().expect("reaped");
    }

    /// Asks the process to stop as an operator would, and waits for its exit code.
    #[expect(clippy::disallowed_methods, reason = "a process can only be asked whether it ended")]
    pub fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(status.success());
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("waited") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not stop:\n{}", self.talk());
    }

    /// Starts the same server again after it died.
    pub fn restart(&mut self) {
        let again =
            Self::start_in(self.options.clone(), self.directory.clone(), self.database_url.clone());
        *self = again;
    }

    /// Runs a `bifrost` command on the data directory, which must succeed; its standard output.
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output_of(arguments, input);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "bifrost {arguments:?}: {talk}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a `bifrost` command on the data directory, which may fail.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.output_of(arguments, "")
    }

    fn output_of(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.options.program)
            .args(arguments)
            .arg("--data-dir")
            .arg(self.directory.path())
            .args(["--database-url", &self.database_url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let written = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("the command ends");
        // Whoever refuses early need not read.
        assert!(written.is_ok() || !output.status.success(), "{written:?}");
        output
    }

    /// Creates an organization at the command line.
    pub fn create_organization(&self, slug: &str) {
        let name = format!("{}{}", slug[..1].to_uppercase(), &slug[1..]);
        let arguments = ["admin", "create-organization", "--slug", slug, "--name", &name];
        self.command(&arguments, "");
    }

    /// Creates a user at the command line and signs them in.
    pub async fn sign_in(&self, organization: &str, role: &str) -> Client {
        let email = format!("{role}@{organization}.test");
        let arguments = [
            "admin",
            "create-user",
            "--organization",
            organization,
            "--email",
            &email,
            "--role",
            role,
            "--password-stdin",
        ];
        self.command(&arguments, PASSWORD);
        let anonymous = Client::new(&self.url, None);
        let credentials = serde_json::json!({
            "organization": organization, "email": email, "password": PASSWORD
        });
        let reply = anonymous.post("/api/auth/login", &credentials).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        Client::new(&self.url, Some(reply.body["access_token"].as_str().expect("a token")))
    }

    /// The provider's admin acting in an organization, or in Global (`None`).
    pub async fn act(&self, provider: &Client, organization: Option<&str>) -> Client {
        let wish = serde_json::json!({ "organization": organization, "reason": "test" });
        let reply = provider.post("/api/auth/act", &wish).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        Client::new(&self.url, Some(reply.body["access_token"].as_str().expect("a token")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
