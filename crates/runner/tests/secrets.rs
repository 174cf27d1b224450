//! Configuration in runs: the cascade, freshness, and secrets masked in whatever a run leaves.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::{ConfigKey, Scope, execution::Status};
use runner::RunReport;
use serde_json::{Value, json};
use store::{Precondition, PutConfig};
use support::{Stage, eventually, failed, result, stage};
use testkit::world::NOW;

async fn put(stage: &Stage, scope: Scope, key: &str, value: Value, secret: bool) {
    let put = PutConfig {
        key: ConfigKey::parse(key).unwrap(),
        value,
        secret,
        precondition: Precondition::Any,
        now: NOW,
    };
    stage.world.scoped(scope).put_config(put).await.unwrap();
}

/// Every message of the run's log.
async fn log(stage: &Stage, report: &RunReport, request: domain::ExecutionId) -> Vec<String> {
    let lines = stage.log(stage.world.acme, request, report).await;
    lines.into_iter().map(|line| line.message).collect()
}

/// Runs `source` for Acme; the report, and the messages of its log.
async fn run(stage: &Stage, source: &str) -> (RunReport, Vec<String>) {
    let mut id = None;
    let report = stage.run_with(source, |request| id = Some(request.execution)).await;
    let log = log(stage, &report, id.unwrap()).await;
    (report, log)
}

#[tokio::test]
async fn a_run_reads_its_organization_s_values_then_global_s() {
    let stage = stage().await;
    let (acme, global) = (stage.world.acme, Scope::Global);
    put(&stage, global, "url", json!("https://global"), false).await;
    put(&stage, global, "api_key", json!("a global secret"), true).await;
    put(&stage, acme, "own", json!({"list": [1, null, 2.5], "é": true}), false).await;
    put(&stage, stage.world.globex, "foreign", json!("x"), false).await;
    let source = "
from bifrost import config, BifrostError, ConfigMissing
def run():
    try:
        config.get('foreign')
    except ConfigMissing as error:
        missing = str(error)
    try:
        config.get('no key')
    except ValueError as error:
        wrong = str(error)
    return [config.get('url'), len(config.get('api_key')), config.get('own'), config.get('foreign', 7),
            missing, wrong]
";
    let (report, _) = run(&stage, source).await;
    let missing = "neither the organization nor Global has a configuration value `foreign`";
    let wrong = "the key is not a key: use 1 to 128 characters of A-Z, a-z, 0-9, `.`, `_` and `-`, \
                 beginning with a letter or digit";
    let expected =
        json!(["https://global", 15, {"list": [1, null, 2.5], "é": true}, 7, missing, wrong]);
    assert_eq!(result(&report), expected);
    let of_global = "from bifrost import config\ndef run(): return config.get('own', 'none')";
    stage.world.write(global, "main.py", of_global).await;
    let report = stage.runner.run(stage.request(global).await).await.unwrap();
    assert_eq!(result(&report), json!("none"), "a run of Global sees Global's only");
}

#[tokio::test]
async fn a_value_is_read_anew_at_each_call() {
    let stage = stage().await;
    put(&stage, stage.world.acme, "n", json!(1), false).await;
    let source = "
import time
from bifrost import config, files
def run():
    seen = [config.get('n')]
    files.write('first.txt', '')
    while config.get('n') == 1:
        time.sleep(0.01)
    return seen + [config.get('n')]
";
    let change = async {
        eventually("the first read", async || {
            stage.world.read(stage.world.acme, "first.txt").await.is_some()
        })
        .await;
        put(&stage, stage.world.acme, "n", json!(2), false).await;
    };
    let ((report, _), ()) = tokio::join!(run(&stage, source), change);
    assert_eq!(result(&report), json!([1, 2]));
}

const SECRET: &str = "p/ä&\"ss' 4711\\x€?";

/// Forms that Python writes a secret in, as expressions over `s`.
const FORMS: &[&str] = &[
    "s",
    "f'-{s}-'",
    "json.dumps(s)",
    "json.dumps(s, ensure_ascii=False)",
    "json.dumps({'k': s}, ensure_ascii=False)",
    "repr(s)",
    "repr([s])",
    "ascii(s)",
    "repr(s.encode())",
    "quote(s)",
    "quote(s, safe='')",
    "quote(s).lower()",
    "quote_plus(s)",
    "urlencode({'k': s})",
    "base64.b64encode(s.encode()).decode()",
    "base64.b64encode(b'u:' + s.encode()).decode()",
    "base64.b64encode(b'me:' + s.encode() + b'!').decode()",
    "base64.b64encode(b'ada:' + s.encode() + b'!!').decode()",
    "base64.urlsafe_b64encode(b'me:' + s.encode()).decode()",
    "s.encode().hex()",
    "s.encode().hex().upper()",
    "html.escape(s)",
    "html.escape(s, quote=False)",
];

const IMPORTS: &str = "
import base64, html, json, os, sys
from urllib.parse import quote, quote_plus, urlencode
from bifrost import config, log
";

