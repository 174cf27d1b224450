//! Identity across processes on one data directory: keys rotate, revocation spreads, links replace
//! one another, commands change what servers know.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Client, Server, ServerOptions, eventually};

const PASSWORD: &str = "correct horse battery staple";

fn api_server() -> Server {
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    let arguments = vec!["--role".to_owned(), "api".to_owned()];
    Server::with(ServerOptions { program, arguments, environment: Vec::new() })
}

async fn kids(server: &Server) -> Vec<String> {
    let jwks = Client::new(&server.url, None).get("/.well-known/jwks.json").await.body;
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn login(server: &Server, organization: &str, email: &str) -> testkit::Reply {
    let body = json!({"organization": organization, "email": email, "password": PASSWORD});
    Client::new(&server.url, None).post("/api/auth/login", &body).await
}

/// The id of the key that signed a token.
fn kid(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_rotate_while_two_processes_serve() {
    let one = api_server();
    let two = one.beside(&["--role", "api"]);
    one.create_organization("acme");
    let old_client = one.sign_in("acme", "admin").await;
    for path in ["a.py", "b.py", "c.py"] {
        old_client.put_file(path, "x = 1\n").await;
    }
    let page = old_client.get("/api/files?limit=1").await.body;
    let old = kids(&one).await.remove(0);
    let command = one.command(&["admin", "rotate-signing-key", "--json"], "");
    let new: Value = serde_json::from_str(&command).unwrap();
    let new = new["kid"].as_str().unwrap().to_owned();
    let rotated = Instant::now();
    for server in [&one, &two] {
        let known = async || kids(server).await.contains(&new).then_some(());
        eventually("the new key is published", known).await;
    }
    assert!(rotated.elapsed() < Duration::from_secs(3), "{:?}", rotated.elapsed());
    // At every moment each process takes what the other one signs.
    let signed_by = eventually("the new key signs", async || {
        let reply = login(&one, "acme", "admin@acme.test").await;
        let token = reply.body["access_token"].as_str().unwrap().to_owned();
        let there = Client::new(&two.url, Some(&token)).get("/api/auth/me").await;
        assert_eq!(there.status, 200, "{there:?}");
        (kid(&token) == new).then_some(token)
    });
    signed_by.await;
    assert_eq!(old_client.get("/api/auth/me").await.status, 200, "old tokens go on");
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = old_client.at(&two.url).get(&format!("/api/files?limit=1&cursor={cursor}")).await;
    assert_eq!((next.status, &next.body["items"][0]["path"]), (200, &json!("b.py")));

    let command = one.command(&["admin", "retire-signing-key"], "");
    assert_eq!(command, "every key is in use\n", "not for half an hour");
    one.command(&["admin", "retire-signing-key", "--kid", &old], "");
    for server in [&one, &two] {
        let out = async || {
            (old_client.at(&server.url).get("/api/auth/me").await.status == 401).then_some(())
        };
        eventually("tokens of the retired key are void", out).await;
        assert_eq!(kids(server).await, std::slice::from_ref(&new));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_process_is_void_at_the_other_within_a_second() {
    let one = api_server();
    let two = one.beside(&["--role", "api"]);
    one.create_organization("acme");
    let admin = one.sign_in("acme", "admin").await;
    let key = admin.post("/api/api-keys", &json!({"name": "ci", "role": "ops"})).await.body;
    let program = Client::new(&two.url, key["key"].as_str());
    let ops = one.sign_in("acme", "ops").await.at(&two.url);
    let users = admin.get("/api/users").await.body;
    let person = users["items"].as_array().unwrap().iter().find(|it| it["role"] == "ops").unwrap();
    for client in [&program, &ops] {
        assert_eq!(client.get("/api/auth/me").await.status, 200, "remembered there now");
    }
    let path = |noun: &str, item: &Value| format!("/api/{noun}/{}", item["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path("api-keys", &key)).await.status, 204);
    assert_eq!(admin.patch(&path("users", person), &json!({"active": false})).await.status, 200);
    let revoked = Instant::now();
    for client in [&program, &ops] {
        let out = async || (client.get("/api/auth/me").await.status == 401).then_some(());
        eventually("it is void at the other process", out).await;
    }
    assert!(revoked.elapsed() < Duration::from_millis(1200), "{:?}", revoked.elapsed());
}

fn links(server: &Server) -> Vec<String> {
    let talk = server.talk();
    let words = talk.split_whitespace().filter_map(|word| word.split_once("/setup#token="));
    words.map(|(_, token)| token.to_owned()).collect()
}

async fn link_of(server: &Server) -> String {
    eventually("a link is printed", async || links(server).pop()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_prints_a_link_and_the_last_one_works() {
    let mut server = api_server();
    let first = link_of(&server).await;
    server.kill();
    server.restart();
    let second = link_of(&server).await;
    let set_up = async |token: &str| {
        let body = json!({"token": token, "email": "boss@provider.test", "password": PASSWORD});
        Client::new(&server.url, None).post("/api/auth/setup", &body).await.status
    };
    assert_eq!(
        (set_up(&first).await, set_up(&second).await, set_up(&second).await),
        (401, 201, 401)
    );
    assert_eq!(login(&server, "provider", "boss@provider.test").await.status, 200);
    server.kill();
    server.restart();
    assert_eq!(login(&server, "provider", "boss@provider.test").await.status, 200);
    assert!(links(&server).is_empty(), "nobody needs one any more");
    let peek = testkit::peek::Peek::new(server.data_dir()).await;
    let stored = peek.rows_of(domain::OrganizationId::PROVIDER.0).await;
    assert!(stored.contains("boss@provider.test"), "the search finds what is there");
    let held = |token: &str| stored.contains(token);
    assert!(!held(&first) && !held(&second), "only hashes are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_make_keys_and_passwords_and_purge() {
    let server = api_server();
    server.create_organization("acme");
    let admin = server.sign_in("acme", "admin").await;
    let arguments = ["admin", "create-api-key", "--organization", "acme", "--name", "ci"];
    let key = server.command(&[&arguments[..], &["--role", "ops"]].concat(), "");
    let program = Client::new(&server.url, Some(key.trim()));
    assert_eq!(program.get("/api/auth/me").await.body["api_key"]["name"], "ci");
    let arguments = ["admin", "set-password", "--organization", "acme", "--password-stdin"];
    let arguments = [&arguments[..], &["--email", "admin@acme.test"]].concat();
    server.command(&arguments, "another good password");
    let out = async || (admin.get("/api/auth/me").await.status == 401).then_some(());
    eventually("the old sign-in is void", out).await;
    assert_eq!(login(&server, "acme", "admin@acme.test").await.status, 401);

    let arguments = ["admin", "delete-organization", "--slug", "acme", "--purge", "--yes"];
    server.command(&arguments, "");
    let out = async || (program.get("/api/auth/me").await.status == 401).then_some(());
    eventually("its keys are void", out).await;
    server.create_organization("acme");
    server.command(&["admin", "delete-organization", "--slug", "acme"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_kept_from_plain_http_where_people_come_over_tls() {
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    let arguments = ["--role", "api", "--public-url", "https://bifrost.example.com/"];
    let arguments = arguments.map(str::to_owned).to_vec();
    let server = Server::with(ServerOptions { program, arguments, environment: Vec::new() });
    eventually("the link is printed", async || {
        server.talk().contains("  https://bifrost.example.com/setup#token=").then_some(())
    })
    .await;
    server.create_organization("acme");
    server.sign_in("acme", "ops").await;
    let login = json!({"organization": "acme", "email": "ops@acme.test", "password": PASSWORD});
    let http = reqwest::Client::new();
    let request = http.post(format!("{}/api/auth/session", server.url)).json(&login);
    let response = request.send().await.unwrap();
    assert!(response.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_and_claims_are_counted() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    let source = "from bifrost import workflow\n\n@workflow\ndef one():\n    return 1\n";
    acme.put_file("workflows/one.py", source).await;
    acme.run("one", json!({})).await;
    let text = Client::new(&server.url, None).get("/metrics").await.body;
    let text = text.as_str().unwrap();
    for line in [
        "bifrost_executions_finished_total{outcome=\"succeeded\"} 1",
        "bifrost_queue_claims_total 1",
        "bifrost_guard_statements_refused_total 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
}
