//! Packages of runs: each scope has what its file asks for, whatever goes wrong.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

#[path = "support/packages.rs"]
mod packages;
mod support;

use domain::{
    Scope,
    execution::{LogLevel, Status},
};
use packages::{Shop, uv};
use runner::{RunReport, Runner, RunnerOptions, sandbox::SandboxOptions};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};
use store::{EnvironmentStatus, Reason};
use support::{Stage, failed, result, stage_with};

const FILE: &str = "requirements.txt";
const VERSION: &str = "
import thing
def run():
    return thing.VERSION
";

async fn stage(shop: &Shop) -> Stage {
    stage_with(|options| shop.only(&mut options.environments)).await
}

impl Stage {
    async fn go(&self, scope: Scope) -> RunReport {
        self.runner.run(self.request(scope).await).await.unwrap()
    }

    fn directories(&self) -> Vec<String> {
        let root = self.world.directory.path().join("environments");
        let names = fs::read_dir(root).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    async fn status(&self, scope: Scope, text: &str) -> store::EnvironmentLock {
        let system = self.world.store.system(Reason::Environments);
        let hash = domain::content_hash(text.as_bytes());
        system.environment(scope, &hash).await.unwrap().unwrap()
    }
}

fn things(shop: &Shop) {
    for version in ["1.0", "2.0"] {
        shop.wheel("thing", version, &[("thing.py", &format!("VERSION = '{version}'"))]);
    }
}

fn warnings(report: &RunReport) -> Vec<&str> {
    let lines = report.logs.iter().filter(|line| line.level == LogLevel::Warning);
    lines.map(|line| line.message.as_str()).collect()
}

#[tokio::test]
async fn pure_packages_and_c_extensions_of_the_public_index_are_imported() {
    let stage = stage_with(|options| options.environments.uv = Some(uv())).await;
    let text = "markupsafe==3.0.2\norjson\nidna>=3\n";
    stage.world.write(stage.world.acme, FILE, text).await;
    let source = "
import idna, orjson, markupsafe, markupsafe._speedups, sys
def run():
    return [idna.encode('ä.at').decode(), orjson.dumps([1]).decode(),
            str(markupsafe.escape('<')), markupsafe._speedups.__file__.endswith('.so'),
            sys.path[-1].endswith('/packages')]
";
    let report = stage.run(source).await;
    assert_eq!(result(&report), json!(["xn--4ca.at", "[1]", "&lt;", true, true]));
    let row = stage.status(stage.world.acme, text).await;
    assert_eq!(row.status, EnvironmentStatus::Ready);
    assert!(row.lock.unwrap().contains("markupsafe==3.0.2 \\\n    --hash=sha256:"));
}

#[tokio::test]
async fn organizations_have_different_versions_at_the_same_time_and_others_global_s_or_none() {
    let shop = Shop::new();
    things(&shop);
    let stage = stage(&shop).await;
    let world = &stage.world;
    world.write(Scope::Global, "main.py", VERSION).await;
    let none = stage.go(world.acme).await;
    assert_eq!(failed(&none, Status::Failed).kind, "ModuleNotFoundError");
    world.write(world.acme, FILE, "thing==1.0").await;
    world.write(Scope::Global, FILE, "thing>=1").await;
    for _ in 0..3 {
        let (acme, globex) = tokio::join!(stage.go(world.acme), stage.go(world.globex));
        assert_eq!((result(&acme), result(&globex)), (json!("1.0"), json!("2.0")));
    }
    // A file that asks for nothing hides Global's.
    world.write(world.globex, FILE, "# nothing\n").await;
    let hidden = stage.go(world.globex).await;
    assert_eq!(failed(&hidden, Status::Failed).kind, "ModuleNotFoundError");
}

#[tokio::test]
async fn the_same_lock_is_built_once_whoever_asks_and_however_many() {
    let shop = Shop::new();
    things(&shop);
    let stage = stage_with(|options| shop.counted(options)).await;
    let mut options = RunnerOptions::new(stage.world.directory.path());
    shop.counted(&mut options);
    // Another process on the same data directory.
    let other = Runner::start(options, stage.world.store.clone()).await.unwrap();
    let world = &stage.world;
    world.write(Scope::Global, "main.py", VERSION).await;
    world.write(world.acme, FILE, "thing").await;
    world.write(world.globex, FILE, "# the same\nthing").await;
    let there = async |scope| other.run(stage.request(scope).await).await.unwrap();
    let (a, b, c, d) = tokio::join!(
        stage.go(world.acme),
        stage.go(world.globex),
        there(world.acme),
        there(world.globex)
    );
    for report in [a, b, c, d] {
        assert_eq!(result(&report), json!("2.0"));
    }
    assert_eq!((stage.directories().len(), shop.installs()), (1, 1), "{}", shop.calls());
}

#[tokio::test]
async fn uv_is_told_nothing_of_the_server_and_cannot_go_on_for_ever() {
    let shop = Shop::new();
    things(&shop);
    let stage = stage_with(|options| shop.counted(options)).await;
    stage.world.write(stage.world.acme, FILE, "thing").await;
    assert_eq!(result(&stage.run(VERSION).await), json!("2.0"));
    let calls = shop.calls();
    for part in ["UV_NO_CONFIG=1", "UV_PYTHON_DOWNLOADS=never", "--only-binary :all:", "--no-index"]
    {
        assert!(calls.contains(part), "no {part} in {calls}");
    }
    for part in ["CARGO", "BIFROST", "socket:", "bifrost.db", "/root\n"] {
        assert!(!calls.contains(part), "{part} in {calls}");
    }
    let descriptors: Vec<_> = calls.lines().filter_map(|line| line.split_once(" -> ")).collect();
    // The listing's own, and the one of the errors, are all there are beside.
    let known = |to: &str| {
        ["/dev/null"].contains(&to)
            || to.ends_with("noting-uv")
            || to.ends_with("/calls")
            || to.starts_with("/proc/")
    };
    let known = |(of, to): &(&str, &str)| known(to) || of.ends_with(" 2");
    assert!(descriptors.iter().all(known), "{descriptors:?}");
    assert!(!calls.contains("cpu time               (seconds, -t) unlimited"), "{calls}");
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_packages_and_each_run_says_so() {
    let shop = Shop::new();
    things(&shop);
    let stage = stage(&shop).await;
    let world = &stage.world;
    world.write(world.acme, FILE, "thing==1.0").await;
    assert_eq!(result(&stage.run(VERSION).await), json!("1.0"));
    let text = "thing==1.0\nnothing-like-it==7\n";
    world.write(world.acme, FILE, text).await;
    for _ in 0..2 {
        let report = stage.run(VERSION).await;
        assert_eq!(result(&report), json!("1.0"));
        let said = warnings(&report);
        assert!(said[0].starts_with(
            "the packages of requirements.txt (version 2) could not be installed, so this run has \
             the packages of version 1: "
        ), "{said:?}");
        assert!(said[0].contains("nothing-like-it"), "{said:?}");
    }
    let row = stage.status(world.acme, text).await;
    assert_eq!(row.status, EnvironmentStatus::Failed);
    let why = row.error.unwrap();
    let data = world.directory.path().display().to_string();
    assert!(why.contains("nothing-like-it") && !why.contains(&data), "{why}");
    world.write(world.acme, FILE, "thing==2.0\n").await;
    let mended = stage.run(VERSION).await;
    assert_eq!((result(&mended), warnings(&mended).len()), (json!("2.0"), 0));
}

#[tokio::test]
async fn a_refused_line_is_told_without_asking_anybody() {
    let shop = Shop::new();
    let stage = stage_with(|options| shop.counted(options)).await;
    stage.world.write(stage.world.acme, FILE, "idna\n-r other.txt\n").await;
    let report = stage.run("def run(): return 1").await;
    assert_eq!(result(&report), json!(1));
    let said = warnings(&report);
    assert!(said[0].contains("the standard library only: line 2: `-r` is refused"), "{said:?}");
    assert_eq!(shop.calls(), "");
}

#[tokio::test]
async fn what_would_have_to_be_built_is_refused_unless_the_operator_allows_it() {
    let shop = Shop::new();
    let setup =
        "from setuptools import setup\nsetup(name='built', version='1.0', py_modules=['built'])";
    shop.source("built", "1.0", &[("setup.py", setup), ("built.py", "X = 1")]);
    let stage = stage(&shop).await;
    stage.world.write(stage.world.acme, FILE, "built").await;
    let report = stage.run("def run(): return 1").await;
    let said = warnings(&report);
    assert!(said[0].contains("no usable wheels"), "{said:?}");
}

/// A package that is built by its own code, which tries what it can and puts into the package how
/// that went.
const EVIL: &str = r#"
import ctypes, json, os, socket, time, zipfile
DATA, SERVER, MARK = TOLD

def connect_local():
    socket.socket(socket.AF_UNIX)

def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x20000):
        raise OSError(ctypes.get_errno(), "unshare")

def become_another():
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(12345)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise OSError("setuid")

TRIES = {
    "list the data directory": lambda: os.listdir(DATA),
    "read a file in it": lambda: open(DATA + "/secret").read(),
    "write a file in it": lambda: open(DATA + "/written", "w"),
    "write a file beside it": lambda: open("/var/tmp/" + MARK, "w"),
    "read the passwords": lambda: open("/etc/shadow").read(),
    "read the server's environment": lambda: open(f"/proc/{SERVER}/environ", "rb").read(),
    "read the server's memory": lambda: open(f"/proc/{SERVER}/mem", "rb"),
    "signal the server": lambda: os.kill(SERVER, 0),
    "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open a local socket": connect_local,
    "make a namespace": unshare,
    "become another user": become_another,
}

def tried(attack):
    try:
        attack()
    except OSError as error:
        return f"{type(error).__name__}"
    return "reached"

def build_wheel(directory, settings=None, metadata=None):
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 256)
        ctypes.CDLL(None).prctl(15, MARK.encode(), 0, 0, 0)
        time.sleep(600)
    told = {name: tried(attack) for name, attack in TRIES.items()}
    name = "built-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr("built.py", f"TOLD = {told!r}")
        wheel.writestr("built-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: built\nVersion: 1.0\n")
        wheel.writestr("built-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("built-1.0.dist-info/RECORD", "")
    return name
"#;

/// What the code of a package that is built reaches behind these walls; whether what it leaves
/// behind lives on.
async fn reached(sandbox: SandboxOptions) -> (Vec<String>, bool) {
    let shop = Shop::new();
    let stage = stage_with(|options| {
        shop.only(&mut options.environments);
        options.environments.build = true;
        options.sandbox = sandbox;
    })
    .await;
    let data = stage.world.directory.path();
    fs::write(data.join("secret"), "secret").unwrap();
    let mark = format!("bf{:012x}", uuid::Uuid::now_v7().as_u128() & 0xffff_ffff_ffff);
    let told = format!("TOLD = ({data:?}, {}, {mark:?})\n", std::process::id());
    let project = "[build-system]\nrequires = []\nbuild-backend = 'evil'\nbackend-path = ['.']\n\
                   [project]\nname = 'built'\nversion = '1.0'\n";
    let evil = told + EVIL;
    shop.source("built", "1.0", &[("pyproject.toml", project), ("evil.py", &evil)]);
    stage.world.write(stage.world.acme, FILE, "built").await;
    let report = stage.run("def run():\n    import built\n    return built.TOLD").await;
    assert_eq!(warnings(&report), Vec::<&str>::new());
    let told = result(&report);
    assert_eq!(told.as_object().unwrap().len(), 13, "{told:#}");
    let reached = told.as_object().unwrap().iter().filter(|it| it.1 == "reached");
    let reached = reached.map(|it| it.0.clone()).collect();
    let named = |entry: &fs::DirEntry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == mark)
    };
    let left = fs::read_dir("/proc").unwrap().flatten().find(named);
    if let Some(left) = &left {
        let pid = left.file_name().into_string().unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let _not_there = fs::remove_file(format!("/var/tmp/{mark}"));
    (reached, left.is_some())
}

