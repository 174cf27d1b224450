//! The gate in front of every route: who may call it is in the access table, and who calls is in
//! the token. A route that is not in the table opens for nobody.

use crate::{
    access_table::{self, Row, Who},
    denials::Kept,
    extract::Signed,
    problem::Problem,
    state::ApiState,
    tokens::Claims,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use domain::Access;

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
        let signed = sign(&state, request.headers()).await?;
        let attempt = Attempt::of(&request, row);
        if !who.admits(signed.access.scope(), signed.access.role()) {
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

async fn sign(state: &ApiState, headers: &HeaderMap) -> Result<Signed, Problem> {
    let token = bearer(headers).ok_or_else(Problem::not_signed_in)?;
    let claims = state.tokens.verify(token, state.now()).map_err(|_| Problem::not_signed_in())?;
    still_good(state, claims).await
}

/// Looks again whether `claims` count, as long streams do while they run.
pub async fn still_good(state: &ApiState, claims: Claims) -> Result<Signed, Problem> {
    let opened = state.sessions.open(&claims).await;
    let opened = opened.map_err(|error| Problem::unavailable(&error))?;
    let (access, session) = opened.ok_or_else(Problem::not_signed_in)?;
    Ok(Signed { access, session, claims: claims.into() })
}

/// Exactly one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn forbidden(who: Who) -> Problem {
    let detail = match who {
        Who::Public | Who::AnyRole => "this needs a role",
        Who::Ops => "this needs the role `ops` or `admin`",
        Who::Admin => "this needs the role `admin`",
        Who::GlobalAdmin => "this needs an admin of the provider who acts in Global",
    };
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}
