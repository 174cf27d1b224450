//! What things are, and the rules that need nothing else: no I/O, no clock, no randomness.

pub mod access;
pub mod admission;
pub mod analysis;
pub mod audit;
pub mod cascade;
pub mod config;
pub mod content_hash;
pub mod diff;
pub mod environment;
pub mod execution;
pub mod fair;
pub mod file_path;
pub mod file_ref;
pub mod ids;
pub mod merge;
pub mod module_name;
pub mod network;
pub mod requirements;
pub mod retry;
pub mod schedule;
pub mod scope;
pub mod settings;
pub mod slug;
mod standard_library;
pub mod time;

pub use access::{Access, Acting, Actor, Role};
pub use config::ConfigKey;
pub use content_hash::content_hash;
pub use file_path::FilePath;
pub use ids::{ApiKeyId, ExecutionId, OrganizationId, UserId};
pub use module_name::ModuleName;
pub use schedule::Schedule;
pub use scope::Scope;
pub use settings::Settings;
pub use slug::Slug;
pub use time::Timestamp;
