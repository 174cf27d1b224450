//! Packages made by tests: wheels in a directory, and the uv that installs them.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

use runner::{EnvironmentOptions, RunnerOptions};
use serde_json::json;
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

/// Writes a wheel, or a source archive when the name of the file says so.
const MAKE: &str = r#"
import io, json, sys, tarfile, zipfile
wanted = json.load(sys.stdin)
name, version, files = wanted["name"], wanted["version"], wanted["files"]
info = f"{name}-{version}.dist-info"
metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
if wanted["source"]:
    with tarfile.open(f'{wanted["directory"]}/{name}-{version}.tar.gz', "w:gz") as archive:
        for path, text in {**files, "PKG-INFO": metadata}.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
else:
    files[f"{info}/METADATA"] = metadata
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f'{wanted["directory"]}/{name}-{version}-py3-none-any.whl', "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
"#;

/// The uv of the tests, which `make test` installs.
pub fn uv() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/uv/bin/uv");
    assert!(path.exists(), "there is no {}: run `make uv`", path.display());
    path
}

/// A directory with packages, and what uv was called with.
pub struct Shop {
    pub directory: TempDir,
    calls: OnceLock<PathBuf>,
}

impl Shop {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), calls: OnceLock::new() }
    }

    /// Offers a wheel with these files.
    pub fn wheel(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        self.make(name, version, files, false);
    }

    /// Offers a package that would have to be built.
    pub fn source(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        self.make(name, version, files, true);
    }

    fn make(&self, name: &str, version: &str, files: &[(&str, &str)], source: bool) {
        let files: serde_json::Map<_, _> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())).collect();
        let wanted = json!({
            "name": name, "version": version, "files": files, "source": source,
            "directory": self.directory.path(),
        });
        let mut command = Command::new("python3");
        let mut child = command.args(["-c", MAKE]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(wanted.to_string().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Sets up a runner that has nothing but this.
    pub fn only(&self, options: &mut EnvironmentOptions) {
        options.uv = Some(uv());
        options.find_links = Some(self.directory.path().to_owned());
    }

    /// As [`Shop::only`], with each call noted: in uv's cache, for it can write nowhere else.
    pub fn counted(&self, options: &mut RunnerOptions) {
        self.only(&mut options.environments);
        let (script, program) = (self.directory.path().join("noting-uv"), self.directory.path());
        let program = program.join("uv");
        if !program.exists() && fs::hard_link(uv(), &program).is_err() {
            fs::copy(uv(), &program).unwrap();
        }
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] || {{ echo \"$@\"; env; ls -l /proc/self/fd; ulimit -a; \
             }} >> \"$UV_CACHE_DIR/calls\"\nexec {} \"$@\"\n",
            program.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        options.environments.uv = Some(script);
        let calls = options.data_dir.join("environments/.cache/calls");
        assert_eq!(self.calls.get_or_init(|| calls.clone()), &calls);
    }

    /// What was noted.
    pub fn calls(&self) -> String {
        self.calls.get().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
    }

    /// How often packages were installed.
    pub fn installs(&self) -> usize {
        self.calls().lines().filter(|line| line.contains(" pip install ")).count()
    }
}
