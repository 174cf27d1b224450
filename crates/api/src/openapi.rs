//! The OpenAPI 3.1 document, assembled from the handlers.

use crate::{problem::ProblemBody, router::routes};
use axum::http::StatusCode;
use utoipa::{
    OpenApi,
    openapi::{
        self, ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bifrost",
        description = "Runs Python automations for many organizations. The organization is \
            always the token's; an organization's own file overrides Global's of the same path.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    security(("bearer" = []), ("session" = [])),
    tags(
        (name = "auth", description = "Signing in, and acting in another organization."),
        (name = "organizations", description = "Tenants, kept by the provider in Global."),
        (name = "settings", description = "What the token's organization may set."),
        (name = "api-keys", description = "Keys for programs."),
        (name = "users", description = "People of the token's organization."),
        (name = "files", description = "Workspace files and their versions."),
        (name = "overrides", description = "Own files over Global's: what is different, and since when."),
        (name = "config", description = "Configuration values and secrets."),
        (name = "modules", description = "What an import means."),
        (name = "workflows", description = "Functions that can be run."),
        (name = "executions", description = "Runs of workflows."),
        (name = "schedules", description = "Workflows that start by themselves."),
        (name = "environment", description = "Packages that workflows can import."),
        (name = "audit", description = "Who did what, and who was kept from it."),
        (name = "system", description = "The server itself."),
        (name = "health", description = "For load balancers and other servers."),
    )
)]
struct Base;

/// The document's frame: what is said once for all operations.
pub fn base() -> openapi::OpenApi {
    let mut document = Base::openapi();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("bifrost_session"));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    document
}

/// The whole document.
pub fn document() -> openapi::OpenApi {
    let (_, document) = routes().split_for_parts();
    finished(document)
}

/// Writes wildcards as OpenAPI does, and adds the refusals that every operation can give.
pub fn finished(mut document: openapi::OpenApi) -> openapi::OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            add_descriptions(operation);
            add_problems(operation);
        }
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
    document
}

/// OpenAPI wants a sentence for every reply; the status says enough where we wrote none.
fn add_descriptions(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            let words = status.and_then(|status| status.canonical_reason());
            response.description = words.unwrap_or("The reply.").to_owned();
        }
    }
}

fn add_problems(operation: &mut Operation) {
    let content =
        ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let problem = ResponseBuilder::new()
        .description("Refused: see `code`, `detail` and `errors`.")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

/// The whole document as the text of `openapi.json`.
pub fn text() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}
