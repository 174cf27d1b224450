//! What runs do on the network, over all organizations.

use super::Traffic;

const CONNECTIONS: &str = "bifrost_egress_connections_total";
const SENT: &str = "bifrost_egress_sent_bytes_total";
const RECEIVED: &str = "bifrost_egress_received_bytes_total";
const REFUSED: &str = "bifrost_egress_refused_total";

/// Says what the figures mean, once a collector is there.
pub fn describe() {
    metrics::describe_counter!(CONNECTIONS, "connections of ended runs to hosts");
    metrics::describe_counter!(SENT, "bytes that ended runs sent to hosts");
    metrics::describe_counter!(RECEIVED, "bytes that ended runs received from hosts");
    metrics::describe_counter!(REFUSED, "requests of runs that a rule refused, by rule");
}

pub(super) fn ended(traffic: Traffic) {
    metrics::counter!(CONNECTIONS).increment(traffic.connections);
    metrics::counter!(SENT).increment(traffic.sent);
    metrics::counter!(RECEIVED).increment(traffic.received);
}

pub(super) fn refused(rule: &'static str) {
    metrics::counter!(REFUSED, "rule" => rule).increment(1);
}
