//! The API over HTTP, a file per route: a real server, a real database, whole replies.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod audit;
mod auth;
mod common;
mod config;
mod execution_logs;
mod executions;
mod file_versions;
mod files;
mod health;
mod http;
mod modules;
mod openapi;
mod organizations;
mod settings;
mod users;
mod workflows;
