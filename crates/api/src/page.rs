//! Pages of lists: `?limit=` and `?cursor=` in, `items` and `next_cursor` out.

use crate::{extract::Signed, problem::Problem, state::ApiState};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items, 1 to 200; 50 unless told.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page starts; `null` on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// A request for a page, checked.
pub struct Wanted<'a> {
    kind: &'static str,
    state: &'a ApiState,
    signed: &'a Signed,
    limit: u32,
    after: Option<String>,
}

impl PageQuery {
    /// Checks limit and cursor for the list `kind`.
    pub fn wanted<'a>(
        &self,
        kind: &'static str,
        state: &'a ApiState,
        signed: &'a Signed,
    ) -> Result<Wanted<'a>, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::invalid("/limit", format!("use 1 to {MAX_LIMIT}")));
        }
        let open = |cursor| state.cursors.open(kind, signed.access.scope(), cursor);
        let bad = |error: crate::cursor::BadCursor| {
            Problem::new(StatusCode::BAD_REQUEST, "bad_cursor", error.to_string())
        };
        let after = self.cursor.as_deref().map(open).transpose().map_err(bad)?;
        Ok(Wanted { kind, state, signed, limit, after })
    }
}

impl Wanted<'_> {
    /// How many rows to ask the store for: one more than shown tells whether there is a next page.
    pub fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// The position after which the page starts. One that does not parse starts at the front;
    /// the seal says that it was ours.
    pub fn after<T: std::str::FromStr>(&self) -> Option<T> {
        self.after.as_deref().and_then(|text| text.parse().ok())
    }

    /// The page of `rows`, whose positions `position` tells.
    pub fn page<R, T: From<R>>(
        &self,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> String,
    ) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(position);
        let seal = |at: String| self.state.cursors.seal(self.kind, self.signed.access.scope(), &at);
        Page { items: rows.into_iter().map(T::from).collect(), next_cursor: last.map(seal) }
    }
}
