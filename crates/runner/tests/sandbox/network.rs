//! The one way out of a cell is its proxy, which knows whose run it serves.

use crate::support::{result, stage_with};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const SOURCE: &str = "
import os, socket, urllib.request
def run(port):
    def attempt(what):
        try: return what()
        except OSError as error: return type(error).__name__
    direct = attempt(lambda: socket.create_connection(('127.0.0.1', port), 2) and 'reached')
    url = f'http://127.0.0.1:{port}/'
    through = attempt(lambda: urllib.request.urlopen(url, timeout=10).read().decode())
    other = attempt(lambda: urllib.request.urlopen('http://127.0.0.1:1/', timeout=10).read())
    return [direct, through, other]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_the_operator_allows_is_reached_through_the_proxy_only() {
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = service.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = service.accept().await {
            let mut request = [0; 4096];
            let _read = socket.read(&mut request).await;
            let reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            let _gone = socket.write_all(reply.as_bytes()).await;
        }
    });
    let stage = stage_with(|options| {
        options.private_hosts = format!("127.0.0.1:{port}").parse().unwrap();
    })
    .await;
    for _ in 0..3 {
        let inputs = json!({ "port": port }).to_string();
        let report = stage.run_with(SOURCE, |request| request.inputs = inputs).await;
        let seen = result(&report);
        assert_eq!(seen, json!(["ConnectionRefusedError", "hello", "HTTPError"]));
        assert_eq!((report.traffic.connections, report.traffic.refused), (1, 1));
    }
}
