//! The gate in front of every route: who may call it is in the access table, and who calls is in
//! the token, the key or the cookie. A route that is not in the table opens for nobody.

use crate::{
    access_table::{self, Row, Who},
    denials::Kept,
    extract::Signed,
    problem::Problem,
    proof::Proof,
    state::ApiState,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use domain::Access;
use std::sync::Arc;

/// Lets a request through, or says why not.
pub async fn check(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = request.extensions().get::<MatchedPath>();
    let row = path.and_then(|path| access_table::find(request.method().as_str(), path.as_str()));
    let row = row.ok_or_else(|| Problem::internal(&"a route is not in the access table"))?;
    let who = row.who;
    if who != Who::Public {
        let signed = sign(&state, request.method(), request.headers()).await?;
        let attempt = Attempt::of(&request, row);
        if !who.admits(&signed.access) {
            attempt.denied(&state, &signed.access, "role");
            return Err(forbidden(who));
        }
        request.extensions_mut().insert(signed.clone());
        let response = next.run(request).await;
        if response.status() == StatusCode::NOT_FOUND && attempt.names_an_id {
            attempt.denied(&state, &signed.access, "not there, or another organization's");
        }
        return Ok(response);
    }
    Ok(next.run(request).await)
}

/// What somebody asks for, kept in case they may not have it.
struct Attempt {
    object: String,
    names_an_id: bool,
}

impl Attempt {
    fn of(request: &Request, row: &Row) -> Self {
        let object = format!("{} {}", request.method(), request.uri().path());
        Self { object, names_an_id: row.path.contains("{id}") }
    }

    /// Foreign and missing ids are told apart nowhere, here neither.
    fn denied(self, state: &ApiState, access: &Access, because: &'static str) {
        let kept = Kept { scope: access.scope(), actor: access.actor(), because };
        state.denials.note(kept, "access", &self.object, state.now());
    }
}

async fn sign(state: &ApiState, method: &Method, headers: &HeaderMap) -> Result<Signed, Problem> {
    let proof = Arc::new(Proof::of(state, headers)?);
    let signed = still_good(state, proof).await?;
    if let Some(cookie) = signed.proof.cookie().filter(|_| !method.is_safe()) {
        cookie.check_csrf(headers)?;
    }
    Ok(signed)
}

/// Looks again whether `proof` counts, as long streams do while they run.
pub async fn still_good(state: &ApiState, proof: Arc<Proof>) -> Result<Signed, Problem> {
    let opened = state.sessions.open(&proof, state.now()).await;
    let opened = opened.map_err(|error| Problem::unavailable(&error))?;
    let (access, session) = opened.ok_or_else(Problem::not_signed_in)?;
    Ok(Signed { access, session, proof })
}

fn forbidden(who: Who) -> Problem {
    let detail = match who {
        Who::Public | Who::AnyRole => "this needs a role",
        Who::Ops => "this needs the role `ops` or `admin`",
        Who::Admin => "this needs the role `admin`",
        Who::AdminInPerson => "this needs a person with the role `admin`; a key may not",
        Who::GlobalAdmin => "this needs an admin of the provider who acts in Global",
    };
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}
