//! Random numbers of sibling runs: none is told what another one was.

use crate::space::{As, enter};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A number of every stream; those of Python itself are loaded before the fork by Global's packages,
/// or not: both are drawn from twice.
const STREAMS: &str = r#"
import os, random, secrets, ssl, tempfile, uuid
from bifrost import workflow

@workflow
def streams() -> dict:
    return {
        "random": random.random(),
        "random, a second one": random.Random().random(),
        "system": random.SystemRandom().random(),
        "secrets": secrets.token_hex(),
        "uuid4": str(uuid.uuid4()),
        "uuid1": str(uuid.uuid1()),
        "ssl": ssl.RAND_bytes(16).hex(),
        "urandom": os.urandom(16).hex(),
        "temporary names": next(tempfile._get_candidate_names()),
    }
"#;

#[test]
fn streams_of_siblings_differ() {
    enter(As::Root, "streams::differ");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the namespace that `streams_of_siblings_differ` makes"]
async fn differ() {
    let (server, _program) = crate::stage::server(crate::space::inside());
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("streams.py", STREAMS).await.status, 201);
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let rounds = 8;
    for _ in 0..rounds {
        let runs = (0..8).map(|_| acme.run("streams", json!({})));
        for run in futures_util::future::join_all(runs).await {
            let Value::Object(told) = run["result"].clone() else { panic!("{run}") };
            for (name, value) in told {
                seen.entry(name).or_default().insert(value.to_string());
            }
        }
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
    for (name, values) in seen {
        assert_eq!(values.len(), rounds * 8, "`{name}` repeats itself: {values:?}");
    }
}
