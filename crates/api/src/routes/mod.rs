//! One file per noun.

pub mod acting;
pub mod audit;
pub mod auth;
pub mod config;
pub mod execution_logs;
pub mod executions;
pub mod file_versions;
pub mod files;
pub mod health;
pub mod modules;
pub mod organizations;
pub mod settings;
pub mod users;
pub mod workflows;
