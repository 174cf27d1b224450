//! `bifrost admin`: organizations and users, directly in the database.

mod credentials;
mod removal;
mod signing_keys;

use crate::{
    arguments::{AdminAction, AdminOptions, Places},
    keys, talk, verify_audit,
};
use anyhow::{Context, bail};
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
        AdminAction::RotateMasterKey { new_master_key_file } => {
            keys::rotate_master_key(options.places, new_master_key_file).await?;
        }
        AdminAction::RotateDataKeys { organization, json } => {
            keys::rotate_data_keys(options.places, organization, json).await?;
        }
        AdminAction::DiscardSecrets { yes } => keys::discard(options.places, yes).await?,
        AdminAction::SetPassword { organization, email, password_stdin: _ } => {
            let password = read_password()?;
            let store = open(options.places).await?;
            let access = Access::for_operator(find(&store, &organization).await?.scope);
            credentials::set_password(&store.scoped(&access), &email, &password).await?;
        }
        AdminAction::CreateApiKey { organization, name, role, expires_in_days, json } => {
            let store = open(options.places).await?;
            let access = Access::for_operator(find(&store, &organization).await?.scope);
            let wish = credentials::NewKey { name, role, expires_in_days };
            credentials::create_api_key(&store.scoped(&access), wish, json).await?;
        }
        AdminAction::DeleteOrganization { slug, purge, yes } => {
            let redis = options.places.clone().resolve()?.redis;
            let store = open(options.places).await?;
            let organization = find(&store, &slug).await?;
            let by = Access::for_operator(domain::Scope::Global);
            removal::run(&store, &organization, &by, removal::How { purge, yes, redis }).await?;
        }
        AdminAction::RotateSigningKey { json } => signing_keys::rotate(options.places, json)?,
        AdminAction::RetireSigningKey { kid, json } => {
            signing_keys::retire(options.places, kid.as_deref(), json)?;
        }
        AdminAction::VerifyAudit { organization, against, json } => {
            let store = open(options.places).await?;
            return verify_audit::run(&store, organization, against.as_deref(), json).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(places: Places) -> anyhow::Result<Store> {
    let data = places.resolve()?;
    data.create_directory()?;
    Ok(Store::create(&data.database_url).await?)
}

/// What the operator may do in a scope.
pub fn operator(scope: domain::Scope) -> Access {
    Access::for_operator(scope)
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