#[tokio::test]
async fn code_that_builds_a_package_reaches_nothing_of_the_server() {
    assert_eq!(reached(SandboxOptions::default()).await, (Vec::new(), false));
}

#[tokio::test]
async fn without_walls_it_would_reach_the_server_and_stay() {
    let walls = ["processes", "rights", "files", "system_calls"];
    let without = |options: SandboxOptions, wall| options.without(wall);
    let (reached, stays) =
        reached(walls.into_iter().fold(SandboxOptions::default(), without)).await;
    for attack in ["list the data directory", "write a file beside it", "signal the server"] {
        assert!(reached.iter().any(|it| it == attack), "{attack} is not in {reached:?}");
    }
    assert!(stays);
}

#[tokio::test]
async fn without_uv_runs_without_packages_go_on_and_the_others_say_why() {
    let stage = stage_with(|options| options.environments.uv = Some("/nowhere/uv".into())).await;
    assert_eq!(warnings(&stage.run("def run(): return 1").await).len(), 0);
    stage.world.write(stage.world.acme, FILE, "idna").await;
    let report = stage.run("def run(): return 1").await;
    assert_eq!(result(&report), json!(1));
    assert!(warnings(&report)[0].contains("`/nowhere/uv` is not a uv"), "{:?}", warnings(&report));
}

