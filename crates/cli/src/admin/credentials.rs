//! `bifrost admin set-password` and `create-api-key`.

use crate::talk;
use anyhow::bail;
use domain::Role;
use jobs::{Clock, SystemClock};
use serde_json::json;
use std::time::Duration;
use store::{Scoped, User, UserChange};

const PAGE: u32 = 200;

/// Gives a user another password, which signs them out everywhere.
pub async fn set_password(scoped: &Scoped, email: &str, password: &str) -> anyhow::Result<()> {
    let user = find(scoped, email).await?;
    let password_hash = Some(api::hash_password(password)?);
    let change = UserChange { password_hash, ..UserChange::default() };
    scoped.update_user(user.id, change, SystemClock.now()).await?;
    talk::say(&format!("{} has a new password and is signed out everywhere", user.email));
    Ok(())
}

async fn find(scoped: &Scoped, email: &str) -> anyhow::Result<User> {
    let email = email.to_lowercase();
    let mut after = None;
    loop {
        let page = scoped.users(after, PAGE).await?;
        after = page.last().map(|user| user.id);
        match page.into_iter().find(|user| user.email == email) {
            Some(user) => return Ok(user),
            None if after.is_none() => bail!("there is no user `{email}` in this organization"),
            None => {}
        }
    }
}

/// What a new key is to be.
pub struct NewKey {
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Days until it expires.
    pub expires_in_days: Option<u32>,
}

/// Makes a key and prints it, once.
pub async fn create_api_key(scoped: &Scoped, wish: NewKey, as_json: bool) -> anyhow::Result<()> {
    let Some(organization) = scoped.scope().organization() else { bail!("Global has no keys") };
    if !api::wire::is_display_name(&wish.name) {
        bail!("the name needs 1 to 200 characters, without space around");
    }
    let now = SystemClock.now();
    let days = |days: u32| now.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let expires_at = wish.expires_in_days.map(days);
    let (key, new) = api::fresh_api_key(organization, wish.name, wish.role, expires_at, now)?;
    let made = scoped.create_api_key(new).await?;
    match as_json {
        true => talk::print_json(&json!({
            "id": made.id, "name": made.name, "role": made.role, "prefix": made.prefix,
            "expires_at": made.expires_at, "key": key,
        })),
        false => talk::print(&key),
    }
    Ok(())
}
