//! One file per noun.

pub mod acting;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod config;
pub mod console_session;
pub mod environment;
pub mod execution_files;
pub mod execution_logs;
pub mod executions;
pub mod file_versions;
pub mod files;
pub mod health;
pub mod isolation;
pub mod me;
pub mod modules;
pub mod organization_removal;
pub mod organizations;
pub mod schedules;
pub mod settings;
pub mod setup;
pub mod users;
pub mod workflow_options;
pub mod workflow_state;
pub mod workflows;
