//! Every text of one organization carries a mark, on the real program with real runs; nothing that
//! leaves the server towards another organization has it, in any form.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{
    Client, Server,
    document::{Draft, Operation, Parameter, Place, operations},
    marks::Search,
    raw::Sender,
};

const MARK: &str = "qxacme77vk31j5w";

/// Of the organization with the mark: writes it wherever a workflow can.
const MARKED: &str = r#"
from bifrost import files, log, workflow

@workflow(name="w_qxacme77vk31j5w")
def f_qxacme77vk31j5w(text: str, fails: bool = False) -> dict:
    """Does qxacme77vk31j5w."""
    log.info("in the log %s", text, also=text)
    print("printed", text)
    files.write("written/" + text + ".txt", text)
    files.write("written/" + text + ".bin", b"\x00" + text.encode())
    if fails:
        raise ValueError(text)
    return {"text": text}
"#;

/// Of the other one: reads whatever the SDK and its own process let it.
const SNOOP: &str = r#"
import importlib, os, re, sys
from bifrost import context, files, log, workflow

def attempt(do):
    try:
        return repr(do())
    except BaseException as error:
        return repr(error)

@workflow
def snoop(names: list[str]) -> dict:
    found = {"env": dict(os.environ), "argv": sys.argv, "path": sys.path, "modules": list(sys.modules)}
    for file in ("environ", "cmdline", "comm", "status"):
        found[file] = attempt(lambda: open("/proc/self/" + file).read())
    found["descriptors"] = attempt(lambda: [os.readlink("/proc/self/fd/" + fd)
                                            for fd in os.listdir("/proc/self/fd")])
    found["here"] = [attempt(lambda: (root, names)) for root, _, names in os.walk(os.getcwd())]
    found["context"] = [attempt(lambda: getattr(context, it)) for it in dir(context)]
    for scope in ("cascade", None):
        for path in files.list(scope=scope):
            found[path] = attempt(lambda: files.read_bytes(path, scope=scope))
        for number, name in enumerate(names):
            for do in (files.read_bytes, files.exists, files.list):
                found[f"{number} {do.__name__} {scope}"] = attempt(lambda: do(name, scope=scope))
    for number, name in enumerate(names):
        found[f"{number} import"] = attempt(lambda: importlib.import_module(name.replace("/", ".")))
        found[f"{number} delete"] = attempt(lambda: files.delete(name))
    log.info("found %s", found)
    return found

@workflow
def remember(letters: list[str], plant: bool) -> dict:
    """How often the word of these letters is in this process's memory, if that can be read."""
    kept = "".join(letters).encode() * 3 if plant else b""
    pattern = re.compile("".join(f"[{each}]" for each in letters).encode())
    hits, regions = 0, 0
    try:
        memory = open("/proc/self/mem", "rb", 0)
    except OSError as error:
        return {"unreadable": repr(error)}
    for line in open("/proc/self/maps"):
        span, rights = line.split()[:2]
        if rights[0] != "r" or "[v" in line:
            continue
        start, end = (int(each, 16) for each in span.split("-"))
        try:
            memory.seek(start)
            hits += len(pattern.findall(memory.read(end - start)))
            regions += 1
        except (OSError, OverflowError, ValueError):
            pass
    return {"hits": hits, "regions": regions, "planted": len(kept)}
"#;

struct World {
    server: Server,
    operations: Vec<Operation>,
    marked: Client,
    other: Client,
    /// Names and ids of the marked organization's.
    known: BTreeSet<String>,
}

async fn world() -> World {
    let server = Server::with(testkit::ServerOptions {
        program: env!("CARGO_BIN_EXE_bifrost").into(),
        arguments: Vec::new(),
        environment: vec![("BIFROST_LOG".to_owned(), "debug,hyper=info,sqlx=info".to_owned())],
    });
    for slug in ["acme", "globex"] {
        server.create_organization(slug);
    }
    let marked = server.sign_in("acme", "admin").await;
    let other = server.sign_in("globex", "admin").await;
    let operations = operations(&marked.get("/api/openapi.json").await.body);
    let mut world = World { server, operations, marked, other, known: BTreeSet::new() };
    world.mark_everything().await;
    world
}