#[tokio::test]
async fn a_script_of_a_version_manager_finds_the_program() {
    let shop = Shop::new();
    things(&shop);
    let manager = tempfile::tempdir().unwrap();
    let (shim, program) = (manager.path().join("shims/uv"), manager.path().join("versions/1/uv"));
    for path in [&shim, &program] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    fs::copy(uv(), &program).unwrap();
    fs::write(&shim, format!("#!/bin/sh\nexec {} \"$@\"\n", program.display())).unwrap();
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    let stage = stage_with(|options| {
        shop.only(&mut options.environments);
        options.environments.uv = Some(shim);
    })
    .await;
    stage.world.write(stage.world.acme, FILE, "thing").await;
    assert_eq!(result(&stage.run(VERSION).await), json!("2.0"));
}

#[tokio::test]
async fn nothing_of_a_package_is_executed_before_it_is_imported() {
    let shop = Shop::new();
    let mark = shop.directory.path().join("mark");
    let evil = format!("import os; open({:?}, 'w').close()\n", mark.display().to_string());
    let files =
        [("quiet.py", "X = 1"), ("quiet.pth", evil.as_str()), ("sitecustomize.py", evil.as_str())];
    shop.wheel("quiet", "1.0", &files);
    let stage = stage(&shop).await;
    stage.world.write(stage.world.acme, FILE, "quiet").await;
    let report = stage.run("import quiet\ndef run(): return quiet.X").await;
    assert_eq!(result(&report), json!(1));
    assert!(!mark.exists(), "a .pth file was executed");
}

