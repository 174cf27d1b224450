//! Runs of two organizations in turn, each poisoning what a process could share with the next.

use crate::{
    aftermath::Traces,
    space::{As, enter},
};
use serde_json::{Value, json};
use testkit::{Client, Server};

/// Looks whether anything is other than in a fresh process, then poisons all of it.
const POISON: &str = r#"
import builtins, sys
from bifrost import workflow

OWN = "ORGANIZATION"

class Finder:
    """Answers for every module, with its organization's name in it."""

    def find_spec(self, name, path=None, target=None):
        if name.startswith("poison_"):
            import importlib.machinery
            return importlib.machinery.ModuleSpec(name, self)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.owner = OWN

def found():
    """Whatever another run left."""
    import importlib
    import json
    import os
    left = []
    if hasattr(builtins, "poisoned") or len([]) != 0 or sorted([2, 1]) != [1, 2]:
        left.append("builtins")
    if "poison_planted" in sys.modules or hasattr(json, "poisoned"):
        left.append("sys.modules")
    if any(type(each).__name__ == "Finder" for each in sys.meta_path):
        left.append("sys.meta_path")
    if any("poison" in each for each in sys.path) or sys.path_hooks[:1] == [None]:
        left.append("sys.path")
    if os.environ.get("POISON") or os.path.exists("poison.txt"):
        left.append("environment or scratch")
    if hasattr(workflow, "poisoned") or hasattr(sys.modules["bifrost"], "poisoned"):
        left.append("the SDK")
    try:
        importlib.import_module("poison_anything")
        left.append("an import")
    except ModuleNotFoundError:
        pass
    return left

def poison():
    """Everything that the next one would meet."""
    import json
    import os
    import types
    sys.meta_path.insert(0, Finder())
    builtins.poisoned = builtins.sorted = OWN
    sys.modules["poison_planted"] = types.ModuleType("poison_planted")
    sys.modules["helper"] = types.ModuleType("helper")
    json.poisoned = json.dumps.__defaults__ = None
    workflow.poisoned = sys.modules["bifrost"].poisoned = OWN
    sys.path.insert(0, "/poison")
    sys.path_importer_cache.clear()
    os.environ["POISON"] = OWN
    with open("poison.txt", "w") as file:
        file.write(OWN)

@workflow
def turn(number: int) -> dict:
    import helper
    left = found()
    answer = {"left": left, "owner": helper.owner(), "number": number * 2}
    poison()
    return answer
"#;

async fn prepare(server: &Server, slug: &str) -> Client {
    server.create_organization(slug);
    let client = server.sign_in(slug, "admin").await;
    let helper = format!("def owner():\n    return {slug:?}\n");
    assert_eq!(client.put_file("helper.py", &helper).await.status, 201);
    let source = POISON.replace("ORGANIZATION", slug);
    assert_eq!(client.put_file("turn.py", &source).await.status, 201);
    client
}

async fn take_turn(client: &Client, slug: &str, number: usize) {
    let run = client.run("turn", json!({ "number": number })).await;
    let wanted = json!({ "left": [], "owner": slug, "number": number * 2 });
    assert_eq!(run["result"], wanted, "{number}: {run}");
    assert_eq!(run["status"], "succeeded", "{number}: {run}");
}

#[test]
fn runs_in_turn_poison_nobody_and_leave_nothing() {
    enter(As::Root, "alternating::in_turn");
}

#[test]
fn runs_in_turn_poison_nobody_and_leave_nothing_as_an_ordinary_user() {
    enter(As::Ordinary, "alternating::in_turn");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the namespace that `runs_in_turn_…` makes"]
async fn in_turn() {
    let (server, _program) = crate::stage::server(crate::space::inside());
    let acme = prepare(&server, "acme").await;
    let globex = prepare(&server, "globex").await;
    let rounds = if std::env::var_os("BIFROST_FULL").is_some() { 5_000 } else { 100 };
    // Enough at once for whatever is made once.
    let warm = (0..12).map(|number| take_turn(&acme, "acme", number));
    futures_util::future::join_all(warm).await;
    let before = Traces::of(&server);
    // In turn, and so three times at once.
    let lanes = (0..3).map(|lane| {
        let (acme, globex) = (&acme, &globex);
        async move {
            for round in (lane..rounds).step_by(3) {
                take_turn(acme, "acme", round).await;
                take_turn(globex, "globex", round).await;
            }
        }
    });
    futures_util::future::join_all(lanes).await;
    println!("{} runs", rounds * 2);
    before.assert_nothing_is_left(&server).await;
    let reply = globex.get("/api/executions?limit=1").await;
    assert_eq!(reply.body["items"][0]["status"], Value::from("succeeded"));
}
