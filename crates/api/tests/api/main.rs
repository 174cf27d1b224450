//! The API over HTTP, a file per route: a real server, a real database, whole replies.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod api_keys;
mod audit;
mod auth;
mod common;
mod config;
mod console_session;
mod environment;
mod execution_logs;
mod executions;
mod explaining;
mod file_versions;
mod files;
mod health;
mod http;
mod isolation;
mod limits;
mod metrics;
mod modules;
mod openapi;
mod organizations;
mod overrides;
mod pins;
mod rebasing;
mod schedules;
mod sdk;
mod settings;
mod setup;
mod users;
mod workflows;
