//! HTTP: the routes of the API, who may call them, and what they answer.
//!
//! A request passes [`envelope`] (id, log, problems), [`gate`] (who may, by [`access_table`]) and
//! one handler in [`routes`], which makes one call to the store and words the reply. Nothing here
//! starts a process or writes SQL.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod access_table;
pub mod api_key;
pub mod cookie;
pub mod cursor;
pub mod etag;
pub mod extract;
pub mod keys;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod passwords;
pub mod problem;
pub mod proof;
pub mod refresh;
pub mod routes;
pub mod scoped_secret;
mod settings_document;
pub mod setup_token;
pub mod sign_in_limit;
pub mod tokens;
pub mod wire;

mod base62;
mod config_body;
mod denials;
mod envelope;
mod execution_replies;
mod execution_wait;
mod file_content;
mod file_errors;
mod file_replies;
mod file_writing;
mod gate;
mod inputs;
mod log_stream;
mod router;
mod said_once;
mod server;
mod sessions;
mod slow_bodies;
mod state;

pub use jobs::{Clock, SystemClock};
pub use keys::{KeysError, SigningKeys};
pub use passwords::{PasswordError, hash_password};
pub use router::{probes, router};
pub use routes::api_keys::fresh as fresh_api_key;
pub use routes::isolation::{Isolation, Wall};
pub use server::{ServerLimits, serve};
pub use state::{ApiParts, ApiState, Leaving, Vitals};
