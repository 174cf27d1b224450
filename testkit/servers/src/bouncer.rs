//! A pooler in front of a PostgreSQL server.

use crate::{account, port};
use std::{
    fs,
    process::{Child, Stdio},
};
use tempfile::TempDir;

/// PgBouncer in transaction mode; killed with the value.
pub struct PgBouncer {
    _directory: TempDir,
    port: u16,
    child: Child,
}

impl PgBouncer {
    /// Hands at most `connections` of the server on `server` (a port of 127.0.0.1) to everybody
    /// who logs in as `login`, for a transaction at a time.
    pub fn start(server: u16, login: &str, connections: u32) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        account::give(directory.path());
        let (settings, users) = (directory.path().join("ini"), directory.path().join("users"));
        let port = port::free();
        fs::write(&users, format!("\"{login}\" \"\"\n")).expect("written");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server} pool_size={connections}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\nmax_client_conn = 200\n\
             ignore_startup_parameters = extra_float_digits\n",
            users.display()
        );
        fs::write(&settings, text).expect("written");
        let mut command = account::ordinary("pgbouncer");
        command.arg(&settings);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = account::start(command);
        let there = port::wait_for(port, || child.try_wait().expect("asked").is_none());
        assert!(there, "PgBouncer did not start: is it installed? `apt-get install pgbouncer`");
        Self { _directory: directory, port, child }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // It may have died by itself.
        let _already_gone = self.child.kill();
        self.child.wait().expect("reaped");
    }
}
