//! Overrides: lists, drift and differences.

use crate::common::{Api, canonical, refusal};
use domain::Scope;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATH: &str = "shared/halopsa.py";

/// Acme's override began from Global's first version; Global is at its second.
async fn drifted() -> Api {
    let api = Api::new().await;
    api.world.write(Scope::Global, PATH, "import os\n\nURL = 'a'\n").await;
    api.world.write(api.world.acme, PATH, "import os\n\nURL = 'acme'\n").await;
    api.world.write(Scope::Global, PATH, "import os\n\nURL = 'b'\nEND = 1\n").await;
    api
}

#[tokio::test]
async fn the_list_tells_own_base_global_and_drift() {
    let api = drifted().await;
    api.world.write(Scope::Global, "z.py", "z = 1\n").await;
    api.world.write(api.world.acme, "z.py", "z = 2\n").await;
    let viewer = api.sign_in("acme", "viewer").await;
    let state = |version: u32, size: u32| {
        let updated_at = "2023-11-14T22:13:20.000000Z";
        json!({"version": version, "hash": "<hash>", "size": size, "updated_at": updated_at})
    };
    let first = json!({
        "path": PATH, "own": state(1, 24), "base": state(1, 21), "global": state(2, 29),
        "drift": true,
    });
    let reply = viewer.get("/api/overrides?limit=1").await;
    assert_eq!((reply.status, canonical(&reply.body["items"])), (200, json!([first])));
    let cursor = reply.body["next_cursor"].as_str().unwrap();
    let rest = viewer.get(&format!("/api/overrides?cursor={cursor}")).await.body;
    let (item, next) = (&rest["items"][0], &rest["next_cursor"]);
    assert_eq!(
        (&item["path"], &item["drift"], next),
        (&json!("z.py"), &json!(false), &json!(null))
    );
    let shared = viewer.get("/api/overrides?prefix=shared/").await.body;
    assert_eq!(canonical(&shared["items"]), json!([first]));
    let other = api.sign_in("globex", "viewer").await;
    let nothing = json!({"items": [], "next_cursor": null});
    assert_eq!(other.get("/api/overrides").await.body, nothing);
    assert_eq!(api.acting(None).await.get("/api/overrides").await.body, nothing);
}

#[tokio::test]
async fn any_two_contents_can_be_compared() {
    let api = drifted().await;
    let viewer = api.sign_in("acme", "viewer").await;
    let diff = async |query: &str| viewer.get(&format!("/api/files/diff/{PATH}{query}")).await;
    let missed = diff("?from=base&to=global").await;
    let side = |version: u32, size: u32| json!({"scope": "global", "version": version, "hash": "<hash>", "size": size});
    let same = |at: u32, text: &str, changed: bool| {
        json!({
            "kind": "same", "from": at, "to": at, "ends": true,
            "parts": [{"text": text, "changed": changed}],
        })
    };
    let url = |kind: &str, word: &str, from: Value, to: Value| {
        let part = |text: &str, changed: bool| json!({"text": text, "changed": changed});
        let parts = [part("URL = '", false), part(word, true), part("'", false)];
        json!({"kind": kind, "from": from, "to": to, "ends": true, "parts": parts})
    };
    let end = json!({
        "kind": "added", "from": null, "to": 4, "ends": true,
        "parts": [{"text": "END = 1", "changed": true}],
    });
    let expected = json!({
        "path": PATH, "from": side(1, 21), "to": side(2, 29), "added": 2, "removed": 1,
        "differs": true, "binary": false, "too_large": false,
        "unified": "--- global@1/shared/halopsa.py\n+++ global@2/shared/halopsa.py\n\
            @@ -1,3 +1,4 @@\n import os\n \n-URL = 'a'\n+URL = 'b'\n+END = 1\n",
        "hunks": [{
            "from": {"first": 1, "count": 3}, "to": {"first": 1, "count": 4},
            "lines": [
                same(1, "import os", false), same(2, "", false),
                url("removed", "a", json!(3), json!(null)), url("added", "b", json!(null), json!(3)),
                end,
            ],
        }],
    });
    assert_eq!((missed.status, canonical(&missed.body)), (200, expected));
    let plain = diff("").await.body;
    assert_eq!((&plain["from"]["version"], &plain["to"]["scope"]), (&json!(2), &json!("org")));
    let equal = diff("?from=global@1&to=base").await.body;
    let rest = (&equal["differs"], &equal["unified"], &equal["hunks"]);
    assert_eq!(rest, (&json!(false), &json!(""), &json!([])));
}

#[tokio::test]
async fn what_cannot_be_compared_is_said() {
    let api = drifted().await;
    api.world.write(Scope::Global, "logo.png", "a\0b").await;
    api.world.write(api.world.acme, "logo.png", "a\0c").await;
    let viewer = api.sign_in("acme", "viewer").await;
    let binary = viewer.get("/api/files/diff/logo.png").await.body;
    let said = "Binary files global@1/logo.png and own@1/logo.png differ\n";
    let marks = (&binary["differs"], &binary["binary"], &binary["unified"]);
    assert_eq!(marks, (&json!(true), &json!(true), &json!(said)));
    let bad = viewer.get(&format!("/api/files/diff/{PATH}?from=acme")).await;
    assert_eq!((bad.status, &bad.body["errors"][0]["pointer"]), (422, &json!("/from")));
    let get = async |query: &str| viewer.get(&format!("/api/files/diff/{query}")).await;
    for missing in ["own.py", "shared/halopsa.py?from=own@2", "shared/halopsa.py?to=global@9"] {
        assert_eq!(refusal(&get(missing).await), (404, "not_found"), "{missing}");
    }
    let other = api.sign_in("globex", "viewer").await;
    let foreign = other.get(&format!("/api/files/diff/{PATH}?from=global&to=own@1")).await;
    assert_eq!(refusal(&foreign), (404, "not_found"));
}

/// Two files of 5,000 lines; 30 ms is the aim of an optimized server on a quiet machine.
#[tokio::test]
async fn large_files_are_compared_in_time() {
    let api = Api::new().await;
    let lines = |salt: u32| {
        let line = |n: u32| {
            if n.is_multiple_of(7) { format!("x{n} = {salt}\n") } else { format!("y{n}\n") }
        };
        (0..5_000).map(line).collect::<String>()
    };
    api.world.write(Scope::Global, "big.py", &lines(1)).await;
    api.world.write(api.world.acme, "big.py", &lines(2)).await;
    let viewer = api.sign_in("acme", "viewer").await;
    let begun = Instant::now();
    let reply = viewer.get("/api/files/diff/big.py").await;
    assert_eq!((reply.status, &reply.body["differs"]), (200, &json!(true)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
