//! The attack table: addresses in every notation, names that stand for them, redirects, rebinding.

use super::stage::{OK, Setting, Stage, echo, upstream};
use runner::egress::{MOST_AUDITED, MOST_LOGGED};

/// Ways to write an address that nobody reaches, as a host.
const ATTACKS: [&str; 46] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::1]",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "2852039166",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.2.1",
    "240.0.0.1",
    "168.63.129.16",
];

#[tokio::test]
async fn no_notation_of_a_forbidden_address_gets_through() {
    let mut stage = Stage::set(Setting::default());
    for host in ATTACKS {
        let (_, answer) = stage.tunnel(&format!("{host}:80")).await;
        assert_eq!(answer.status, 403, "CONNECT {host}: {answer:?}");
        assert!(answer.body.contains("is refused"), "{answer:?}");
        let answer =
            stage.ask(&format!("GET http://{host}/latest HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(answer.status, 403, "GET {host}: {answer:?}");
    }
    assert_eq!(stage.names.asked.lock().unwrap().len(), 0, "a resolver was asked for an address");
    assert_eq!(stage.gate.traffic().connections, 0);
    let told = stage.told();
    assert_eq!(stage.gate.traffic().refused, 2 * ATTACKS.len() as u64);
    assert_eq!(told.len(), ATTACKS.len(), "each is told once");
    let audited: Vec<_> = told.iter().map(|report| report.audited).collect();
    assert_eq!(audited.iter().filter(|audited| **audited).count(), MOST_AUDITED);
    assert!(audited[..MOST_AUDITED].iter().all(|audited| *audited), "the first ones");
}

#[tokio::test]
async fn a_host_longer_than_any_is_not_repeated() {
    let mut stage = Stage::set(Setting::default());
    let (_, answer) = stage.tunnel(&format!("{}:80", "1.".repeat(4000))).await;
    assert_eq!(answer.status, 403);
    let told = stage.told();
    assert_eq!(told[0].target, "a host of 8003 bytes");
    assert!(told[0].text.len() < 300 && answer.body.len() < 300, "{told:?} {answer:?}");
}

#[tokio::test]
async fn hosts_that_no_url_can_have_are_no_requests() {
    let stage = Stage::set(Setting::default());
    for host in
        ["[::1%25lo]", "127.0.0.1%00", "a@127.0.0.1", "bücher.example", "[::ffff:127.1]", ""]
    {
        for request in [
            format!("CONNECT {host}:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
            format!("GET http://{host}/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        ] {
            let answer = stage.ask(&request).await;
            assert!([400, 403].contains(&answer.status), "{request}: {answer:?}");
        }
    }
    assert_eq!(stage.names.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_name_is_refused_if_any_of_its_addresses_is() {
    let mut stage = Stage::set(Setting {
        names: &[
            ("private.test", &[&["10.0.0.8"]]),
            ("mixed.test", &[&["1.1.1.1", "192.168.0.1"]]),
            ("mapped.test", &[&["::ffff:127.0.0.1"]]),
            ("translated.test", &[&["64:ff9b::a9fe:a9fe"]]),
            ("localhost", &[&["127.0.0.1", "::1"]]),
        ],
        ..Setting::default()
    });
    for name in ["private", "mixed", "mapped", "translated"] {
        let (_, answer) = stage.tunnel(&format!("{name}.test:443")).await;
        assert_eq!(answer.status, 403, "{name}: {answer:?}");
        assert!(answer.body.contains(&format!("`{name}.test:443` is refused: it stands for")));
        assert!(answer.head.contains("destination_ip_prohibited"), "{answer:?}");
        for address in ["10.0.0.8", "192.168.0.1", "127.0.0.1", "a9fe"] {
            assert!(!answer.body.contains(address), "what a name stands for inside is told");
        }
    }
    assert_eq!(stage.tunnel("LOCALHOST.:443").await.1.status, 403);
    assert!(stage.told().iter().all(|report| report.rule == "address"));
    assert_eq!(stage.gate.traffic().connections, 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let (address, mut requests) = upstream(OK).await;
    let private = format!("127.0.0.1:{0},rebinding.test:{0}", address.port());
    let rebinding: &[&[&str]] = &[&["127.0.0.1"], &["10.9.9.9"]];
    let stage = Stage::set(Setting {
        names: &[("rebinding.test", rebinding)],
        private,
        ..Setting::default()
    });
    let url = format!("http://rebinding.test:{}/", address.port());
    let answer = stage.ask(&format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert!(requests.recv().await.is_some());
    assert_eq!(
        *stage.names.asked.lock().unwrap(),
        ["rebinding.test"],
        "one lookup for one request"
    );
    // Asked again, it is looked up and checked again.
    let other = Stage::set(Setting {
        names: &[("turning.test", &[&["10.0.0.1"], &["1.1.1.1"]])],
        ..Setting::default()
    });
    assert_eq!(other.tunnel("turning.test:443").await.1.status, 403);
    assert_eq!(*other.names.asked.lock().unwrap(), ["turning.test"]);
}

#[tokio::test]
async fn a_redirect_to_metadata_is_a_request_like_any_other() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n";
    let (address, _requests) = upstream(redirect).await;
    let stage = Stage::before(address);
    let url = format!("http://service.test:{}/", address.port());
    let answer = stage.ask(&format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!(answer.status, 302);
    let next = answer.head.to_lowercase();
    let next = next.split("location: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let answer = stage.ask(&format!("GET {next} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[tokio::test]
async fn the_operator_lets_exact_pairs_through_and_no_name_to_metadata() {
    let address = echo().await;
    let port = address.port();
    let private = format!("service.test:{port},cloud.test:80,127.0.0.1:{port}");
    let stage = Stage::set(Setting {
        names: &[
            ("service.test", &[&["127.0.0.1"]]),
            ("cloud.test", &[&["169.254.169.254"]]),
            ("other.test", &[&["127.0.0.1"]]),
        ],
        private,
        ..Setting::default()
    });
    assert_eq!(stage.tunnel(&format!("Service.test:{port}")).await.1.status, 200);
    assert_eq!(stage.tunnel(&format!("127.0.0.1:{port}")).await.1.status, 200);
    assert_eq!(stage.tunnel(&format!("[::ffff:127.0.0.1]:{port}")).await.1.status, 200);
    for refused in ["cloud.test:80", &format!("other.test:{port}"), "service.test:1", "127.0.0.1:1"]
    {
        let (_, answer) = stage.tunnel(refused).await;
        assert_eq!(answer.status, 403, "{refused}: {answer:?}");
    }
}

#[tokio::test]
async fn the_organization_s_list_is_asked_before_any_name_server() {
    let address = echo().await;
    let mut stage = Stage::set(Setting {
        names: &[("service.test", &[&["127.0.0.1"]])],
        private: format!("service.test:{},10.0.0.1:80", address.port()),
        allowed: &["*.example.com", "service.test:1"],
        ..Setting::default()
    });
    for target in
        [&format!("service.test:{}", address.port()), "secret-data.evil.test:443", "10.0.0.1:80"]
    {
        let (_, answer) = stage.tunnel(target).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("ask an admin of the organization to add"), "{answer:?}");
        let line = answer.head.lines().next().unwrap();
        assert!(line.contains("network.allowed_hosts"), "the status line says why: {line}");
    }
    assert_eq!(stage.names.asked.lock().unwrap().len(), 0, "a lookup can carry data away");
    assert!(stage.told().iter().all(|report| report.rule == "allowed_hosts"));
    // A closed list is nobody, whatever the operator says.
    let closed = Stage::set(Setting {
        allowed: &[],
        private: "127.0.0.1:1".to_owned(),
        ..Setting::default()
    });
    assert_eq!(closed.tunnel("127.0.0.1:1").await.1.status, 403);
}

#[tokio::test]
async fn a_run_that_is_refused_a_thousand_times_is_told_a_hundred() {
    let mut stage = Stage::set(Setting { allowed: &[], ..Setting::default() });
    let mut socket = stage.connect().await;
    for number in 0..1000 {
        let request = format!("GET http://h{number}.test/ HTTP/1.1\r\nHost: x\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.unwrap();
        assert_eq!(super::stage::read_answer(&mut socket).await.status, 403);
    }
    let told = stage.told();
    assert_eq!(told.len(), MOST_LOGGED);
    assert!(told[MOST_LOGGED - 1].text.contains("further refusals"), "{:?}", told.last());
    assert_eq!(stage.gate.traffic().refused, 1000);
}

#[tokio::test]
async fn names_that_are_not_known_and_hosts_that_do_not_answer_are_no_refusals() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = runner::egress::Limits {
        connect: std::time::Duration::from_millis(200),
        ..runner::egress::Limits::default()
    };
    let mut stage = Stage::set(Setting {
        names: &[("nobody.test", &[&["127.0.0.1"]]), ("empty.test", &[&[]])],
        private: format!("nobody.test:{}", nobody.port()),
        limits,
        ..Setting::default()
    });
    for (target, status) in [
        ("unknown.test:443", 502),
        ("empty.test:443", 502),
        ("slow.test:443", 504),
        (&format!("nobody.test:{}", nobody.port()), 502),
    ] {
        assert_eq!(stage.tunnel(target).await.1.status, status, "{target}");
    }
    assert_eq!((stage.told().len(), stage.gate.traffic().refused), (0, 0));
}
