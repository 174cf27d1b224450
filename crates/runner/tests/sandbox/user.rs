//! The same tests as an ordinary user: this program, started again as a user that nobody else is.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    process::Command,
};

/// Not a user of this machine; below the range of runs.
const USER: u32 = 64_123;

#[tokio::test]
async fn an_ordinary_user_has_the_walls_too() {
    if !rustix::process::geteuid().is_root() {
        // Then all the other tests have shown it.
        return;
    }
    // The build directory may be closed to others.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = place.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let home = place.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(USER), Some(USER)).unwrap();
    let number = USER.to_string();
    let output = Command::new("setpriv")
        .args(["--reuid", &number, "--regid", &number, "--clear-groups"])
        .arg(&program)
        // One at a time: some count what the whole process has.
        .args(["--test-threads=1", "--skip=an_ordinary_user", "--skip=root_can_have"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .current_dir(&home)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("test postures::every_wall_holds ... ok"), "{told}");
}
