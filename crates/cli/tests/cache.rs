//! The real program with a real Redis: what it says of it, what is in it, and that nothing else
//! depends on it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::process::Command;
use testkit::{
    Client, Server, ServerOptions, eventually,
    marks::Search,
    redis::{Encrypted, Redis},
};

const ACME: &str = "qxacme77vk31j5w";
const GLOBEX: &str = "qxglobex4t8zzpw";
const EVERYBODY: &str = "qxglobal9m2kk4d";

fn server(arguments: &[&str], environment: &[(&str, &str)]) -> Server {
    let text = |text: &&str| (*text).to_owned();
    Server::with(ServerOptions {
        program: env!("CARGO_BIN_EXE_bifrost").into(),
        arguments: arguments.iter().map(text).collect(),
        environment: environment.iter().map(|(name, value)| (text(name), text(value))).collect(),
    })
}

/// An organization with a workflow that tells its own mark and Global's.
async fn organization(server: &Server, slug: &str, mark: &str) -> Client {
    server.create_organization(slug);
    let client = server.sign_in(slug, "admin").await;
    write(&client, mark).await;
    client
}

async fn write(client: &Client, mark: &str) {
    let source = format!(
        "from bifrost import workflow\nfrom shared import everybodys\n\n@workflow\ndef tell():\n    \
         return [\"{mark}\", everybodys.MARK]\n"
    );
    let written = client.put_file("workflows/tell.py", &source).await;
    assert!(matches!(written.status, 200 | 201), "{written:?}");
}

async fn tells(client: &Client, mark: &str) {
    let execution = client.run("tell", json!({})).await;
    assert_eq!(execution["result"], json!([mark, EVERYBODY]), "{execution}");
}

async fn global(server: &Server) -> Client {
    let provider = server.sign_in("provider", "admin").await;
    let global = server.act(&provider, None).await;
    let text = format!("MARK = \"{EVERYBODY}\"\n");
    assert_eq!(global.put_file("shared/everybodys.py", &text).await.status, 201);
    global
}

