//! Plain HTTP through the proxy: written anew, streamed, and of one host at a time.

use super::stage::{OK, Stage, read_all, read_answer, upstream};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

#[tokio::test]
async fn a_request_reaches_its_host_without_what_is_between_neighbours() {
    let (address, mut requests) = upstream(OK).await;
    let stage = Stage::before(address);
    let port = address.port();
    let request = format!(
        "POST http://service.test:{port}/a/b?c=%20d HTTP/1.1\r\nHost: elsewhere.test\r\n\
         Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
         Connection: X-Hop, content-length, host\r\nX-Hop: 1\r\nUpgrade: h2c\r\nX-Kept: yes\r\n\
         Content-Length: 4\r\n\r\nbody"
    );
    let answer = stage.ask(&request).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert!(answer.head.contains("X-From: upstream"), "{answer:?}");
    let seen = requests.recv().await.unwrap();
    assert!(seen.starts_with("POST /a/b?c=%20d HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("X-Kept: yes") && seen.ends_with("\r\n\r\nbody"), "{seen}");
    let lower = seen.to_lowercase();
    assert!(lower.contains(&format!("host: service.test:{port}\r\n")), "{seen}");
    for gone in ["elsewhere", "proxy-", "x-hop", "upgrade", "te: ", "c2VjcmV0"] {
        assert!(!lower.contains(&gone.to_lowercase()), "{gone} in {seen}");
    }
}

#[tokio::test]
async fn a_body_and_a_reply_are_streamed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before(listener.local_addr().unwrap());
    let mut socket = stage.connect().await;
    let port = listener.local_addr().unwrap().port();
    let head = format!(
        "POST http://service.test:{port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut seen = String::new();
    while !seen.ends_with("5\r\nfirst\r\n") {
        seen.push(char::from(far.read_u8().await.unwrap()));
    }
    far.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await
        .unwrap();
    let mut told = String::new();
    while !told.ends_with("one\r\n") {
        told.push(char::from(socket.read_u8().await.unwrap()));
    }
    socket.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    while !seen.ends_with("0\r\n\r\n") {
        seen.push(char::from(far.read_u8().await.unwrap()));
    }
    assert!(seen.contains("6\r\nsecond\r\n"), "{seen}");
    far.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    while !told.ends_with("0\r\n\r\n") {
        told.push(char::from(socket.read_u8().await.unwrap()));
    }
    assert!(told.contains("3\r\ntwo\r\n"), "{told}");
}

#[tokio::test]
async fn one_connection_asks_several_hosts_each_checked() {
    let (address, _requests) = upstream(OK).await;
    let stage = Stage::before(address);
    let mut socket = stage.connect().await;
    let mut statuses = Vec::new();
    for host in [
        format!("service.test:{}", address.port()),
        "10.0.0.1".to_owned(),
        format!("SERVICE.test:{}", address.port()),
    ] {
        let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        statuses.push(read_answer(&mut socket).await.status);
    }
    assert_eq!(statuses, [200, 403, 200]);
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_told_how() {
    let stage = Stage::set(super::stage::Setting::default());
    for (request, hint) in [
        ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "CONNECT host:port"),
        ("GET https://a.test/ HTTP/1.1\r\n\r\n", "CONNECT host:443"),
        ("GET ftp://a.test/ HTTP/1.1\r\n\r\n", "CONNECT host:port"),
        ("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", "CONNECT host:port"),
        ("GET http://user:pass@a.test/ HTTP/1.1\r\n\r\n", "leave user and password out"),
        ("CONNECT a.test HTTP/1.1\r\n\r\n", "port from 1 to 65535"),
        ("CONNECT a.test:0 HTTP/1.1\r\n\r\n", "port from 1 to 65535"),
        ("GET http://a.test:0/ HTTP/1.1\r\n\r\n", "port from 1 to 65535"),
    ] {
        let answer = stage.ask(request).await;
        assert_eq!(answer.status, 400, "{request}: {answer:?}");
        assert!(answer.body.contains(hint), "{request}: {answer:?}");
    }
}

#[tokio::test]
async fn a_host_that_breaks_off_or_upgrades_is_a_bad_gateway() {
    for reply in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let (address, _requests) = upstream(reply).await;
        let stage = Stage::before(address);
        let request = format!(
            "GET http://service.test:{}/ HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            address.port()
        );
        let answer = stage.ask(&request).await;
        assert_eq!(answer.status, 502, "{reply:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_connection_to_the_host_along() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before(listener.local_addr().unwrap());
    let mut socket = stage.connect().await;
    let port = listener.local_addr().unwrap().port();
    let request = format!("GET http://service.test:{port}/ HTTP/1.1\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    drop(socket);
    let ended = timeout(Duration::from_secs(10), read_all(&mut far)).await;
    assert!(ended.is_ok_and(|seen| seen.starts_with(b"GET / HTTP/1.1")));
}
