//! `bifrost admin`: organizations and users, directly in the database.

use crate::{
    arguments::{AdminAction, AdminOptions, Places},
    talk,
};
use anyhow::{Context, bail};
use api::SigningKeys;
use domain::{Access, OrganizationId, Role, Slug, UserId};
use jobs::{Clock, SystemClock};
use serde_json::json;
use std::{io::Read, process::ExitCode};
use store::{NewOrganization, NewUser, Organization, Reason, Store};
use uuid::Uuid;

/// Bytes of standard input that are read for a password: more than any that is accepted.
const MOST_INPUT: u64 = 64 * 1024;

/// Runs the command.
pub async fn run(options: AdminOptions) -> anyhow::Result<ExitCode> {
    match options.action {
        AdminAction::CreateOrganization { slug, name, json } => {
            let store = open(options.places).await?;
            let created = create_organization(&store, slug, name).await?;
            tell(json, &created)
        }
        AdminAction::CreateUser { organization, email, role, name, password_stdin, json } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            if password.is_none() {
                talk::say("note: without --password-stdin nobody can sign in as this user yet");
            }
            let store = open(options.places).await?;
            let organization = find(&store, &organization).await?;
            let name = name.unwrap_or_else(|| email.clone());
            let id = create_user(&store, &organization, email, name, role, password).await?;
            tell(json, &id)
        }
        AdminAction::RotateSigningKey { json } => rotate_signing_key(options.places, json)?,
        AdminAction::RetireSigningKey { kid, json } => {
            retire_signing_keys(options.places, kid.as_deref(), json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(places: Places) -> anyhow::Result<Store> {
    let data = places.resolve()?;
    data.create_directory()?;
    Ok(Store::create(&data.database_url).await?)
}

/// Adds an organization; the created one as the API shows it.
pub async fn create_organization(
    store: &Store,
    slug: Slug,
    name: String,
) -> anyhow::Result<serde_json::Value> {
    if name.trim().is_empty() {
        bail!("the name is empty");
    }
    let by = Access::for_operator(domain::Scope::Global);
    let new =
        NewOrganization { id: OrganizationId(Uuid::now_v7()), slug, name, now: SystemClock.now() };
    let created = store.system(Reason::Organizations).create_organization(new, &by).await?;
    Ok(json!({
        "id": created.scope.organization(),
        "slug": created.slug,
        "name": created.name,
        "status": created.status,
        "is_provider": created.is_provider,
    }))
}

/// The organization of a short name, which must not be Global.
pub async fn find(store: &Store, slug: &str) -> anyhow::Result<Organization> {
    let found =
        store.system(Reason::Organizations).organization_by_slug(&Slug::parse(slug)?).await?;
    match found {
        Some(global) if global.scope == domain::Scope::Global => {
            bail!("Global has no users; use `provider`, whose admins may act in Global")
        }
        Some(organization) => Ok(organization),
        None => bail!("there is no organization `{slug}`; see `bifrost admin create-organization`"),
    }
}

/// Adds a user; the created one as the API shows it.
pub async fn create_user(
    store: &Store,
    organization: &Organization,
    email: String,
    name: String,
    role: Role,
    password: Option<String>,
) -> anyhow::Result<serde_json::Value> {
    let Some(email) = api::wire::normal_email(&email) else {
        bail!("`{email}` is not an e-mail address");
    };
    let password_hash = password.map(|password| api::hash_password(&password)).transpose()?;
    let access = Access::for_operator(organization.scope);
    let id = UserId(Uuid::now_v7());
    let new = NewUser { id, email, name, role, password_hash, now: SystemClock.now() };
    let user = store.scoped(&access).create_user(new).await?;
    Ok(json!({
        "id": user.id,
        "organization": organization.slug,
        "email": user.email,
        "name": user.name,
        "role": user.role,
    }))
}

fn rotate_signing_key(places: Places, as_json: bool) -> anyhow::Result<()> {
    let data = places.resolve()?;
    data.create_directory()?;
    let kid = SigningKeys::rotate(&data.directory)?;
    match as_json {
        true => talk::print_json(&json!({ "kid": kid })),
        false => talk::print(&format!("added {kid}; it signs in a few seconds")),
    }
    Ok(())
}

fn retire_signing_keys(places: Places, kid: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let retired = SigningKeys::retire(&places.resolve()?.directory, kid)?;
    if as_json {
        talk::print_json(&json!({ "retired": retired }));
    } else if retired.is_empty() {
        talk::print("every key is in use");
    }
    for kid in retired.iter().filter(|_| !as_json) {
        talk::print(&format!("retired {kid}"));
    }
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().take(MOST_INPUT).read_to_string(&mut text);
    read.context("the password could not be read from standard input")?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    Ok(password.to_owned())
}

fn tell(as_json: bool, created: &serde_json::Value) {
    if as_json {
        talk::print_json(created);
        return;
    }
    let word = |key: &str| created[key].as_str().unwrap_or_default().to_owned();
    let what = if created["email"].is_null() { word("slug") } else { word("email") };
    talk::print(&format!("created {what} ({})", word("id")));
}
