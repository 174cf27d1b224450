//! What a run may write to, and that nothing of it is left however the run ends.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::execution::Status;
use runner::Runner;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use support::{MARKED, Stage, eventually, failed, parent, pids, result, stage, stage_with};

/// Names the data directory of the runner that is to be killed.
const DATA: &str = "BIFROST_TEST_DATA";

/// Whatever a run can leave, and then `body`.
fn leaving(outside: &Path, body: &str) -> String {
    format!(
        "
import os, pathlib, signal, tempfile, time

def run():
    outside = {outside:?}
    pathlib.Path('file').write_text('x')
    pathlib.Path.home().joinpath('kept', 'deep').mkdir(parents=True)
    os.symlink(outside, 'link')
    os.symlink(outside, 'kept/link')
    pathlib.Path('shut/in').mkdir(parents=True)
    pathlib.Path('shut/file').write_text('x')
    os.chmod('shut', 0)
    tempfile.mkdtemp()
    tempfile.mkstemp()
    top = os.getcwd()
    for _ in range(1500):
        os.mkdir('deep')
        os.chdir('deep')
    os.chdir(top)
    {body}
"
    )
}

fn outside(stage: &Stage) -> PathBuf {
    let outside = stage.world.directory.path().join("outside");
    fs::create_dir_all(outside.join("directory")).unwrap();
    fs::write(outside.join("file"), "kept").unwrap();
    outside
}

fn untouched(outside: &Path) {
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
    assert!(outside.join("directory").is_dir());
}

/// The directories of runs under this data directory.
fn left(data: &Path) -> Vec<PathBuf> {
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    list(&data.join("scratch"))
        .flat_map(|runner| list(&runner.path()).collect::<Vec<_>>())
        // The directory of each cell is there as long as the cell.
        .filter(|cell| cell.file_name().to_string_lossy().starts_with('c'))
        .flat_map(|cell| list(&cell.path()).collect::<Vec<_>>())
        .map(|run| run.path())
        .collect()
}

async fn nothing_left(data: &Path) {
    eventually("nothing is left", async || left(data).is_empty()).await;
}

#[tokio::test]
async fn a_run_works_in_a_directory_of_its_own() {
    let stage = stage().await;
    let source = "
import os, pathlib, tempfile
def run():
    here = os.getcwd()
    pathlib.Path('note').write_text('x')
    same = [os.environ['HOME'], os.environ['TMPDIR'], tempfile.gettempdir()]
    return [here, same == [here] * 3, oct(os.stat('.').st_mode & 0o777), os.listdir()]
";
    let mut seen = Vec::new();
    for _ in 0..2 {
        let value = result(&stage.run(source).await);
        assert_eq!(value.as_array().unwrap()[1..], [json!(true), json!("0o700"), json!(["note"])]);
        seen.push(value[0].as_str().unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1]);
    assert!(Path::new(&seen[0]).starts_with(stage.world.directory.path()));
    nothing_left(stage.world.directory.path()).await;
}

#[tokio::test]
async fn an_empty_one_is_gone_before_the_report() {
    let stage = stage().await;
    let path = result(&stage.run("import os\ndef run(): return os.getcwd()").await);
    assert!(!Path::new(path.as_str().unwrap()).exists());
}

#[tokio::test]
async fn whatever_a_run_leaves_is_removed_and_nothing_else() {
    let stage = stage().await;
    let (data, outside) = (stage.world.directory.path(), outside(&stage));
    let report = stage.run(&leaving(&outside, "return 'left'")).await;
    assert_eq!(result(&report), json!("left"));
    nothing_left(data).await;
    for (body, status) in [
        ("raise ValueError", Status::Failed),
        ("import ctypes; ctypes.string_at(0)", Status::Crashed),
        ("os.chdir('/')\n    os.rmdir(tempfile.mkdtemp())\n    os._exit(3)", Status::Crashed),
    ] {
        failed(&stage.run(&leaving(&outside, body)).await, status);
        nothing_left(data).await;
    }
    let endless = leaving(&outside, "time.sleep(60)");
    let short = |request: &mut runner::RunRequest| request.limits.timeout = Duration::from_secs(1);
    failed(&stage.run_with(&endless, short).await, Status::TimedOut);
    nothing_left(data).await;
    untouched(&outside);
}

