//! Real packages from PyPI as files of Global: they work unchanged, and what an organization
//! overrides inside them is what runs for it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

mod packages;

use packages::{
    service,
    wheels::{self, Files},
};
use serde_json::{Value, json};
use std::time::Instant;
use testkit::{Client, Server, ServerOptions};

/// A workflow, its inputs, the overrides that it loads, and what it returns.
struct Case {
    workflow: &'static str,
    inputs: Value,
    overridden: &'static [&'static str],
    result: fn(acme: bool) -> Value,
}

#[tokio::test(flavor = "multi_thread")]
async fn real_packages_work_unchanged_and_their_overrides_run() {
    let url = service::start().await;
    // It is on loopback, which is closed to runs unless the operator opens it.
    let open = format!("--egress-allow-private={}", url.trim_start_matches("http://"));
    let server = Server::with(ServerOptions {
        program: env!("CARGO_BIN_EXE_bifrost").into(),
        arguments: vec![open],
        environment: Vec::new(),
    });
    let people = People::arrive(&server).await;
    let sources = wheels::fetch();
    people.fill_global(&sources).await;
    people.fill_acme(&sources).await;
    for case in cases(&url) {
        check(&case, &people.acme, true).await;
        check(&case, &people.globex, false).await;
    }
}

struct People {
    global: Client,
    acme: Client,
    globex: Client,
}

impl People {
    async fn arrive(server: &Server) -> Self {
        server.create_organization("acme");
        server.create_organization("globex");
        let provider = server.sign_in("provider", "admin").await;
        Self {
            global: server.act(&provider, None).await,
            acme: server.sign_in("acme", "ops").await,
            globex: server.sign_in("globex", "ops").await,
        }
    }

    async fn fill_global(&self, sources: &Files) {
        let begun = Instant::now();
        let refused = wheels::store(&self.global, sources).await;
        assert!(refused.is_empty(), "{refused:#?}");
        let (count, size) = (sources.len(), sources.values().map(Vec::len).sum::<usize>());
        println!("stored {count} files of {} KiB in {:.1?}", size / 1024, begun.elapsed());
        for directory in ["workflows", "reports"] {
            let own = below(directory, wheels::read(&wheels::here().join(directory)));
            let refused = wheels::store(&self.global, &own).await;
            assert!(refused.is_empty(), "{refused:#?}");
        }
    }

    /// Copies of global files with something appended, and one template.
    async fn fill_acme(&self, sources: &Files) {
        let mut own =
            below("reports/templates", wheels::read(&wheels::here().join("reports_of_acme")));
        for (path, appended) in wheels::read(&wheels::here().join("overrides")) {
            let content = [&sources[&path][..], b"\n\n", &appended].concat();
            own.insert(path, content);
        }
        let refused = wheels::store(&self.acme, &own).await;
        assert!(refused.is_empty(), "{refused:#?}");
    }
}

fn below(directory: &str, files: Files) -> Files {
    files.into_iter().map(|(path, content)| (format!("{directory}/{path}"), content)).collect()
}

