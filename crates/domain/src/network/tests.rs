//! Hosts, patterns and addresses against tables by hand and naive models.

mod addresses;
mod hosts;
mod patterns;