#[tokio::test]
async fn a_dropped_run_and_one_that_lost_its_zygote_leave_nothing() {
    let stage = stage().await;
    let (data, outside) = (stage.world.directory.path(), outside(&stage));
    let endless = leaving(&outside, "os.mkdir('ready')\n    time.sleep(60)");
    stage.world.write(stage.world.acme, "main.py", &endless).await;
    let request = stage.request(stage.world.acme).await;
    let ready = async || left(data).iter().any(|run| run.join("ready").exists());
    tokio::select! {
        report = stage.runner.run(request) => panic!("{report:?}"),
        () = eventually("it has written", ready) => {}
    }
    nothing_left(data).await;
    let source = MARKED.to_owned() + &leaving(&outside, "tell()\n    time.sleep(60)");
    let kill = async {
        eventually("it runs", async || !pids(&stage).await.is_empty()).await;
        let zygote = parent(pids(&stage).await[0]).to_string();
        let killed = Command::new("kill").args(["-9", &zygote]).status();
        assert!(killed.unwrap().success());
    };
    let (report, ()) = tokio::join!(stage.run(&source), kill);
    failed(&report, Status::Crashed);
    nothing_left(data).await;
    untouched(&outside);
}

#[tokio::test]
async fn a_resource_that_is_never_given_back_leaves_nothing() {
    let stage = stage().await;
    stage.world.write(stage.world.acme, "certs/__init__.py", "").await;
    stage.world.write(stage.world.acme, "certs/cacert.pem", "PEM").await;
    // As `certifi` does: the file is held until an exit that a run does not have.
    let source = "
import atexit, os
from importlib.resources import as_file, files
def run():
    context = as_file(files('certs').joinpath('cacert.pem'))
    path = str(context.__enter__())
    atexit.register(context.__exit__, None, None, None)
    with open(path) as file:
        return [path.startswith(os.getcwd()), file.read()]
";
    assert_eq!(result(&stage.run(source).await), json!([true, "PEM"]));
    nothing_left(stage.world.directory.path()).await;
}

#[tokio::test]
async fn without_a_place_nothing_runs_and_the_reason_is_said() {
    let stage = stage().await;
    let scratch = stage.world.directory.path().join("scratch");
    fs::rename(&scratch, scratch.with_extension("away")).unwrap();
    let request = stage.request(stage.world.acme).await;
    let error = stage.runner.run(request).await.unwrap_err();
    assert!(matches!(error, runner::NotStarted::Seat(_)), "{error}");
}

/// Not a test: the process that [`a_killed_runner_is_cleaned_up_after`] kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn a_runner_to_be_killed() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let stage = stage_with(|options| options.data_dir = data.into()).await;
    let outside = outside(&stage);
    stage.run(&leaving(&outside, "os.mkdir('ready')\n    time.sleep(60)")).await;
}

#[tokio::test]
async fn a_killed_runner_is_cleaned_up_after() {
    let living = stage().await;
    let data = living.world.directory.path();
    let source = "import os, time\ndef run():\n    os.mkdir('mine')\n    time.sleep(60)";
    living.world.write(living.world.acme, "main.py", source).await;
    let request = living.request(living.world.acme).await;
    let has = |name: &str| left(data).iter().any(|run| run.join(name).exists());
    let killed = async {
        eventually("the living one runs", async || has("mine")).await;
        let mut other = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_runner_to_be_killed", "--ignored"])
            .env(DATA, data)
            .env("TMPDIR", data)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the other runs", async || has("ready")).await;
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(left(data).len(), 2);
        let options = runner::RunnerOptions::new(data);
        let _next = Runner::start(options, living.world.store.clone()).await.unwrap();
        eventually("only the living one's is left", async || left(data).len() == 1).await;
        assert!(has("mine"));
    };
    tokio::select! {
        report = living.runner.run(request) => panic!("{report:?}"),
        () = killed => {}
    }
    nothing_left(data).await;
}
