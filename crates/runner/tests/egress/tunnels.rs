//! CONNECT: bytes in both directions, one end before the other, and nothing left at the end.

use super::stage::{Setting, Stage, echo, read_all, upstream};
use std::time::Duration;
use testkit::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

#[tokio::test]
async fn a_tunnel_carries_everything_counts_it_and_closes_half_by_half() {
    let address = echo().await;
    let stage = Stage::before(address);
    let (mut socket, answer) = stage.tunnel(&format!("service.test:{}", address.port())).await;
    assert_eq!(answer.status, 200);
    let sent: Vec<u8> = (0..3_000_000u32).map(|number| (number * 7 % 251) as u8).collect();
    let (mut reading, mut writing) = socket.split();
    let write = async {
        writing.write_all(&sent).await.unwrap();
        writing.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let (_, read) = tokio::join!(write, reading.read_to_end(&mut received));
    read.unwrap();
    let goodbye = format!("bye Ok({})", sent.len());
    assert_eq!(received[..sent.len()], sent);
    assert_eq!(received[sent.len()..], *goodbye.as_bytes(), "after the client had ended");
    let traffic = stage.gate.close().await;
    assert_eq!((traffic.connections, traffic.sent), (1, sent.len() as u64));
    assert_eq!(traffic.received, received.len() as u64);
}

#[tokio::test]
async fn what_is_sent_right_behind_the_head_is_the_tunnel_s() {
    let address = echo().await;
    let stage = Stage::before(address);
    let mut socket = stage.connect().await;
    let head = format!("CONNECT service.test:{} HTTP/1.1\r\n\r\nearly", address.port());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let all = String::from_utf8(read_all(&mut socket).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200") && all.contains("\r\n\r\nearlybye"), "{all}");
}

#[tokio::test]
async fn a_host_that_speaks_first_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"220 mail.test\r\n").await.unwrap();
    });
    let stage = Stage::before(address);
    let (mut socket, answer) = stage.tunnel(&format!("service.test:{}", address.port())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(read_all(&mut socket).await, b"220 mail.test\r\n");
}

#[tokio::test]
async fn no_socket_survives_the_gate_closed_or_dropped() {
    for dropped in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Stage::before(address);
        let target = format!("service.test:{}", address.port());
        let ((mut near, answer), far) = tokio::join!(stage.tunnel(&target), listener.accept());
        assert_eq!(answer.status, 200);
        let mut waiting = stage.connect().await;
        waiting.write_all(b"CONNECT half").await.unwrap();
        let proxy = stage.proxy;
        if dropped {
            drop(stage);
        } else {
            stage.gate.close().await;
        }
        let (mut far, _) = far.unwrap();
        assert_eq!(read_all(&mut far).await, b"", "the host's side ends");
        assert_eq!(read_all(&mut near).await, b"", "the run's side ends");
        assert_eq!(read_all(&mut waiting).await, b"", "so does one that has not asked yet");
        let refused = async || tokio::net::TcpStream::connect(proxy).await.err();
        eventually("nobody listens any more", refused).await;
    }
}

#[tokio::test]
async fn what_waited_before_the_gate_was_opened_is_of_another_run_and_is_not_served() {
    let (address, mut requests) = upstream(super::stage::OK).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut old = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let request = format!("GET http://service.test:{}/old HTTP/1.1\r\n\r\n", address.port());
    old.write_all(request.as_bytes()).await.unwrap();
    let stage = Stage::behind(
        listener,
        Setting {
            names: &[("service.test", &[&["127.0.0.1"]])],
            private: format!("service.test:{}", address.port()),
            ..Setting::default()
        },
    );
    assert_eq!(read_all(&mut old).await, b"");
    assert_eq!(stage.ask(&request.replace("old", "new")).await.status, 200);
    assert!(requests.recv().await.unwrap().starts_with("GET /new"));
    assert!(timeout(Duration::from_millis(20), requests.recv()).await.is_err());
}