async fn check(case: &Case, who: &Client, acme: bool) {
    let begun = Instant::now();
    let execution = who.run(case.workflow, case.inputs.clone()).await;
    let whose = if acme { "acme" } else { "globex" };
    assert_eq!(execution["status"], "succeeded", "{whose}: {:#}", execution["error"]);
    let (result, expected) = (&execution["result"], (case.result)(acme));
    assert_eq!(
        result, &expected,
        "{whose}, {}:
{result:#}",
        case.workflow
    );
    let modules = execution["modules"].as_array().unwrap();
    let of_acme: Vec<_> = modules.iter().filter(|module| module["scope"] == "org").collect();
    let mut paths: Vec<_> = of_acme.iter().map(|module| module["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    let expected = if acme { case.overridden } else { &[] };
    assert_eq!(paths, expected, "{whose}, {}", case.workflow);
    let others = modules.iter().filter(|module| module["scope"] == "global").count();
    assert_eq!(others + paths.len(), modules.len());
    let (all, time) = (modules.len(), begun.elapsed());
    println!("{:<12} {whose:<6} {all:>3} modules, {} own, {time:.1?}", case.workflow, paths.len());
}

fn cases(url: &str) -> Vec<Case> {
    vec![
        Case {
            workflow: "use_requests",
            inputs: json!({ "url": url }),
            overridden: &[
                "certifi/core.py",
                "charset_normalizer/legacy.py",
                "idna/core.py",
                "requests/structures.py",
                "urllib3/util/url.py",
            ],
            result: requests,
        },
        Case {
            workflow: "use_rich",
            inputs: json!({}),
            overridden: &[
                "attr/converters.py",
                "markdown_it/common/utils.py",
                "mdurl/_encode.py",
                "pygments/styles/monokai.py",
                "rich/box.py",
            ],
            result: rich,
        },
        Case {
            workflow: "use_attrs",
            inputs: json!({}),
            overridden: &["attr/converters.py"],
            result: attrs,
        },
        Case {
            workflow: "use_pydantic",
            inputs: json!({}),
            overridden: &["pydantic/utils.py"],
            result: pydantic,
        },
        Case {
            workflow: "use_jinja",
            inputs: json!({}),
            overridden: &["jinja2/filters.py", "markupsafe/_native.py"],
            result: jinja,
        },
    ]
}

fn requests(acme: bool) -> Value {
    let own = |mine, others| if acme { mine } else { others };
    json!({
        "posted": {
            "method": "POST",
            "target": own("/echo/acme?q=a+b", "/echo/%7Borganization%7D?q=a+b"),
            "user_agent": "python-requests/2.32.5",
            "content_type": "application/json",
            "asked_by": "bifrost",
            "body": "{\"n\": [1, 2]}",
        },
        "shown": own("acme's ", ""),
        "moved": ["/echo/moved", [303]],
        "packed": ["gzip", { "packed": true }],
        "missing": "404 Client Error: Not Found",
        "https": "SSLError",
        "domain": own("acme.example", "xn--gre-6ka8i.example"),
        "charset": {
            "encoding": "utf-8", "language": own("Acmeish", ""), "confidence": 1.0
        },
        "authorities": true,
        "same": true,
        "first_line": own("# Acme's list", ""),
        "marked": marked(acme, &[
            "certifi.core",
            "charset_normalizer.legacy",
            "idna.core",
            "requests.structures",
            "urllib3.util.url",
        ]),
    })
}

/// The modules in which an organization finds a mark.
fn marked(acme: bool, names: &[&str]) -> Value {
    if acme { json!(names) } else { json!([]) }
}

const TABLE: &str = "      Tickets
┏━━━━┳━━━━━━━━━━━━┓
┃ Id ┃ Subject    ┃
┡━━━━╇━━━━━━━━━━━━┩
│  7 │ Printer 🔥 │
└────┴────────────┘";

const TABLE_OF_ACME: &str = "      Tickets
+-----------------+
| Id | Subject    |
|----+------------|
|  7 | Printer 🔥 |
+-----------------+";

const MARKDOWN: &str = "┏━━━━━━━━━━━━━━━━━━━━━━┓
┃         Head         ┃
┗━━━━━━━━━━━━━━━━━━━━━━┛

 • one
 • two";

fn rich(acme: bool) -> Value {
    let own = |mine, others| if acme { mine } else { others };
    json!({
        "table": own(TABLE_OF_ACME, TABLE),
        "code": "def f(x): return x + 1",
        "background": own("#acacac", "#272822"),
        "coloured": true,
        "markdown": MARKDOWN,
        "html": own(
            "<p>a and b <a href=\"d+e\">c</a></p>\n",
            "<p>a &amp; b <a href=\"d%20e\">c</a></p>\n",
        ),
        // Rich uses attr where there is one.
        "marked": marked(acme, &[
            "attr.converters",
            "markdown_it.common.utils",
            "mdurl._encode",
            "pygments.styles.monokai",
            "rich.box",
        ]),
    })
}

fn attrs(acme: bool) -> Value {
    let refused = "ValueError: Cannot convert value to bool: 'jawohl'";
    json!({
        "ticket": { "number": 7, "urgent": true, "tags": ["a"] },
        "shown": "Ticket(number=8, urgent=True, tags=['a'])",
        "pickled": true,
        "ordered": true,
        "type": "TypeError: 'number' must be <class 'int'> (got 'seven' that is a <class 'str'>).",
        "value": "ValueError: number must be positive",
        "frozen": "FrozenInstanceError: can't set attribute",
        "old": "X",
        "yes_in_german": if acme { "nothing was refused" } else { refused },
        "marked": marked(acme, &["attr.converters"]),
    })
}

fn pydantic(acme: bool) -> Value {
    let own = |name: &str| if acme { format!("Acme{name}") } else { name.to_owned() };
    let (due, kind, lines) = (own("DueDate"), own("Kind"), own("Lines"));
    let line = r#"{"text": "paper", "price": 2.5}"#;
    json!({
        "compiled": false,
        "model": {
            "due_date": "2026-01-31",
            "kind": "invoice",
            "lines": [{ "text": "paper", "price": "2.50" }],
            "sent_by": null,
        },
        "json": format!(r#"{{"{due}": "2026-01-31", "{kind}": "invoice", "{lines}": [{line}]}}"#),
        "schema": [due, kind, lines, own("SentBy")],
        "point": 4,
        "errors": [
            [due, "value_error.date"],
            [kind, "value_error.const"],
            [lines, 0, "text", "value_error.any_str.min_length"],
            [lines, 0, "price", "value_error.number.not_gt"],
        ],
        "empty": [[lines, "value_error"]],
        "marked": marked(acme, &["pydantic.utils"]),
    })
}

fn jinja(acme: bool) -> Value {
    let page = if acme {
        "<h1 class=\"acme\">ACME It&apos;s &lt;Late&gt;</h1>\n<li>1</li><li>2</li>"
    } else {
        "<h1>It&#39;s &lt;Late&gt;</h1>\n<li>1</li><li>2</li>"
    };
    json!({
        "page": page,
        "native": "markupsafe._native",
        "binary": { "packed": true },
        "failure": ["'nothing' is undefined", 2],
        // It asks the file system whether there is such a directory, not the module's loader.
        "package_loader":
            "PackageLoader could not find a 'templates' directory in the 'reports' package.",
        "marked": marked(acme, &["jinja2.filters", "markupsafe._native"]),
    })
}
