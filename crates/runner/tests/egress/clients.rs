//! Real clients in Python through the proxy, as workflows use them.

use super::stage::{Setting, Stage};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What the clients are, in the versions that were tried.
const PACKAGES: [&str; 4] =
    ["requests==2.32.5", "httpx==0.28.1", "urllib3==2.5.0", "aiohttp==3.13.2"];
const CLIENTS: [&str; 8] =
    ["urllib", "http_client", "requests", "httpx", "urllib3", "aiohttp", "smtplib", "network"];

struct Services {
    process: Child,
    ports: serde_json::Value,
}

impl Drop for Services {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/egress").join(name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Python with the clients, made when it is not there.
fn python() -> PathBuf {
    let place = root().join(".cache/egress-clients");
    let python = place.join("bin/python");
    let done = place.join("installed");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&place).status().unwrap();
    assert!(made.success(), "no virtual environment can be made");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let installed = Command::new(&python).args(pip).args(PACKAGES).status().unwrap();
    assert!(installed.success(), "the clients cannot be installed");
    std::fs::write(done, wanted).unwrap();
    python
}

fn services(python: &Path, directory: &Path) -> Services {
    let made = rcgen::generate_simple_self_signed(["service.test".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut command = Command::new(python);
    command.arg(here("services.py")).arg(directory).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Services { process, ports: serde_json::from_str(&line).unwrap() }
}

#[tokio::test]
async fn http_clients_and_mail_work_through_the_proxy_and_say_why_a_host_is_refused() {
    let python = python();
    let directory = tempfile::tempdir().unwrap();
    let services = services(&python, directory.path());
    let ports = services.ports.as_object().unwrap();
    let pairs = ports.values().map(|port| format!("service.test:{port}"));
    let mut stage = Stage::set(Setting {
        names: &[("service.test", &[&["127.0.0.1"]])],
        private: pairs.collect::<Vec<_>>().join(","),
        allowed: &["service.test"],
        ..Setting::default()
    });
    let proxy = format!("http://{}", stage.proxy);
    for client in CLIENTS {
        let mut command = tokio::process::Command::new(&python);
        command.arg(here("clients.py")).args([client, &services.ports.to_string()]).env_clear();
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(name, &proxy);
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
            command.env(name, directory.path().join("cert.pem"));
        }
        command.env("PYTHONPATH", root().join("python/src")).kill_on_drop(true);
        let ended = command.output().await.unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{client}: {errors}");
        let told = stage.told();
        let first = client == CLIENTS[0];
        assert_eq!(told.len(), usize::from(first), "{client}: each refusal is told once: {told:?}");
    }
    let traffic = stage.gate.close().await;
    assert!(traffic.connections >= 14 && traffic.sent > 0 && traffic.received > 0, "{traffic:?}");
    assert!(traffic.refused >= CLIENTS.len() as u64, "{traffic:?}");
}
