//! HTTP: the routes of the API, who may call them, and what they answer.
//!
//! A request passes [`envelope`] (id, log, problems), [`gate`] (who may, by [`access_table`]) and
//! one handler in [`routes`], which makes one call to the store and words the reply. Nothing here
//! starts a process or writes SQL.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod access_table;
pub mod cursor;
pub mod etag;
pub mod extract;
pub mod keys;
pub mod openapi;
pub mod page;
pub mod passwords;
pub mod problem;
pub mod refresh;
pub mod routes;
mod settings_document;
pub mod sign_in_limit;
pub mod tokens;
pub mod wire;

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
mod sessions;
mod state;

pub use jobs::{Clock, SystemClock};
pub use keys::{KeysError, SigningKeys};
pub use passwords::{PasswordError, hash_password};
pub use router::router;
pub use state::{ApiParts, ApiState};
