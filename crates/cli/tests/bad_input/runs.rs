//! Workflows that misbehave in a run of the real server.

use crate::stage::{Stage, failed};
use serde_json::Value;
use std::{fs, time::Instant};
use testkit::eventually;

#[tokio::test]
async fn results_that_are_not_json_are_told_by_place() {
    let stage = Stage::new().await;
    for (result, kind, words) in [
        ("{1, 2}", "ResultError", "result is a set, which JSON cannot hold; return a list"),
        ("{'a': [1, object()]}", "ResultError", "result.a[1] is an object"),
        ("{1: 2}", "ResultError", "result has the key 1, an int"),
        ("float('nan')", "ResultError", "result is nan"),
        ("b'x'", "ResultError", "result is a bytes"),
        ("2 ** 70", "ResultError", "an integer of 71 bits"),
        ("'x' * (17 << 20)", "ResultTooLarge", "the limit is 16,777,216"),
    ] {
        failed(&stage.run(&format!("return {result}")).await, "failed", kind, words);
    }
    let circle = stage.run("a = []\na.append(a)\nreturn a").await;
    failed(&circle, "failed", "ResultError", "deep");
    assert_eq!(stage.run("return '\\ud800'").await["result"], "\\ud800");
    stage.still_works().await;
}

#[tokio::test]
async fn runs_that_end_themselves_have_one_clear_outcome() {
    let stage = Stage::new().await;
    let raised = stage.run("raise ValueError('no ä')").await;
    failed(&raised, "failed", "ValueError", "no ä");
    let traceback = raised["error"]["traceback"].as_str().unwrap();
    assert!(traceback.contains("bifrost://acme/main.py\", line 6, in main"), "{traceback}");
    assert!(traceback.contains("raise ValueError('no ä')"), "{traceback}");
    failed(&stage.run("sys.exit(3)").await, "failed", "SystemExit", "sys.exit(3)");
    failed(&stage.run("os._exit(3)").await, "crashed", "Crashed", "without a result");
    // It is the first process of its namespace, which the kernel keeps from killing itself with a
    // signal: the C library then ends it by an illegal step.
    failed(&stage.run("os.abort()").await, "crashed", "Crashed", "killed by signal");
    let null = stage.run("import ctypes\nctypes.string_at(0)").await;
    failed(&null, "crashed", "Crashed", "signal 11");
    let deep = stage.run("def f(): f()\nf()").await;
    failed(&deep, "failed", "RecursionError", "maximum recursion depth");
    let memory = stage.run("x = bytearray(8 << 30)").await;
    failed(&memory, "out_of_memory", "MemoryError", "memory");
    let escape = stage.run("files.write('../x', 'y')").await;
    assert_eq!(escape["status"], "failed", "{escape:#}");
    assert!(escape["error"]["message"].as_str().unwrap().contains("`..`"), "{escape:#}");
    stage.still_works().await;
}

/// A figure of `/proc/PID/status`, in KiB.
fn memory(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_gigabyte_of_output_leaves_the_server_small() {
    let stage = Stage::new().await;
    stage.still_works().await;
    for (body, lines) in [
        ("for _ in range(1 << 14): print('x' * 65535)", 1 << 14),
        ("for _ in range(1 << 14): os.write(1, b'x' * 65535 + b'\\n')", 1 << 14),
        ("for _ in range(1 << 10): print('x' * (1 << 20), end='')", 1),
    ] {
        let (before, begun) = (memory(stage.server.pid(), "VmHWM"), Instant::now());
        let execution = stage.run(body).await;
        assert_eq!(execution["status"], "succeeded", "{body}: {:#}", execution["error"]);
        let after = memory(stage.server.pid(), "VmHWM");
        assert!(after - before < 96 * 1024, "{body}: grew from {before} to {after} KiB");
        let log = log_of(&stage, &execution).await;
        let size: usize = log.iter().map(String::len).sum();
        assert!(size <= (10 << 20) + 1000, "{body}: {size}");
        let last = log.last().unwrap();
        if lines > 1 {
            let dropped = lines - (log.len() - 1);
            assert!(last.contains(&format!("{dropped} lines")), "{body}: {last}");
            let gigabyte: usize = (dropped * 65535) >> 20;
            let told = last.split(['(', ' ']).filter_map(|word| word.parse::<usize>().ok());
            assert!(told.max().unwrap() >> 20 == gigabyte, "{body}: {last}");
        } else {
            assert!(last.contains("[cut]"), "{body}: {}", &last[last.len() - 40..]);
        }
        println!("{body}: {:.1?}, grew by {} KiB", begun.elapsed(), after - before);
    }
    stage.still_works().await;
}

async fn log_of(stage: &Stage, execution: &Value) -> Vec<String> {
    let path = format!("/api/executions/{}/logs?limit=200", execution["id"].as_str().unwrap());
    let mut lines = Vec::new();
    let mut next = path.clone();
    loop {
        let page = stage.acme.get(&next).await.body;
        let items = page["items"].as_array().unwrap();
        lines.extend(items.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return lines,
        }
    }
}

/// Processes of a session, by what the kernel says of each.
fn session(id: &str) -> Vec<String> {
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let after_name = stat.rsplit_once(") ")?.1.to_owned();
        let fields: Vec<_> = after_name.split(' ').collect();
        (fields[3] == id && fields[0] != "Z").then_some(stat)
    });
    stats.collect()
}

