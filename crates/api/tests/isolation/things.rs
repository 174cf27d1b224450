//! What each parameter of each operation speaks of. A parameter that is not in this table fails
//! the proofs: say what it is, and if it is something that belongs to an organization, how to make
//! one (`making.rs`).

use serde_json::{Value, json};
use testkit::document::{Operation, Parameter};

/// Something that belongs to an organization and that a caller can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    User,
    Email,
    ApiKey,
    Execution,
    IdempotencyKey,
    File,
    /// A file that Global has too.
    Override,
    /// A file of Global's that is held.
    Pin,
    Module,
    ConfigKey,
    Workflow,
    /// A workflow that starts by itself.
    Scheduled,
    /// A workflow that has been run.
    Running,
    /// The id of an organization.
    Organization,
    /// The short name of one.
    Slug,
    /// A page of the very list that is asked.
    Cursor,
}

impl Thing {
    /// Whether everybody may read those of Global.
    pub fn is_shared(self) -> bool {
        use Thing::{ConfigKey, File, Module, Override, Pin, Running, Scheduled, Workflow};
        matches!(self, File | Override | Pin | Module | Workflow | Scheduled | Running | ConfigKey)
    }

    /// Whether it names an organization itself, which the provider's admins may see.
    pub fn is_organization(self) -> bool {
        matches!(self, Self::Organization | Self::Slug)
    }
}

/// How a parameter gets its value.
#[derive(Clone, Debug)]
pub enum Make {
    /// It speaks of something of somebody's.
    Thing(Thing),
    /// It does not, and this is a good one.
    Plain(Value),
}

enum Entry {
    Is(Thing),
    Text(&'static str),
}

use Entry::{Is, Text};

/// Start of the operation's path, name of the parameter, what it is. The first that fits counts.
const TABLE: &[(&str, &str, Entry)] = &[
    ("/api/", "cursor", Is(Thing::Cursor)),
    ("/api/", "If-Match", Text("*")),
    ("/api/", "Idempotency-Key", Is(Thing::IdempotencyKey)),
    // Without the link's token the address says nothing.
    ("/api/auth/setup", "/email", Text("first@example.test")),
    ("/api/auth/", "/organization", Is(Thing::Slug)),
    ("/api/auth/", "/email", Is(Thing::Email)),
    ("/api/auth/", "/password", Text(crate::common::PASSWORD)),
    // Whoever holds a refresh token is its person: it is a secret and no name of anything.
    ("/api/auth/", "/refresh_token", Text("bfr_none")),
    ("/api/auth/", "/reason", Text("a test")),
    // From a link that the server shows once.
    ("/api/auth/", "/token", Text("none")),
    ("/api/auth/", "/name", Text("A name")),
    ("/api/organizations/", "confirm", Text("no-such-slug")),
    ("/api/api-keys/", "id", Is(Thing::ApiKey)),
    ("/api/api-keys", "/name", Text("A name")),
    ("/api/api-keys", "/expires_at", Text("2033-01-01T00:00:00Z")),
    ("/api/organizations/", "id", Is(Thing::Organization)),
    ("/api/organizations", "/slug", Is(Thing::Slug)),
    ("/api/organizations", "/name", Text("A name")),
    ("/api/users/", "id", Is(Thing::User)),
    ("/api/users", "/email", Is(Thing::Email)),
    ("/api/users", "/name", Text("A name")),
    ("/api/users", "/password", Text(crate::common::PASSWORD)),
    ("/api/files/diff/", "from", Text("own@1")),
    ("/api/files/diff/", "to", Text("own@2")),
    ("/api/files/rebase/", "path", Is(Thing::Override)),
    ("/api/overrides", "prefix", Is(Thing::Override)),
    ("/api/pins", "prefix", Is(Thing::Pin)),
    ("/api/files/", "path", Is(Thing::File)),
    ("/api/files", "prefix", Is(Thing::File)),
    ("/api/files/", "/content", Text("bWFyaw==")),
    ("/api/files/", "/message", Text("a message")),
    ("/api/config/", "key", Is(Thing::ConfigKey)),
    ("/api/org/settings", "/regional/timezone", Text("UTC")),
    ("/api/org/settings", "/regional/currency", Text("USD")),
    ("/api/org/settings", "/regional/locale", Text("en-US")),
    ("/api/modules/", "name", Is(Thing::Module)),
    ("/api/workflows/", "name", Is(Thing::Workflow)),
    ("/api/workflows/", "/start_at", Text("2023-01-01T00:00:00Z")),
    ("/api/workflows/", "parameter", Text("tenant")),
    ("/api/schedules/", "workflow", Is(Thing::Scheduled)),
    ("/api/executions/", "id", Is(Thing::Execution)),
    ("/api/executions/", "name", Text("result.md")),
    ("/api/executions", "workflow", Is(Thing::Running)),
    ("/api/executions", "status", Text("pending")),
    ("/api/executions", "kind", Text("run")),
    ("/api/audit", "action", Text("file.")),
];

/// How `parameter` of `operation` gets its value.
pub fn make(operation: &Operation, parameter: &Parameter) -> Make {
    // Who holds a file names Global's, and who lets go names what they hold.
    if operation.id == "unpinFile" && parameter.name == "path" {
        return Make::Thing(Thing::Pin);
    }
    let fits = |(path, name, _): &&(&str, &str, Entry)| {
        operation.path.starts_with(path) && *name == parameter.name
    };
    match (TABLE.iter().find(fits), parameter.plain()) {
        (Some((_, _, Is(thing))), _) => Make::Thing(*thing),
        (Some((_, _, Text(text))), _) => Make::Plain(json!(text)),
        (None, Some(plain)) => Make::Plain(plain),
        (None, None) => panic!(
            "no way to make `{}` of `{} {}`: say in `tests/isolation/things.rs` what it is",
            parameter.name, operation.method, operation.path
        ),
    }
}
