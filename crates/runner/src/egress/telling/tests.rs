//! A refusal in the run's log and in the organization's audit, on a real database.

use super::*;
use crate::{egress::Egress, logs, masking::Masking};
use domain::{
    ExecutionId,
    network::{AllowedHosts, PrivateHosts},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};
use store::ListAudit;
use testkit::World;
use uuid::Uuid;

fn ask(proxy: std::net::SocketAddr, target: &str) -> String {
    let mut socket = TcpStream::connect(proxy).unwrap();
    write!(socket, "CONNECT {target} HTTP/1.1\r\n\r\n").unwrap();
    let mut bytes = [0; 1024];
    let count = socket.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_in_the_log_once_and_in_the_audit_of_its_organization_without_secrets() {
    let world = World::new().await;
    let sources = Sources::new(world.store.clone(), cache::Cache::memory(1 << 20));
    let execution = ExecutionId(Uuid::now_v7());
    let access = Access::from_claimed_job(world.acme, execution);
    let masking = Arc::new(Masking::default());
    masking.learn(&json!("s3cret-token")).unwrap();
    let (log, lines) = logs::gate(masking.clone());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let allowed = AllowedHosts::new(&["*.example.com".to_owned()]);
    let policy = Policy { egress: Egress::new(PrivateHosts::default()), allowed };
    let way_out = WayOut::open(Some(listener), policy).unwrap();
    let teller = Teller { log: &log, masking: &masking, sources: &sources, access: &access };
    let talk = tokio::task::spawn_blocking(move || {
        ["evil.test:443", "EVIL.test:443", "10.0.0.1:80", "s3cret-token.evil.test:53"]
            .map(|target| ask(proxy, target))
    });
    let (replies, traffic) = way_out.during(&teller, talk).await;
    assert!(replies.unwrap().iter().all(|reply| reply.starts_with("HTTP/1.1 403")));
    assert_eq!((traffic.refused, traffic.connections), (4, 0));
    log.close(now()).await;
    let mut lines = lines;
    let mut told = Vec::new();
    while let Some(line) = lines.recv().await {
        told.push((line.level, line.message));
    }
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0].0, LogLevel::Warning);
    assert!(told[0].1.contains("`evil.test:443` is refused"), "{told:?}");
    assert!(told[2].1.contains("`***.evil.test:53`"), "{told:?}");
    assert_eq!(told[3].1, "network: 0 connections, 0 bytes sent, 0 received, 4 refused");
    let list = || ListAudit {
        action: Some("network.refused".to_owned()),
        limit: 50,
        ..ListAudit::default()
    };
    let entries = world.scoped(world.acme).audit_entries(list()).await.unwrap();
    let objects: Vec<_> = entries.iter().map(|audited| audited.entry.object.as_str()).collect();
    assert_eq!(objects, ["***.evil.test:53", "10.0.0.1:80", "evil.test:443"]);
    for entry in entries.iter().map(|audited| &audited.entry) {
        assert_eq!((entry.verdict.as_str(), entry.who.id), ("denied", Some(execution.0)));
        assert_eq!(entry.detail, r#"{"because":"allowed_hosts"}"#);
    }
    let others = world.scoped(world.globex).audit_entries(list()).await.unwrap();
    assert!(others.is_empty(), "{others:?}");
}