const HELD: &str = "
import sys
HELD = 'thing' in sys.modules
import thing
def run():
    return [HELD, thing.VERSION]
";

/// Runs until the zygote has the packages that runs import.
async fn learn(stage: &Stage) {
    stage.world.write(Scope::Global, FILE, "thing\nthreads\nfiles").await;
    support::eventually("it is imported ahead", async || {
        let report = stage.run(HELD).await;
        let held = result(&report);
        assert_eq!(held[1], "2.0");
        held[0] == json!(true)
    })
    .await;
}

#[tokio::test]
async fn what_runs_often_import_is_there_already_unless_a_workspace_module_hides_it() {
    let shop = Shop::new();
    things(&shop);
    shop.wheel("threads", "1.0", &[("threads.py", "")]);
    shop.wheel("files", "1.0", &[("files.py", "")]);
    let stage = stage(&shop).await;
    learn(&stage).await;
    let world = &stage.world;
    world.write(world.acme, "thing.py", "VERSION = 'own'").await;
    assert_eq!(result(&stage.run(HELD).await), json!([false, "own"]));
    // What an organization chose itself is not executed outside of its runs.
    world.write(world.globex, FILE, "thing\nthreads\nfiles").await;
    world.write(world.globex, "main.py", HELD).await;
    assert_eq!(result(&stage.go(world.globex).await), json!([false, "2.0"]));
    assert_eq!(stage.directories().len(), 1, "it is the same environment");
}

#[tokio::test]
async fn a_package_that_starts_threads_or_opens_files_is_not_imported_ahead() {
    let shop = Shop::new();
    things(&shop);
    let threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()";
    shop.wheel("threads", "1.0", &[("threads.py", threads)]);
    shop.wheel("files", "1.0", &[("files.py", "import socket\nHELD = socket.socket()")]);
    let stage = stage(&shop).await;
    stage.world.write(Scope::Global, FILE, "thing\nthreads\nfiles").await;
    let source = "
import sys
HELD = [name in sys.modules for name in ('thing', 'threads', 'files')]
import thing, threads, files
def run():
    return HELD
";
    support::eventually("the good one is imported ahead", async || {
        let held = result(&stage.run(source).await);
        assert_eq!((&held[1], &held[2]), (&json!(false), &json!(false)));
        held[0] == json!(true)
    })
    .await;
}

#[tokio::test]
async fn what_nobody_asks_for_and_nobody_has_used_for_long_is_removed() {
    let shop = Shop::new();
    things(&shop);
    let stage = stage(&shop).await;
    let world = &stage.world;
    world.write(world.acme, FILE, "thing==1.0").await;
    stage.run(VERSION).await;
    let old = stage.directories();
    world.write(world.acme, FILE, "thing==2.0").await;
    stage.run(VERSION).await;
    assert_eq!(stage.directories().len(), 2);
    for name in stage.directories() {
        let path = world.directory.path().join("environments").join(name);
        let long_ago = SystemTime::now() - Duration::from_secs(90 * 24 * 60 * 60);
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }
    // A process that has just started uses none of them.
    let mut options = RunnerOptions::new(world.directory.path());
    shop.only(&mut options.environments);
    let other = Runner::start(options, world.store.clone()).await.unwrap();
    assert_eq!(other.sweep().await, 1);
    let left = stage.directories();
    assert!(left.len() == 1 && left != old, "the one that the file asks for stays");
}