/// What must not be anywhere: the secret in any of the forms, or a telling part of one.
fn assert_masked(what: &str, text: &str) {
    for part in ["4711", "34373131", "NDcxM", "Q3MT", "0NzEx"] {
        assert!(!text.contains(part), "{what}: {text}");
    }
    assert!(text.contains("***"), "{what}: {text}");
}

#[tokio::test]
async fn a_secret_is_masked_in_every_form_wherever_it_shows() {
    let stage = stage().await;
    put(&stage, stage.world.acme, "api_key", json!({"token": SECRET}), true).await;
    let forms = FORMS.join(",\n    ");
    let source = format!(
        "{IMPORTS}
def run():
    s = config.get('api_key')['token']
    forms = [{forms}]
    for form in forms:
        print('print', form)
        log.error('log', form=form)
        print('stderr', form, file=sys.stderr)
        os.write(1, ('raw ' + form + chr(10)).encode())
    return {{'values': forms, 'fields': {{form: 1 for form in forms}}, 'n': 1.50}}
"
    );
    let (report, log) = run(&stage, &source).await;
    assert_eq!(log.len(), FORMS.len() * 4);
    for line in &log {
        assert_masked("log", line);
    }
    let text = report.outcome.result.clone().unwrap();
    assert!(text.ends_with("\"n\":1.5}"), "{text}");
    for (form, value) in FORMS.iter().zip(result(&report)["values"].as_array().unwrap()) {
        assert_masked(form, value.as_str().unwrap());
    }
    assert_masked("the whole result", &text);

    for form in FORMS {
        let source = format!(
            "{IMPORTS}
def run():
    s = config.get('api_key')['token']
    try:
        raise KeyError({form})
    except KeyError as error:
        raise ValueError('x ' + {form}) from error
"
        );
        let (report, _) = run(&stage, &source).await;
        let failure = failed(&report, Status::Failed);
        assert_masked(form, &failure.message);
        assert_masked(form, &failure.traceback);
    }
}

#[tokio::test]
async fn a_key_of_many_lines_is_masked_line_by_line_and_over_partial_writes() {
    let stage = stage().await;
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
    put(&stage, stage.world.acme, "pem", json!(pem), true).await;
    let source = format!(
        "{IMPORTS}
def run():
    s = config.get('pem')
    print(s)
    log.info(s)
    for line in s.splitlines():
        print('line', line)
    for code in s.splitlines()[1]:
        sys.stdout.write(code)
        sys.stdout.flush()
    print()
    for code in s.splitlines()[2]:
        os.write(1, code.encode())
    os.write(1, b'!' + bytes([10]))
    sys.stderr.write(s[:40]); sys.stderr.write(s[40:])
    raise ValueError('bad key ' + s)
"
    );
    let (report, log) = run(&stage, &source).await;
    let failure = failed(&report, Status::Failed);
    let all = format!("{log:?} {failure:?}");
    for part in ["MIIE", "hkiG", "EFAASC", "BEGIN"] {
        assert!(!all.contains(part), "{all}");
    }
    assert_eq!(failure.message, "bad key ***");
    assert!(log.iter().any(|line| line == "***!"), "{log:?}");
}

#[tokio::test]
async fn long_texts_are_masked_before_they_are_cut() {
    let stage = stage().await;
    put(&stage, stage.world.acme, "k", json!("the-secret-is-4711-long"), true).await;
    let source = "
import os, sys
from bifrost import config
def run():
    s = config.get('k')
    for shift in range(23):
        print('x' * (65535 - shift - 10) + s + s)
        os.write(1, b'y' * (65536 - shift) + s.encode() + b'\\n')
    e = ValueError('z' * (16384 - 20) + s)
    raise e
";
    let (report, log) = run(&stage, source).await;
    assert_eq!(log.len(), 46);
    let failure = failed(&report, Status::Failed);
    for text in log.iter().chain([&failure.message, &failure.traceback]) {
        let tail = &text[text.len().saturating_sub(60)..];
        assert!(!text.contains("the-") && !text.contains("4711"), "{tail}");
    }
}

#[tokio::test]
async fn only_what_this_run_was_given_is_masked_and_from_then_on() {
    let stage = stage().await;
    put(&stage, stage.world.acme, "k", json!("hunter2!"), true).await;
    put(&stage, stage.world.acme, "plain", json!("in the open"), false).await;
    let source = "
from bifrost import config
def run():
    print('hunter2!')
    config.get('plain')
    print('in the open')
    config.get('k')
    print('hunter2!')
    return 'in the open'
";
    let (report, log) = run(&stage, source).await;
    assert_eq!(log, ["hunter2!", "in the open", "***"]);
    assert_eq!(result(&report), json!("in the open"));
    let (report, log) =
        run(&stage, "def run():\n    print('hunter2!')\n    return 'hunter2!'").await;
    assert_eq!((result(&report), log), (json!("hunter2!"), vec!["hunter2!".to_owned()]));
}
