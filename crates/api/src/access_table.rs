//! Every route and who may call it. The gate reads this table and lets nobody through to a route
//! that is not in it; tests hold it equal to the OpenAPI document and to `access_table.txt`.

use domain::{Access, Actor, Role, Scope};
use std::fmt;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody, without a token.
    Public,
    /// Anybody signed in.
    AnyRole,
    /// From `ops` up.
    Ops,
    /// `admin`.
    Admin,
    /// `admin`, and a person: a key makes neither people nor keys.
    AdminInPerson,
    /// A provider's admin who acts in Global.
    GlobalAdmin,
}

impl Who {
    /// Whether somebody with this access may.
    pub fn admits(self, access: &Access) -> bool {
        let (scope, role) = (access.scope(), access.role());
        match self {
            Self::Public | Self::AnyRole => true,
            Self::Ops => role >= Role::Ops,
            Self::Admin => role >= Role::Admin,
            Self::AdminInPerson => role >= Role::Admin && !is_key(access),
            Self::GlobalAdmin => role >= Role::Admin && scope == Scope::Global,
        }
    }
}

fn is_key(access: &Access) -> bool {
    matches!(access.actor(), Actor::ApiKey { .. })
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `GET`, …
    pub method: &'static str,
    /// As the router writes it.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
}

impl Row {
    /// The path as the OpenAPI document writes it.
    pub fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = match self.who {
            Who::Public => "yes     yes     yes  yes    yes        yes",
            Who::AnyRole => "-       yes     yes  yes    yes        by role",
            Who::Ops => "-       -       yes  yes    yes        by role",
            Who::Admin => "-       -       -    yes    yes        by role",
            Who::AdminInPerson => "-       -       -    yes    yes        -",
            Who::GlobalAdmin => "-       -       -    -      yes        -",
        };
        write!(f, "{:6} {:44} {marks}", self.method, self.path)
    }
}

/// The row of a request. `HEAD` is `GET` without its body.
pub fn find(method: &str, path: &str) -> Option<&'static Row> {
    let method = if method == "HEAD" { "GET" } else { method };
    TABLE.iter().find(|row| row.method == method && row.path == path)
}

const fn row(method: &'static str, path: &'static str, who: Who) -> Row {
    Row { method, path, who }
}

/// Every route of the API.
pub const TABLE: &[Row] = &[
    row("POST", "/api/auth/login", Who::Public),
    row("POST", "/api/auth/refresh", Who::Public),
    row("POST", "/api/auth/logout", Who::Public),
    row("POST", "/api/auth/act", Who::AdminInPerson),
    row("GET", "/api/auth/me", Who::AnyRole),
    row("POST", "/api/auth/setup", Who::Public),
    row("POST", "/api/auth/session", Who::Public),
    row("GET", "/api/auth/session", Who::AnyRole),
    row("DELETE", "/api/auth/session", Who::AnyRole),
    row("POST", "/api/auth/session/leave", Who::AnyRole),
    row("GET", "/api/api-keys", Who::AdminInPerson),
    row("POST", "/api/api-keys", Who::AdminInPerson),
    row("DELETE", "/api/api-keys/{id}", Who::AdminInPerson),
    row("GET", "/api/organizations", Who::GlobalAdmin),
    row("POST", "/api/organizations", Who::GlobalAdmin),
    row("GET", "/api/organizations/{id}", Who::GlobalAdmin),
    row("PATCH", "/api/organizations/{id}", Who::GlobalAdmin),
    row("DELETE", "/api/organizations/{id}", Who::GlobalAdmin),
    row("GET", "/api/org/settings", Who::AnyRole),
    row("PATCH", "/api/org/settings", Who::Admin),
    row("GET", "/api/org/settings/schema", Who::AnyRole),
    row("GET", "/api/org/settings/history", Who::AnyRole),
    row("GET", "/api/users", Who::AdminInPerson),
    row("POST", "/api/users", Who::AdminInPerson),
    row("PATCH", "/api/users/{id}", Who::AdminInPerson),
    row("DELETE", "/api/users/{id}", Who::AdminInPerson),
    row("GET", "/api/files", Who::AnyRole),
    row("GET", "/api/files/content/{*path}", Who::AnyRole),
    row("PUT", "/api/files/content/{*path}", Who::Ops),
    row("DELETE", "/api/files/content/{*path}", Who::Ops),
    row("GET", "/api/files/versions/{*path}", Who::AnyRole),
    row("POST", "/api/files/restore/{*path}", Who::Ops),
    row("GET", "/api/files/diff/{*path}", Who::AnyRole),
    row("GET", "/api/files/explain/{*path}", Who::AnyRole),
    row("GET", "/api/workflows/{name}/explain", Who::AnyRole),
    row("GET", "/api/executions/{id}/explain", Who::AnyRole),
    row("GET", "/api/overrides", Who::AnyRole),
    row("GET", "/api/files/rebase/{*path}", Who::AnyRole),
    row("POST", "/api/files/rebase/{*path}", Who::Ops),
    row("POST", "/api/files/revert/{*path}", Who::Ops),
    row("GET", "/api/pins", Who::AnyRole),
    row("PUT", "/api/files/pin/{*path}", Who::Ops),
    row("DELETE", "/api/files/pin/{*path}", Who::Ops),
    row("GET", "/api/config", Who::AnyRole),
    row("GET", "/api/config/{key}", Who::AnyRole),
    row("PUT", "/api/config/{key}", Who::Admin),
    row("DELETE", "/api/config/{key}", Who::Admin),
    row("GET", "/api/modules/explain", Who::AnyRole),
    row("GET", "/api/workflows", Who::AnyRole),
    row("GET", "/api/workflows/{name}", Who::AnyRole),
    row("POST", "/api/workflows/{name}/executions", Who::Ops),
    row("POST", "/api/workflows/{name}/options/{parameter}", Who::Ops),
    row("GET", "/api/workflows/{name}/state", Who::Ops),
    row("GET", "/api/executions", Who::AnyRole),
    row("GET", "/api/executions/{id}", Who::AnyRole),
    row("GET", "/api/executions/{id}/logs", Who::AnyRole),
    row("GET", "/api/executions/{id}/files", Who::AnyRole),
    row("GET", "/api/executions/{id}/files/{name}", Who::AnyRole),
    row("POST", "/api/executions/{id}/cancel", Who::Ops),
    row("GET", "/api/schedules", Who::AnyRole),
    row("GET", "/api/schedules/{workflow}", Who::AnyRole),
    row("PATCH", "/api/schedules/{workflow}", Who::Ops),
    row("GET", "/api/environment", Who::AnyRole),
    row("POST", "/api/environment/build", Who::Ops),
    row("GET", "/api/audit", Who::Admin),
    row("GET", "/api/system/isolation", Who::GlobalAdmin),
    row("GET", "/api/openapi.json", Who::Public),
    row("GET", "/healthz", Who::Public),
    row("GET", "/readyz", Who::Public),
    row("GET", "/.well-known/jwks.json", Who::Public),
    row("GET", "/metrics", Who::Public),
];