impl World {
    /// Whatever takes a text gets the mark, in every shape that could be asked for.
    async fn mark_everything(&mut self) {
        assert_eq!(self.marked.put_file(&format!("flows/{MARK}.py"), MARKED).await.status, 201);
        let workflow = format!("w_{MARK}");
        let run = self.marked.run(&workflow, json!({"text": MARK})).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        let run = self.marked.run(&workflow, json!({"text": MARK, "fails": true})).await;
        assert_eq!(run["status"], "failed", "{run}");
        let sender = self.marked.sender();
        let shapes = [MARK.to_owned(), format!("{MARK}@acme.test"), format!("flows/{MARK}.md")];
        for operation in self.operations.clone() {
            for shape in &shapes {
                self.try_with(&sender, &operation, shape).await;
            }
        }
        for operation in self.operations.clone().iter().filter(|it| it.method == "GET") {
            let nothing = operation.draft(&filled(operation, Some(usize::MAX), ""));
            let reply = sender.send(&nothing).await;
            self.remember(&reply.body);
        }
        // A second look: what was written is read, and its ids and names are known.
        for operation in self.operations.clone() {
            for shape in self.known.clone().into_iter().take(40) {
                self.learn(&sender, &operation, &shape).await;
            }
        }
        let seen = self.known.iter().filter(|it| it.contains(MARK)).count();
        assert!(seen >= 4, "the marked organization sees its own marks: {:?}", self.known);
    }

    async fn try_with(&mut self, sender: &Sender, operation: &Operation, text: &str) {
        // Its people stay signed in.
        if operation.path.starts_with("/api/auth/") || operation.method == "DELETE" {
            return;
        }
        let reply = sender.send(&operation.draft(&filled(operation, None, text))).await;
        assert!(reply.status < 500, "{} {text}: {reply:?}", operation.id);
        self.remember(&reply.body);
    }

    async fn learn(&mut self, sender: &Sender, operation: &Operation, text: &str) {
        if operation.method == "GET"
            && operation.parameters.iter().any(|it| it.place == Place::Path)
            || text == MARK
        {
            let reply = sender.send(&operation.draft(&filled(operation, None, text))).await;
            self.remember(&reply.body);
        }
    }

    /// Its own people are shown the marks: in lists, contents, results and logs.
    async fn assert_that_the_search_finds_what_is_there(&self, search: &Search) {
        let sender = self.marked.sender();
        let mut shown = BTreeSet::new();
        for operation in self.operations.iter().filter(|it| it.method == "GET") {
            let plain = operation.draft(&filled(operation, Some(usize::MAX), ""));
            let mut drafts = vec![(plain, "")];
            for text in &self.known {
                drafts.push((operation.draft(&filled(operation, None, text)), text));
            }
            for (draft, text) in drafts {
                let reply = sender.send(&draft).await;
                if search.find(&without(&reply.bytes(), text.as_bytes())).is_some() {
                    shown.insert(operation.id.as_str());
                }
            }
        }
        for name in ["listFiles", "getWorkflow", "getExecution", "listExecutionLogs", "listUsers"] {
            assert!(shown.contains(name), "{name} shows no mark to its owner: {shown:?}");
        }
    }

    fn remember(&mut self, body: &[u8]) {
        let body = serde_json::from_slice(body).unwrap_or_default();
        collect(&body, &mut self.known);
    }
}

/// Ids and marked names, wherever they are; not what only this request is called.
fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "request_id").for_each(|(_, it)| {
                collect(it, into);
            });
        }
        Value::String(text) => {
            let id = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
            let name = text.contains(MARK) && text.len() < 80 && !text.contains([' ', '\n']);
            if id || name {
                into.insert(text.clone());
            }
        }
        _ => {}
    }
}

/// Values for everything that has to be said, every free text being `text`; when `only` is given,
/// just that one, and harmless words elsewhere.
fn filled(operation: &Operation, only: Option<usize>, text: &str) -> Vec<Option<Value>> {
    let fill = |(at, parameter): (usize, &Parameter)| {
        let chosen = only.is_none_or(|only| only == at);
        match parameter.plain() {
            _ if parameter.name == "If-Match" => Some(json!("*")),
            Some(plain) => {
                let wanted = parameter.required || (chosen && parameter.place == Place::Body);
                wanted.then_some(plain)
            }
            None if chosen && parameter.name != "cursor" => Some(json!(text)),
            None => parameter.required.then(|| json!("harmless")),
        }
    };
    operation.parameters.iter().enumerate().map(fill).collect()
}

