//! A machine that allows no namespaces: the server does not start there, or says what is missing.

use crate::stage::script;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;
use testkit::{Client, Server, ServerOptions};

/// The program where nobody may make a namespace, and without any right of root.
fn confined() -> (PathBuf, TempDir) {
    let bifrost = env!("CARGO_BIN_EXE_bifrost");
    script(&format!(
        r#"exec unshare --user --map-root-user sh -c '
echo 0 > /proc/sys/user/max_user_namespaces
exec setpriv --inh-caps=-all --bounding-set=-all {bifrost} "$@"' sh "$@"
"#
    ))
}

fn call(program: &PathBuf, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).args(arguments).output().expect("`timeout` starts")
}

#[test]
fn a_server_does_not_start_without_a_required_wall() {
    let ((program, _directory), data) = (confined(), tempfile::tempdir().unwrap());
    let data = data.path().display().to_string();
    let output = call(&program, &["serve", "--listen", "127.0.0.1:0", "--data-dir", &data]);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    for words in ["walls around runs do not hold", "\n  network: ", "--isolation best-effort"] {
        assert!(talk.contains(words), "`{words}` is not in: {talk}");
    }
    assert!(!talk.contains("listening on"), "{talk}");
}

#[test]
fn doctor_names_the_walls_that_hold_and_those_that_do_not() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().display().to_string();
    let arguments = ["doctor", "--json", "--data-dir", &data];
    let walls = |output: Output| -> Vec<(String, bool, String)> {
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = told["checks"].as_array().unwrap().iter();
        let walls = checks.filter_map(|check| {
            let name = check["check"].as_str().unwrap().strip_prefix("wall ")?.to_owned();
            let detail = check["detail"].as_str().unwrap().to_owned();
            Some((name, check["ok"].as_bool().unwrap(), detail))
        });
        walls.collect()
    };
    let whole = call(&env!("CARGO_BIN_EXE_bifrost").into(), &arguments);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let whole = walls(whole);
    assert!(whole.len() >= 8 && whole.iter().all(|(_, ok, _)| *ok), "{whole:?}");
    let (program, _directory) = confined();
    let without = call(&program, &arguments);
    assert_eq!(without.status.code(), Some(1), "{without:?}");
    let without = walls(without);
    assert_eq!(without.len(), whole.len());
    let network = without.iter().find(|(name, ..)| name == "network").unwrap();
    assert!(!network.1 && network.2.contains("required"), "{network:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_do_its_best_starts_and_says_what_is_missing() {
    let (program, _directory) = confined();
    let arguments = vec!["--isolation=best-effort".to_owned()];
    let server = Server::with(ServerOptions { program, arguments, environment: Vec::new() });
    let talk = server.talk();
    let said = "a required wall around runs does not hold: network: ";
    assert!(talk.contains(said), "{talk}");
    let shown = isolation(&server).await;
    assert_eq!(shown["whole"], json!(false), "{shown}");
    let network = wall(&shown, "network");
    assert_eq!((&network["required"], &network["holds"]), (&json!(true), &json!(false)));
    assert!(network["how"].as_str().unwrap().len() > 20, "it says what to do: {network}");
    let figures = reqwest::get(format!("{}/metrics", server.url)).await.unwrap();
    let figures = figures.text().await.unwrap();
    let line = "bifrost_isolation_wall{wall=\"network\",required=\"yes\"} 0";
    assert!(figures.contains(line), "{figures}");
    // It runs all the same.
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    let source = "from bifrost import workflow\n\n@workflow\ndef one() -> int:\n    return 1\n";
    assert_eq!(acme.put_file("one.py", source).await.status, 201);
    assert_eq!(acme.run("one", json!({})).await["result"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_server_shows_every_wall_to_the_provider() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    let shown = isolation(&server).await;
    assert_eq!(shown["whole"], json!(true), "{shown}");
    let walls = shown["walls"].as_array().unwrap();
    assert!(walls.len() >= 8, "{shown}");
    for wall in walls.iter().filter(|wall| wall["required"] == json!(true)) {
        assert_eq!(wall["holds"], json!(true), "{wall}");
    }
}

async fn isolation(server: &Server) -> Value {
    let provider = server.sign_in("provider", "admin").await;
    let global: Client = server.act(&provider, None).await;
    let reply = global.get("/api/system/isolation").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

fn wall<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let mut walls = shown["walls"].as_array().unwrap().iter();
    walls.find(|wall| wall["name"] == name).unwrap()
}
