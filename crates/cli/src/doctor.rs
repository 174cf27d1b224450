//! `bifrost doctor`: is everything there that serving needs, and how to mend what is not.

use crate::{arguments::DoctorOptions, configuration::Data, isolation, talk};
use runner::{Python, Uv};
use serde_json::json;
use std::{borrow::Cow, path::Path, process::ExitCode};
use store::{MasterKeyState, Reason, Store};

/// One thing looked at.
struct Finding {
    what: Cow<'static, str>,
    /// What is there, or what is wrong and what to do about it.
    result: Result<String, String>,
}

impl Finding {
    fn new(what: &'static str, result: Result<String, String>) -> Self {
        Self { what: Cow::Borrowed(what), result }
    }
}

/// Looks at everything and exits with 1 if anything is wrong.
pub async fn run(options: DoctorOptions) -> anyhow::Result<ExitCode> {
    let mut findings = match options.places.clone().resolve() {
        Err(error) => vec![Finding::new("configuration", Err(format!("{error:#}")))],
        Ok(data) => vec![
            Finding::new("configuration", Ok(data.directory.display().to_string())),
            Finding::new("data directory", directory(&data)),
            Finding::new("database", database(&data).await),
            Finding::new("master key", master_key(&data).await),
            Finding::new("cache", cache(&data).await),
            Finding::new("interpreter", interpreter(&options).await),
            Finding::new("packages", packages(&options).await),
        ],
    };
    findings.extend(walls(&options).await);
    findings.extend(private_hosts(&options));
    tell(&findings, options.json);
    let sound = findings.iter().all(|finding| finding.result.is_ok());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn directory(data: &Data) -> Result<String, String> {
    let shown = data.directory.display();
    if !data.directory.exists() {
        let parents = data.directory.ancestors().skip(1);
        let here = Path::new(".");
        let parent = parents.map(|parent| if parent == Path::new("") { here } else { parent });
        let parent = parent.into_iter().find(|parent| parent.exists()).unwrap_or(here);
        return match tempfile::tempfile_in(parent) {
            Ok(_) => Ok(format!("`{shown}` is not there yet; `bifrost serve` makes it")),
            Err(error) => Err(format!("`{shown}` cannot be made ({error}); choose another one")),
        };
    }
    match tempfile::tempfile_in(&data.directory) {
        Ok(_) => Ok(format!("`{shown}` can be written")),
        Err(error) => {
            Err(format!("`{shown}` cannot be written ({error}); change its owner or mode"))
        }
    }
}

/// A hole that the operator made is shown; there is nothing to say without one.
fn private_hosts(options: &DoctorOptions) -> Option<Finding> {
    let result = match options.private_hosts() {
        Ok(hosts) if hosts.is_empty() => return None,
        Ok(hosts) => Ok(format!("workflows of every organization may reach {hosts}")),
        Err(error) => Err(format!("{error:#}")),
    };
    Some(Finding::new("private hosts", result))
}

async fn database(data: &Data) -> Result<String, String> {
    let file = data.database_url.strip_prefix("sqlite:");
    if file.is_some_and(|file| !Path::new(file).exists()) {
        return Ok("not there yet; `bifrost serve` makes it".to_owned());
    }
    let store = Store::open(&data.database_url).await.map_err(|error| error.to_string())?;
    store.system(Reason::Health).probe().await.map_err(|error| error.to_string())?;
    let missing = store.missing_walls().await.map_err(|error| error.to_string())?;
    match missing.is_empty() {
        true => Ok("answers, is up to date, and its walls are whole".to_owned()),
        false => Err(format!("{}; run `bifrost migrate up` as its owner", missing.join("; "))),
    }
}

async fn master_key(data: &Data) -> Result<String, String> {
    let shown = &data.master_key;
    let Ok(store) = Store::open(&data.database_url).await else {
        return Ok(format!("not looked at without a database; `bifrost serve` takes {shown}"));
    };
    match store.check_master_key(shown).await {
        Ok(MasterKeyState::Fits(place)) => Ok(format!("fits, in {place}; keep a copy elsewhere")),
        Ok(MasterKeyState::Unused) => Ok(format!("no secrets yet; `bifrost serve` takes {shown}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn cache(data: &Data) -> Result<String, String> {
    let Some(address) = &data.redis else { return Ok("in memory".to_owned()) };
    cache::check(address).await?;
    let open = "; whoever reaches it can read workspace files there: see docs/cache.md for a \
                password and TLS";
    Ok(format!("{address} answers{}", if address.is_open() { open } else { "" }))
}

async fn interpreter(options: &DoctorOptions) -> Result<String, String> {
    let python = Python::find(options.python.as_deref()).await;
    let python = python.map_err(|error| error.to_string())?;
    let (major, minor, patch) = python.version;
    Ok(format!("{major}.{minor}.{patch} at `{}`", python.executable.display()))
}

/// Without uv everything works that needs no packages.
async fn packages(options: &DoctorOptions) -> Result<String, String> {
    match (Uv::find(options.uv.as_deref()).await, &options.uv) {
        (Ok(uv), _) => Ok(format!("uv {} at `{}`", uv.version, uv.executable.display())),
        (Err(error), None) => Ok(error.to_string()),
        (Err(error), Some(_)) => Err(error.to_string()),
    }
}

/// Every wall around runs, attacked as `serve` does it, by the user who asks.
async fn walls(options: &DoctorOptions) -> Vec<Finding> {
    let seen = match options.run_users() {
        Ok(users) => isolation::here(options.python.clone(), users).await,
        Err(error) => Err(error),
    };
    match seen {
        Err(error) => vec![Finding::new("isolation", Err(format!("{error:#}")))],
        Ok(isolation) => isolation.walls.into_iter().map(wall).collect(),
    }
}

fn wall(wall: api::Wall) -> Finding {
    let result = match (wall.holds, wall.required) {
        (true, _) => Ok(wall.how),
        (false, true) => Err(format!("required, and does not hold: {}", wall.how)),
        (false, false) => {
            Ok(format!("does not hold, which is no reason not to start: {}", wall.how))
        }
    };
    Finding { what: Cow::Owned(format!("wall {}", wall.name)), result }
}

fn tell(findings: &[Finding], as_json: bool) {
    if as_json {
        let items = findings.iter().map(|finding| {
            let (ok, detail) = match &finding.result {
                Ok(detail) => (true, detail),
                Err(detail) => (false, detail),
            };
            json!({ "check": finding.what, "ok": ok, "detail": detail })
        });
        talk::print_json(&json!({ "checks": items.collect::<Vec<_>>() }));
        return;
    }
    for finding in findings {
        let (mark, detail) = match &finding.result {
            Ok(detail) => ("ok  ", detail),
            Err(detail) => ("FAIL", detail),
        };
        talk::print(&format!("{mark} {:<22} {detail}", finding.what));
    }
}
