//! All routes, and what stands in front of them.

use crate::{
    envelope, gate, openapi,
    problem::Problem,
    routes::{
        acting, api_keys, audit, auth, config, console_session, environment, execution_files,
        execution_logs, executions, explaining, file_diff, file_versions, files, health, isolation,
        me, modules, organization_removal, organizations, overrides, pins, rebasing, schedules,
        settings, setup, users, workflow_options, workflow_state, workflows,
    },
    state::{ApiState, Vitals},
};
use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Bodies without a reason to be large.
const SMALL_BODY: usize = 64 * 1024;
/// A file of 10 MiB in base64, or inputs of 16 MiB, with what is around them.
const LARGE_BODY: usize = 16 * 1024 * 1024 + SMALL_BODY;
/// A configuration value of 64 KiB, every character of it escaped.
const VALUE_BODY: usize = 6 * 64 * 1024 + SMALL_BODY;

/// The whole API. Serve it with the peer's address in it
/// (`into_make_service_with_connect_info::<SocketAddr>()`), or sign-in is limited by account only.
pub fn router(state: ApiState) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = openapi::finished(document);
    routes
        .route("/api/openapi.json", get(|| async move { Json(document) }))
        .route_layer(from_fn_with_state(state.clone(), gate::check))
        // The page is public and its files are no operations, so they are not in the table.
        .merge(docs())
        .merge(setup::page())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::of_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .layer(from_fn(envelope::wrap))
        .with_state(state)
}

/// Only what tells how a process is, for one that answers nothing else.
pub fn probes(vitals: Vitals) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(|| async { Problem::not_found() })
        .layer(from_fn(envelope::wrap))
        .with_state(vitals)
}

fn docs() -> SwaggerUi {
    let config = Config::from("/api/openapi.json").use_base_layout();
    SwaggerUi::new("/api/docs").config(config)
}

/// Every operation of the OpenAPI document with its handler.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    let large = DefaultBodyLimit::max(LARGE_BODY);
    let value = DefaultBodyLimit::max(VALUE_BODY);
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(acting::act))
        .routes(routes!(me::me))
        .routes(routes!(setup::set_up))
        .routes(routes!(console_session::create, console_session::get, console_session::delete))
        .routes(routes!(console_session::leave))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::delete))
        .routes(routes!(organizations::list, organizations::create))
        .routes(routes!(organizations::get, organizations::update, organization_removal::delete))
        .routes(routes!(settings::get, settings::update))
        .routes(routes!(settings::schema))
        .routes(routes!(settings::history))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::update, users::delete))
        .routes(routes!(files::list))
        .routes(routes!(files::get, files::put, files::delete).layer(large))
        .routes(routes!(file_versions::list))
        .routes(routes!(file_versions::restore))
        .routes(routes!(file_diff::get))
        .routes(routes!(explaining::file))
        .routes(routes!(explaining::workflow))
        .routes(routes!(explaining::execution))
        .routes(routes!(overrides::list))
        .routes(routes!(rebasing::propose, rebasing::apply).layer(large))
        .routes(routes!(rebasing::revert))
        .routes(routes!(pins::list))
        .routes(routes!(pins::pin, pins::unpin))
        .routes(routes!(config::list))
        .routes(routes!(config::get, config::put, config::delete).layer(value))
        .routes(routes!(modules::explain))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::get))
        .routes(routes!(executions::start).layer(large))
        .routes(routes!(workflow_options::ask).layer(large))
        .routes(routes!(workflow_state::list))
        .routes(routes!(executions::list))
        .routes(routes!(executions::get))
        .routes(routes!(execution_logs::list))
        .routes(routes!(execution_files::list))
        .routes(routes!(execution_files::get))
        .routes(routes!(executions::cancel))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::get, schedules::switch))
        .routes(routes!(environment::get))
        .routes(routes!(environment::build))
        .routes(routes!(audit::list))
        .routes(routes!(isolation::get))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::jwks))
        .routes(routes!(health::metrics))
}
