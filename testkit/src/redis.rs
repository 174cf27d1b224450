//! A real Redis on a private port with a directory of its own, and what can happen to one.

use ::redis::{Client, Commands, Connection, FromRedisValue, cmd};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A running server; killed with the value.
pub struct Redis {
    directory: TempDir,
    arguments: Vec<String>,
    port: u16,
    password: Option<String>,
    child: Child,
}

/// Asked of it before it counts as started.
const PATIENCE: Duration = Duration::from_secs(20);

impl Redis {
    /// Starts an empty one.
    pub fn start() -> Self {
        Self::with(&[], None)
    }

    /// Starts one that wants a password.
    pub fn with_password(password: &str) -> Self {
        Self::with(&["--requirepass", password], Some(password))
    }

    /// Starts one of two nodes that will be a cluster.
    fn node() -> Self {
        let bus = free_port().to_string();
        Self::with(&["--cluster-enabled", "yes", "--cluster-port", &bus], None)
    }

    fn with(arguments: &[&str], password: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = spawn(&directory, port, &arguments);
        let password = password.map(str::to_owned);
        let redis = Self { directory, arguments, port, password, child };
        redis.wait();
        redis
    }

    /// Where it is, as `--redis-url` takes it.
    pub fn url(&self) -> String {
        let login = self.password.as_ref().map(|word| format!(":{word}@")).unwrap_or_default();
        format!("redis://{login}127.0.0.1:{}/", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Starts it again, empty, where it was.
    pub fn restart(&mut self) {
        self.child = spawn(&self.directory, self.port, &self.arguments);
        self.wait();
    }

    /// Stops it in the middle of whatever it does: connections stay and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Removes all values.
    pub fn flush(&self) {
        self.ask::<()>(&["FLUSHALL"]);
    }

    /// Lets it have no more memory than it has, so that it refuses every further value.
    pub fn fill(&self) {
        self.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    }

    /// Lets it have memory again.
    pub fn make_room(&self) {
        self.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    /// All keys.
    pub fn keys(&self) -> Vec<String> {
        let mut connection = self.connection();
        let keys = connection.scan::<String>().expect("scanned");
        let mut keys: Vec<_> = keys.map(|key| key.expect("a key")).collect();
        keys.sort();
        keys
    }

    /// A value.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.connection().get(key).expect("read")
    }

    /// Puts a value, as anybody with the password could.
    pub fn set(&self, key: &str, value: &[u8]) {
        self.connection().set::<_, _, ()>(key, value).expect("written");
    }

    /// Any command.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connection()).expect("an answer")
    }

    fn connection(&self) -> Connection {
        let client = Client::open(self.url()).expect("a URL");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match client.get_connection_with_timeout(PATIENCE) {
                // A child of the test may end, and its signal come while the client is waiting.
                Err(error) if error.is_io_error() && Instant::now() < deadline => {}
                connection => return connection.expect("a connection"),
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a server can only be asked whether it is there")]
    fn wait(&self) {
        let client = Client::open(self.url()).expect("a URL");
        let deadline = Instant::now() + PATIENCE;
        let lives = || {
            let mut connection = client.get_connection_with_timeout(PATIENCE).ok()?;
            cmd("PING").query::<String>(&mut connection).ok()
        };
        while lives().is_none() {
            let talk = std::fs::read_to_string(self.directory.path().join("talk"));
            assert!(Instant::now() < deadline, "redis-server does not start: {talk:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("signalled");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Two nodes with half of the keys each.
pub struct Cluster([Redis; 2]);

impl Cluster {
    /// Starts one, empty.
    #[expect(clippy::disallowed_methods, reason = "nodes can only be asked whether they met")]
    pub fn start() -> Self {
        let nodes = [Redis::node(), Redis::node()];
        let [one, two] = &nodes;
        one.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
        two.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
        two.ask::<()>(&["CONFIG", "SET", "cluster-announce-ip", "127.0.0.1"]);
        let bus = one.arguments.last().expect("a port");
        let port = one.port.to_string();
        two.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        let deadline = Instant::now() + PATIENCE;
        let whole = |node: &Redis| {
            let info = node.ask::<String>(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        };
        while !nodes.iter().all(whole) {
            assert!(Instant::now() < deadline, "the nodes do not meet");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(nodes)
    }

    /// Where it is, as `--redis-url` takes it.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.0[0].port)
    }

    /// The keys of each node.
    pub fn keys(&self) -> [Vec<String>; 2] {
        [self.0[0].keys(), self.0[1].keys()]
    }
}

/// A Redis that speaks TLS only, and the certificate of who vouches for it.
pub struct Encrypted {
    /// Where it is, as `--redis-url` takes it.
    pub url: String,
    /// A file for `SSL_CERT_FILE`.
    pub authority: PathBuf,
    child: Child,
    _directory: TempDir,
}

impl Encrypted {
    /// Starts an empty one that wants a password.
    pub async fn start(password: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
        std::fs::write(&cert, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        let port = free_port();
        let text = |path: &PathBuf| path.to_str().expect("text").to_owned();
        let (tls, cert_text) = (port.to_string(), text(&cert));
        let arguments = [
            ["--requirepass", password],
            ["--tls-port", &tls],
            ["--tls-cert-file", &cert_text],
            ["--tls-key-file", &text(&key)],
            ["--tls-auth-clients", "no"],
        ];
        let arguments: Vec<_> = arguments.concat().iter().map(|&word| word.to_owned()).collect();
        let child = spawn(&directory, 0, &arguments);
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
        crate::eventually("Redis listens", listens).await;
        let url = format!("rediss://:{password}@localhost:{port}");
        Self { url, authority: cert, child, _directory: directory }
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn spawn(directory: &TempDir, port: u16, arguments: &[String]) -> Child {
    let talk = File::create(directory.path().join("talk")).expect("a file");
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "no", "--daemonize", "no", "--dir"])
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(talk)
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts; Debian: apt-get install redis-server")
}
