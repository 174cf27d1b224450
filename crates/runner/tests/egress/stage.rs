//! A proxy on loopback, names that mean what a test says, and a client that sends what it is told.

use domain::network::AllowedHosts;
use futures_util::{FutureExt, future::BoxFuture};
use runner::egress::{Egress, Gate, Limits, MOST_LOGGED, Policy, Report, Resolve};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};

/// Answers of a resolver: for each name, one list of addresses after the other; the last one stays.
#[derive(Default)]
pub struct Names {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    pub asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn resolve(
        &self,
        name: &str,
        _slot: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|other| *other == name).count();
        asked.push(name.to_owned());
        if name == "slow.test" {
            return std::future::pending().boxed();
        }
        let answers = self.answers.get(name);
        let answer = answers.and_then(|all| all.get(before).or(all.last()).cloned());
        async move { answer.ok_or_else(|| io::Error::other("no such name")) }.boxed()
    }
}

/// How a stage is set.
pub struct Setting<'a> {
    pub names: &'a [(&'a str, &'a [&'a [&'a str]])],
    pub private: String,
    pub allowed: &'a [&'a str],
    pub limits: Limits,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        let limits = Limits { connect: Duration::from_secs(5), ..Limits::default() };
        Self { names: &[], private: String::new(), allowed: &["*"], limits }
    }
}

/// A proxy.
pub struct Stage {
    pub proxy: SocketAddr,
    pub gate: Gate,
    pub reports: mpsc::Receiver<Report>,
    pub names: Arc<Names>,
}

impl Stage {
    pub fn set(setting: Setting<'_>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::behind(listener, setting)
    }

    pub fn behind(listener: std::net::TcpListener, setting: Setting<'_>) -> Self {
        let answers = setting.names.iter().map(|(name, answers)| {
            let read = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
            ((*name).to_owned(), answers.iter().map(read).collect())
        });
        let names = Arc::new(Names { answers: answers.collect(), asked: Mutex::default() });
        let private = setting.private.parse().unwrap();
        let egress = Egress::with(names.clone(), private, setting.limits);
        let allowed: Vec<_> = setting.allowed.iter().map(|&pattern| pattern.to_owned()).collect();
        let policy = Policy { egress, allowed: AllowedHosts::new(&allowed) };
        let proxy = listener.local_addr().unwrap();
        let (reporter, reports) = mpsc::channel(MOST_LOGGED);
        let gate = Gate::open(listener, policy, reporter).unwrap();
        Self { proxy, gate, reports, names }
    }

    /// A proxy that lets `service.test` through to an upstream on loopback.
    pub fn before(upstream: SocketAddr) -> Self {
        let private = format!("service.test:{}", upstream.port());
        Self::set(Setting {
            names: &[("service.test", &[&["127.0.0.1"]])],
            private,
            ..Setting::default()
        })
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy).await.unwrap()
    }

    /// Sends a request and reads one reply.
    pub async fn ask(&self, request: &str) -> Answer {
        let mut socket = self.connect().await;
        socket.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut socket).await
    }

    /// Asks for a tunnel.
    pub async fn tunnel(&self, target: &str) -> (TcpStream, Answer) {
        let mut socket = self.connect().await;
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut socket).await;
        (socket, answer)
    }

    /// The refusals so far.
    pub fn told(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.reports.try_recv().ok()).collect()
    }
}

/// One reply.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Reads a reply: its head, and the body that its head announces.
pub async fn read_answer(socket: &mut TcpStream) -> Answer {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        let lower = head.to_lowercase();
        let length = lower.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
        let mut body =
            vec![
                0;
                if status == 200 && !lower.contains("content-") { 0 } else { length.unwrap_or(0) }
            ];
        socket.read_exact(&mut body).await.unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    };
    timeout(Duration::from_secs(20), read).await.expect("a reply in time")
}

/// Everything until the other side ends; what came before a broken connection too.
pub async fn read_all(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let read = socket.read_to_end(&mut all);
    // A reset is an end as well.
    let _ended = timeout(Duration::from_secs(20), read).await.expect("an end in time");
    all
}

/// An upstream that reads one request as far as it comes, gives `reply` and closes; what it read.
pub async fn upstream(reply: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let request = read_request(&mut socket).await;
                let _test_over = seen.send(request);
                let _client_gone = socket.write_all(reply.as_bytes()).await;
            });
        }
    });
    (address, requests)
}

/// The head, and the body that the head announces.
async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
            let chunked = lower.contains("transfer-encoding: chunked");
            if if chunked { body.ends_with("0\r\n\r\n") } else { body.len() >= length } {
                return text;
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            _ => return text_of(bytes),
        }
    }
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An upstream that sends back what it gets, until the client has ended, and then says goodbye.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reading, mut writing) = socket.split();
                let copied = tokio::io::copy(&mut reading, &mut writing).await;
                let _client_gone = writing.write_all(format!("bye {copied:?}").as_bytes()).await;
            });
        }
    });
    address
}

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-From: upstream\r\n\r\nhello";