async fn ready(server: &Server) -> Value {
    let reply = Client::new(&server.url, None).get("/readyz").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

async fn cache_is(server: &Server, word: &str) {
    eventually(word, async || (ready(server).await["cache"] == word).then_some(())).await;
    let up = if word == "ok" { "bifrost_cache_up 1" } else { "bifrost_cache_up 0" };
    let figures = Client::new(&server.url, None).get("/metrics").await.body;
    assert!(figures.as_str().unwrap().contains(up), "no `{up}` in {figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_comes_and_goes_and_the_server_says_so_and_runs() {
    let mut redis = Redis::start();
    let server = server(&["--redis-url", &redis.url()], &[]);
    global(&server).await;
    let acme = organization(&server, "acme", ACME).await;
    cache_is(&server, "ok").await;
    assert_eq!(ready(&server).await, json!({ "status": "ok", "cache": "ok" }));
    tells(&acme, ACME).await;
    redis.kill();
    tells(&acme, ACME).await;
    write(&acme, "fresh1").await;
    tells(&acme, "fresh1").await;
    cache_is(&server, "degraded").await;
    redis.restart();
    cache_is(&server, "ok").await;
    redis.freeze();
    write(&acme, "fresh2").await;
    tells(&acme, "fresh2").await;
    cache_is(&server, "degraded").await;
    redis.thaw();
    cache_is(&server, "ok").await;
    redis.fill();
    write(&acme, "fresh3").await;
    tells(&acme, "fresh3").await;
    eventually("a full Redis is told", async || {
        (ready(&server).await["cache"] == "degraded").then_some(())
    })
    .await;
    let figures = Client::new(&server.url, None).get("/metrics").await.body;
    for name in
        ["hits_total", "misses_total", "errors_total{op=\"write\"}", "seconds_bucket{op=\"read\""]
    {
        assert!(
            figures.as_str().unwrap().contains(&format!("bifrost_cache_{name}")),
            "{name}: {figures}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_value_is_under_its_own_organization_s_keys_only_and_goes_with_it() {
    let redis = Redis::start();
    let mut server = server(&["--redis-url", &redis.url()], &[]);
    let everybody = global(&server).await;
    let acme = organization(&server, "acme", ACME).await;
    let globex = organization(&server, "globex", GLOBEX).await;
    tells(&acme, ACME).await;
    tells(&globex, GLOBEX).await;
    let found = everybody.get("/api/organizations").await.body;
    let id = |slug: &str| {
        let items = found["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["slug"] == slug);
        item.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (acme_id, globex_id) = (id("acme"), id("globex"));
    // An index comes last, after the contents.
    for word in ["global", &acme_id, &globex_id] {
        let key = format!("bifrost:module:generation:{word}");
        eventually("it is written", async || redis.get(&key)).await;
    }
    let owners = [(&acme_id[..], ACME), (&globex_id, GLOBEX), ("global", EVERYBODY)];
    let mut seen = [0; 3];
    for key in redis.keys() {
        let value = redis.get(&key).unwrap();
        let owner = owners.iter().position(|(word, _)| key.contains(word));
        let owner = owner.unwrap_or_else(|| panic!("whose is {key}?"));
        let others = (0..3).filter(|other| *other != owner).map(|other| owners[other].1);
        // Workflows of both organizations import Global's module by its name, not by its mark.
        assert_eq!(Search::new(others).find(&value), None, "under {key}");
        seen[owner] += usize::from(Search::new([owners[owner].1]).find(&value).is_some());
    }
    assert!(seen.iter().all(|values| *values > 0), "{seen:?}");

    let purge = format!("/api/organizations/{acme_id}?purge=true&confirm=acme");
    assert_eq!(everybody.delete(&purge).await.status, 204);
    let arguments = ["admin", "delete-organization", "--slug", "globex", "--purge", "--yes"];
    let url = redis.url();
    server.command(&[&arguments[..], &["--redis-url", &url]].concat(), "");
    let left = redis.keys();
    assert!(!left.is_empty() && left.iter().all(|key| key.contains(":global")), "{left:?}");
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_wrote_into_redis_is_dropped_counted_and_not_run() {
    let redis = Redis::start();
    let mut server = server(&["--redis-url", &redis.url()], &[]);
    global(&server).await;
    let acme = organization(&server, "acme", ACME).await;
    tells(&acme, ACME).await;
    let is_workflow = |key: &String| key.ends_with(":workflows/tell.py");
    let key = eventually("it is kept", async || redis.keys().into_iter().find(is_workflow)).await;
    server.kill();
    let value = String::from_utf8(redis.get(&key).unwrap()).unwrap();
    redis.set(&key, value.replace(ACME, "evil").as_bytes());
    server.restart();
    let acme = acme.at(&server.url);
    tells(&acme, ACME).await;
    let figures = Client::new(&server.url, None).get("/metrics").await.body;
    let dropped = "bifrost_cache_dropped_total{why=\"altered\"} 1";
    assert!(figures.as_str().unwrap().contains(dropped), "no `{dropped}` in {figures}");
    let mended = async || redis.get(&key).filter(|now| *now == value.as_bytes());
    eventually("the right value is back", mended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_a_password_are_spoken_and_the_password_is_never_said() {
    let redis = Encrypted::start("s3cret-word").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("redis-url");
    std::fs::write(&file, format!("{}\n", redis.url)).unwrap();
    let (file, authority) = (file.to_str().unwrap(), redis.authority.to_str().unwrap());
    let environment =
        [("BIFROST_REDIS_URL_FILE", file), ("SSL_CERT_FILE", authority), ("BIFROST_LOG", "trace")];
    let trusting = server(&[], &environment);
    cache_is(&trusting, "ok").await;
    global(&trusting).await;
    let acme = organization(&trusting, "acme", ACME).await;
    tells(&acme, ACME).await;
    assert!(!trusting.talk().contains("s3cret"), "{}", trusting.talk());
    // Who vouches for it is not known here.
    let doubting = server(&[], &[environment[0], environment[2]]);
    cache_is(&doubting, "degraded").await;
    assert!(!doubting.talk().contains("s3cret"), "{}", doubting.talk());
}

#[test]
fn the_doctor_looks_at_redis() {
    let redis = Redis::with_password("s3cret-word");
    let directory = tempfile::tempdir().unwrap();
    let doctor = |url: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_bifrost"))
            .args(["doctor", "--redis-url", url, "--data-dir"])
            .arg(directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("cache")).unwrap().to_owned();
        assert!(!text.contains("s3cret"), "{text}");
        (output.status.code(), line)
    };
    let (code, line) = doctor(&redis.url());
    assert_eq!((code, line.starts_with("ok")), (Some(0), true), "{line}");
    let (code, line) = doctor(&format!("redis://:wrong@127.0.0.1:{}", redis.port()));
    assert_eq!((code, line.starts_with("FAIL")), (Some(1), true), "{line}");
    assert!(line.contains("right user and password"), "{line}");
}
