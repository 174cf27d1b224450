//! `bifrost admin verify-audit`: does every audit hang together, from its first entry to its last?

use crate::talk;
use anyhow::{Context, bail};
use domain::{Scope, Slug};
use serde::{Deserialize, Serialize};
use std::{path::Path, process::ExitCode};
use store::{Chain, Reason, Store, System};
use uuid::Uuid;

/// Organizations asked for at once.
const PAGE: u32 = 200;

/// What was found, as `--json` prints it and `--against` reads it.
#[derive(Serialize, Deserialize)]
struct Report {
    organizations: Vec<Found>,
}

#[derive(Serialize, Deserialize)]
struct Found {
    /// Nil for Global.
    id: Uuid,
    slug: String,
    #[serde(flatten)]
    chain: Chain,
}

/// Follows the chains; exit code 1 if one is broken.
pub async fn run(
    store: &Store,
    organization: Option<String>,
    against: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let seen = against.map(read).transpose()?;
    let system = store.system(Reason::Audit);
    let mut report = Report { organizations: Vec::new() };
    for (slug, scope) in wanted(&system, organization).await? {
        let before = seen.iter().flat_map(|report| &report.organizations);
        let before = before.into_iter().find(|found| found.id == scope.column());
        let chain = system.verify_audit(scope, before.map(|found| &found.chain)).await?;
        report.organizations.push(Found { id: scope.column(), slug: slug.into(), chain });
    }
    let sound = report.organizations.iter().all(|found| found.chain.fault.is_none());
    tell(&report, json);
    for gone in seen.iter().flat_map(|seen| seen.organizations.iter()) {
        if !report.organizations.iter().any(|found| found.id == gone.id) {
            talk::say(&format!("note: `{}` was seen before and is not looked at now", gone.slug));
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("`{}` cannot be read", path.display()))?;
    let report = serde_json::from_str(&text);
    report.with_context(|| format!("`{}` is not what `--json` prints", path.display()))
}

async fn wanted(system: &System, only: Option<String>) -> anyhow::Result<Vec<(Slug, Scope)>> {
    if let Some(slug) = only {
        let found = system.organization_by_slug(&Slug::parse(&slug)?).await?;
        let Some(found) = found else { bail!("there is no organization `{slug}`") };
        return Ok(vec![(found.slug, found.scope)]);
    }
    let global = system.organization(Scope::Global).await?;
    let mut all: Vec<_> = global.into_iter().collect();
    let mut after = None::<Uuid>;
    loop {
        let page = system.organizations(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.scope.column());
        all.extend(page);
    }
    Ok(all.into_iter().map(|found| (found.slug, found.scope)).collect())
}

fn tell(report: &Report, json: bool) {
    if json {
        talk::print_json(&serde_json::json!(report));
        return;
    }
    for Found { slug, chain, .. } in &report.organizations {
        let (mark, told) = match &chain.fault {
            None => ("ok  ", format!("{} entries", chain.entries)),
            Some(fault) => ("FAIL", fault.clone()),
        };
        talk::print(&format!("{mark} {slug:<24} {told}"));
    }
}
