//! Helpers of `real_packages`: the packages' sources and a service to talk to.

pub mod service;
pub mod wheels;
