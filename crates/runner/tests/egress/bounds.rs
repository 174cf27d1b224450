//! Clients that cost more than they should: heads, slowness, numbers.

use super::stage::{OK, Setting, Stage, echo, read_all, read_answer, upstream};
use runner::egress::Limits;
use std::time::{Duration, Instant};
use testkit::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

fn stage(limits: Limits) -> Stage {
    Stage::set(Setting { limits, ..Setting::default() })
}

#[tokio::test]
async fn heads_are_bounded() {
    let stage = stage(Limits::default());
    let long = "a".repeat(100_000);
    let many = "X: y\r\n".repeat(200);
    for request in [
        format!("CONNECT {long}:443 HTTP/1.1\r\n\r\n"),
        format!("GET http://a.test/{long} HTTP/1.1\r\n\r\n"),
        format!("GET http://a.test/ HTTP/1.1\r\nX: {long}\r\n\r\n"),
        format!("GET http://a.test/ HTTP/1.1\r\n{many}\r\n"),
    ] {
        let mut socket = stage.connect().await;
        // The proxy may have ended before all of it is sent.
        let _cut = socket.write_all(request.as_bytes()).await;
        let all = String::from_utf8(read_all(&mut socket).await).unwrap();
        assert!(all.is_empty() || all.starts_with("HTTP/1.1 4"), "{}", &all[..40]);
    }
    assert_eq!(stage.names.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_head_that_never_ends_has_its_time() {
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let stage = stage(limits);
    let begun = Instant::now();
    let (mut reading, mut writing) = stage.connect().await.into_split();
    let drip = async {
        while writing.write_all(b"X").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut all = Vec::new();
    tokio::select! {
        () = drip => {}
        // A reset is an end as well.
        _ended = reading.read_to_end(&mut all) => {}
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_passes_is_closed_and_one_that_is_used_is_not() {
    let address = echo().await;
    let limits = Limits { idle: Duration::from_millis(400), ..Limits::default() };
    let stage = Stage::set(Setting {
        private: format!("127.0.0.1:{}", address.port()),
        limits,
        ..Setting::default()
    });
    let target = format!("127.0.0.1:{}", address.port());
    let (mut used, _) = stage.tunnel(&target).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1200) {
        used.write_all(b"x").await.unwrap();
        assert_eq!(used.read_u8().await.unwrap(), b'x');
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read_all(&mut used).await, b"", "now it is not used any more");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let address = echo().await;
    let limits = Limits { connections: 3, ..Limits::default() };
    let stage = Stage::set(Setting {
        private: format!("127.0.0.1:{}", address.port()),
        limits,
        ..Setting::default()
    });
    let target = format!("127.0.0.1:{}", address.port());
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(stage.tunnel(&target).await.0);
    }
    let mut fourth = stage.connect().await;
    let request = format!("CONNECT {target} HTTP/1.1\r\n\r\n");
    fourth.write_all(request.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(200), fourth.read_u8()).await;
    assert!(early.is_err(), "it was served beside three others");
    drop(open.pop());
    assert_eq!(read_answer(&mut fourth).await.status, 200);
    assert_eq!(stage.gate.traffic().connections, 4);
}

#[tokio::test]
async fn a_flood_of_connections_costs_the_limit_and_leaves_nothing() {
    let (address, _requests) = upstream(OK).await;
    let stage = Stage::before(address);
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let mut flood = Vec::new();
    for _ in 0..400 {
        // What does not fit into the queue of the listener is not connected.
        match timeout(Duration::from_millis(200), TcpStream::connect(stage.proxy)).await {
            Ok(Ok(socket)) => flood.push(socket),
            _ => break,
        }
    }
    let clients = flood.len();
    assert!(open() - before <= clients + 64 + 16, "{} for {clients}", open() - before);
    drop(flood);
    let request = format!("GET http://service.test:{}/ HTTP/1.1\r\n\r\n", address.port());
    assert_eq!(stage.ask(&request).await.status, 200, "it serves as before");
    stage.gate.close().await;
    let gone = async || (open() <= before + 8).then_some(());
    eventually("their descriptors are closed", gone).await;
}