/// How many of the known names each parameter is tried with.
fn names() -> usize {
    if std::env::var_os("BIFROST_FULL").is_some() { 1_000 } else { 8 }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mark_of_one_organization_leaves_towards_another() {
    let world = world().await;
    let search = Search::new([MARK]);
    let check = |what: &str, bytes: &[u8], said: &BTreeSet<String>| {
        // What the caller said may be said back, later as well: refusals are in their audit.
        let mut bytes = bytes.to_vec();
        for form in said.iter().flat_map(|text| forms(text)) {
            bytes = without(&bytes, form.as_bytes());
        }
        if let Some(found) = search.find(&bytes) {
            panic!("{what}: {found} in {}", String::from_utf8_lossy(&bytes));
        }
    };
    world.assert_that_the_search_finds_what_is_there(&search).await;
    let ids = world.known.iter().filter(|it| !it.contains(MARK)).take(names());
    let marked = world.known.iter().filter(|it| it.contains(MARK)).take(names());
    let bag: Vec<_> = ids.chain(marked).cloned().collect();
    let provider = world.server.sign_in("provider", "admin").await;
    let nobody = Client::new(&world.server.url, None);
    let mut replies = 0;
    for sender in [world.other.sender(), provider.sender(), nobody.sender()] {
        let mut said = BTreeSet::new();
        for operation in &world.operations {
            let reply =
                sender.send(&operation.draft(&filled(operation, Some(usize::MAX), ""))).await;
            check(&operation.id, &reply.bytes(), &said);
            let parameters = operation.parameters.iter().enumerate();
            for (at, _) in parameters.filter(|(_, it)| it.plain().is_none()) {
                for text in &bag {
                    said.insert(text.clone());
                    let draft = operation.draft(&filled(operation, Some(at), text));
                    let reply = sender.send(&draft).await;
                    assert!(reply.status < 500, "{} {text}: {reply:?}", operation.id);
                    check(&operation.id, &reply.bytes(), &said);
                    replies += 1;
                }
            }
        }
        for page in ["/", "/metrics", "/api/docs/", "/api/openapi.json"] {
            check(page, &sender.send(&get(page)).await.bytes(), &said);
        }
    }
    println!("{replies} replies");
    assert!(replies > 500, "only {replies}");
    let talk = world.server.talk();
    println!("{} lines of the log", talk.lines().count());
    assert!(talk.contains("route=\"/api/files/content/{*path}\""), "requests are logged: {talk}");
    check("the server's standard error", talk.as_bytes(), &BTreeSet::new());
}

fn get(page: &str) -> Draft {
    let (method, target) = (reqwest::Method::GET, page.to_owned());
    Draft { method, target, headers: Vec::new(), body: None }
}

/// A name, and what it is as a module's, as a file's and within a path.
fn forms(name: &str) -> Vec<String> {
    let (module, part) = (name.replace('/', "."), name.replace('/', "%2F"));
    let forms = [name, &module, module.trim_end_matches(".py"), &name.replace('.', "/"), &part];
    let mut forms: Vec<_> = forms.into_iter().map(str::to_owned).collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
}

/// `bytes` without `part`, wherever it is.
fn without(bytes: &[u8], part: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut out = Vec::with_capacity(bytes.len());
    while let Some(first) = rest.first() {
        if !part.is_empty() && rest.starts_with(part) {
            rest = &rest[part.len()..];
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mark_of_one_organization_is_in_anothers_runs() {
    let world = world().await;
    assert_eq!(world.other.put_file("snoop.py", SNOOP).await.status, 201);
    let letters: Vec<_> = MARK.chars().map(String::from).collect();
    let search = Search::new([MARK]);
    for _ in 0..3 {
        let run = world.other.run("remember", json!({"letters": letters, "plant": false})).await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert!(run["result"]["unreadable"].is_string() || run["result"]["hits"] == 0, "{run}");
        let run = world.other.run("remember", json!({"letters": letters, "plant": true})).await;
        let hits = run["result"]["hits"].as_i64();
        println!("memory: {}", run["result"]);
        assert!(run["result"]["unreadable"].is_string() || hits >= Some(3), "{run}");
    }
    let names: Vec<_> = world.known.iter().take(30).cloned().collect();
    let run = world.other.run("snoop", json!({"names": names})).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let logs = format!("/api/executions/{}/logs", run["id"].as_str().unwrap());
    let logs = world.other.get(&logs).await.body;
    let mut seen = format!("{}{logs}", run["result"]);
    assert!(seen.contains("snoop.py"), "it reads its own files");
    for name in &names {
        // What it was asked to look for it may repeat, also as a module's name.
        for form in forms(name) {
            seen = seen.replace(&form, "");
        }
    }
    assert_eq!(search.find(seen.as_bytes()), None, "{seen}");
}
