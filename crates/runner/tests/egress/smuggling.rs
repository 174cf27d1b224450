//! Requests that two readers could read differently reach the host as one, or not at all.

use super::stage::{OK, Stage, read_answer, upstream};
use std::time::Duration;
use tokio::{io::AsyncWriteExt, time::timeout};

/// Sends bytes, and returns the first status and every request that the host saw.
async fn seen(request: &str) -> (u16, Vec<String>) {
    let (address, mut requests) = upstream(OK).await;
    let stage = Stage::before(address);
    let request = request.replace("HOST", &format!("service.test:{}", address.port()));
    let mut socket = stage.connect().await;
    socket.write_all(request.as_bytes()).await.unwrap();
    let status = read_answer(&mut socket).await.status;
    let mut all = Vec::new();
    while let Ok(Some(request)) = timeout(Duration::from_millis(100), requests.recv()).await {
        all.push(request);
    }
    (status, all)
}

#[tokio::test]
async fn a_length_beside_chunks_counts_for_nothing() {
    for order in [
        "Content-Length: 40\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 40",
    ] {
        let hidden = "GET http://10.0.0.1/hidden HTTP/1.1\r\n\r\n";
        let (_, requests) =
            seen(&format!("POST http://HOST/ HTTP/1.1\r\n{order}\r\n\r\n0\r\n\r\n{hidden}")).await;
        assert!(requests.len() <= 1, "{requests:?}");
        for request in requests {
            assert!(!request.to_lowercase().contains("content-length"), "{request}");
            assert!(!request.contains("hidden"), "the rest is a request to the proxy: {request}");
        }
    }
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    for lines in [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 5",
        "Content-Length: +4",
        "Content-Length: 0x4",
        "Content-Length: -1",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Content-Length : 4",
        " Content-Length: 4",
        "X: a\nContent-Length: 4\r\r\nX: b",
    ] {
        let (status, requests) =
            seen(&format!("POST http://HOST/ HTTP/1.1\r\n{lines}\r\n\r\nbody5")).await;
        let bodies: Vec<_> =
            requests.iter().map(|request| request.split("\r\n\r\n").nth(1)).collect();
        assert!(status == 400 && requests.is_empty(), "{lines:?}: {status} {bodies:?}");
    }
}

#[tokio::test]
async fn a_second_request_behind_the_first_is_checked_by_itself() {
    let (address, mut requests) = upstream(OK).await;
    let stage = Stage::before(address);
    let mut socket = stage.connect().await;
    let both = format!(
        "GET http://service.test:{}/one HTTP/1.1\r\n\r\nGET http://169.254.169.254/two HTTP/1.1\r\n\r\n",
        address.port()
    );
    socket.write_all(both.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut socket).await.status, 200);
    assert_eq!(read_answer(&mut socket).await.status, 403);
    assert!(requests.recv().await.unwrap().starts_with("GET /one"));
    assert!(timeout(Duration::from_millis(50), requests.recv()).await.is_err());
}

#[tokio::test]
async fn line_ends_in_a_url_do_not_reach_the_host() {
    for request in [
        "GET http://HOST/\rX: 1 HTTP/1.1\r\n\r\n",
        "GET http://HOST/\0 HTTP/1.1\r\n\r\n",
        "GET http://HOST /x HTTP/1.1\r\n\r\n",
        "GET http://HOST/ HTTP/1.1\r\nX: a\0b\r\n\r\n",
        "GET http://HOST/ HTTP/2.0\r\n\r\n",
    ] {
        let (status, requests) = seen(request).await;
        assert!(status >= 400 && requests.is_empty(), "{request:?}: {status} {requests:?}");
    }
}
