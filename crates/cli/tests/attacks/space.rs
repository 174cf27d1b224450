//! The namespace in which everything happens, made anew for each test: the test's own program again,
//! with one of its ignored tests.

use std::{env, fs, os::unix::fs::PermissionsExt, process::Command};

/// As whom the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// As root.
    Root,
    /// As a user who is in no list and has no right.
    Ordinary,
}

const VARIABLE: &str = "BIFROST_TEST_ATTACK_AS";

/// Loopback with further addresses, a name server of its own, and mounts and shared memory that nobody
/// else sees.
const SET_UP: &str = r#"set -e
ip link set lo up
for address in 169.254.169.254 93.184.216.34; do ip addr add $address/32 dev lo; done
echo 'nameserver 127.0.0.1' > "$TMPDIR/resolv.conf"
mount --bind "$TMPDIR/resolv.conf" /etc/resolv.conf
mount -t tmpfs -o mode=1777 none /dev/shm
exec "$0" "$@"
"#;

/// Runs an ignored test of this program inside, which has to pass.
pub fn enter(who: As, test: &str) {
    let directory = tempfile::tempdir().unwrap();
    // Whoever the server runs as has to find what is his in it.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = rustix::process::geteuid().is_root();
    let mut command = if root { Command::new("unshare") } else { Command::new("sudo") };
    if !root {
        command.args(["--non-interactive", "--preserve-env", "unshare"]);
    }
    let status = command
        .args(["--net", "--mount", "--ipc", "sh", "-c", SET_UP])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(VARIABLE, if who == As::Root { "root" } else { "ordinary" })
        .env("TMPDIR", directory.path())
        // In a network of its own there is no server of a database.
        .env_remove("BIFROST_TEST_ENGINE")
        .status()
        .expect("`unshare`, or without root `sudo`, starts");
    let hint = "as root, or as somebody whom sudo asks for nothing, this needs `ip` and `unshare`";
    assert!(status.success(), "inside it failed; {hint}");
}

/// As whom, for the test inside.
pub fn inside() -> As {
    match env::var(VARIABLE).as_deref() {
        Ok("root") => As::Root,
        Ok("ordinary") => As::Ordinary,
        _ => panic!("this test is started by another one; run that"),
    }
}
