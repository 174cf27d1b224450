//! One `bifrost serve` process that can be killed and started again where it was.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A process with a directory of its own.
pub struct Node {
    directory: PathBuf,
    arguments: Vec<String>,
    child: Child,
}

impl Node {
    /// Starts a process; `arguments` are those of `serve`.
    pub fn start(directory: PathBuf, arguments: Vec<String>) -> Self {
        std::fs::create_dir_all(&directory).unwrap();
        let child = spawn(&directory, &arguments);
        Self { directory, arguments, child }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Starts it again.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.directory, &self.arguments);
    }

    /// Starts it again if it has ended by itself; whether it had.
    pub fn revive(&mut self) -> bool {
        let ended = self.child.try_wait().unwrap().is_some();
        if ended {
            self.start_again();
        }
        ended
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(directory: &Path, arguments: &[String]) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_bifrost"))
        .arg("serve")
        .arg("--data-dir")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