async fn gone(stage: &Stage) {
    let reply = stage.acme.get("/api/files/content/pid").await;
    let pid = reply.body["content"].as_str().unwrap().to_owned();
    eventually("all of its processes are gone", async || session(&pid).is_empty().then_some(()))
        .await;
}

const SAY: &str = "files.write('pid', str(os.getpid()))\n";

#[tokio::test]
async fn threads_and_processes_without_end_hold_nothing() {
    let stage = Stage::new().await;
    let begun = Instant::now();
    let rest = "def rest():\n    while True: time.sleep(60)\n";
    let threads =
        format!("{SAY}{rest}for _ in range(8): threading.Thread(target=rest).start()\nreturn 1");
    assert_eq!(stage.run(&threads).await["result"], 1);
    gone(&stage).await;
    let spin = "def spin():\n    while True: pass\n";
    let busy =
        format!("{SAY}{spin}for _ in range(2): threading.Thread(target=spin).start()\nreturn 2");
    assert_eq!(stage.run(&busy).await["result"], 2);
    gone(&stage).await;
    let forks = format!("{SAY}{rest}for _ in range(100):\n    if os.fork() == 0: rest()\nreturn 3");
    assert_eq!(stage.run(&forks).await["result"], 3);
    gone(&stage).await;
    // Each process leaves as soon as it has made the next one, and so on for ever.
    let chain = format!("{SAY}while True:\n    if os.fork(): os._exit(0)");
    failed(&stage.run(&chain).await, "crashed", "Crashed", "without a result");
    gone(&stage).await;
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    stage.still_works().await;
}

#[tokio::test]
async fn a_copy_made_by_fork_says_nothing_in_its_name() {
    let stage = Stage::new().await;
    let both = stage.run("return 'child' if os.fork() == 0 else 'parent'").await;
    assert_eq!(both["result"], "parent", "{both:#}");
    let raised = stage.run("if os.fork() == 0: raise ValueError('child')\nreturn 'parent'").await;
    assert_eq!(raised["result"], "parent", "{raised:#}");
    stage.still_works().await;
}

#[tokio::test]
async fn a_run_that_breaks_its_connection_breaks_nothing_else() {
    let stage = Stage::new().await;
    let rest = "\ntime.sleep(60)";
    for body in ["os.closerange(0, 1000)", "os.close(3)"] {
        let execution = stage.run(&format!("{body}{rest}")).await;
        failed(&execution, "crashed", "Crashed", "closed its connection");
    }
    for (bytes, words) in [
        ("b'\\0\\0\\0\\5hello'", "known form"),
        ("b'\\x7f\\xff\\xff\\xff' + b'x' * 1000", "1 MiB"),
        ("os.urandom(1 << 20)", "sent"),
        ("b'\\0\\0\\0\\2{}'", "known form"),
    ] {
        let execution = stage.run(&format!("os.write(3, {bytes}){rest}")).await;
        failed(&execution, "crashed", "Crashed", words);
    }
    // Half a frame, and nothing more.
    let half = stage.run("os.write(3, b'\\0\\0\\0\\5hel')\nos._exit(0)").await;
    assert_eq!(half["status"], "crashed", "{half:#}");
    // A run may say what its result is, which is its own business, but not whose it is.
    let forged = "frame = b'{\"type\":\"result\",\"value\":1,\"organization_id\":\"x\"}'\n\
                  os.write(3, len(frame).to_bytes(4, 'big') + frame)\nos._exit(0)";
    let forged = stage.run(forged).await;
    assert_eq!(forged["organization_id"], half["organization_id"], "{forged:#}");
    stage.still_works().await;
}
