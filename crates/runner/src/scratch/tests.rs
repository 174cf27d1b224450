//! Directories without processes: what is removed, and what must not be.

use super::{Scratches, removal};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn remove(parent: &Path, name: &str) {
    let parent = fs::File::open(parent).unwrap();
    removal::remove(&parent, &std::ffi::CString::new(name).unwrap()).unwrap();
}

#[tokio::test]
async fn private_and_gone_at_once_when_empty() {
    let data = tempfile::tempdir().unwrap();
    let scratches = Scratches::open(data.path()).unwrap();
    let scratch = scratches.make(None).unwrap();
    let path = PathBuf::from(scratch.path());
    assert_eq!(mode(&path), 0o700);
    assert!(path.starts_with(data.path().join("scratch")));
    assert_ne!(scratches.make(None).unwrap().path(), scratch.path());
    drop(scratch);
    assert!(!path.exists());
    drop(scratches);
    eventually("the runner's is gone", || names(&data.path().join("scratch")) == ["lock"]).await;
}

#[tokio::test]
async fn one_that_the_run_took_away_or_replaced_is_no_trouble() {
    let data = tempfile::tempdir().unwrap();
    let target = data.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("file"), "kept").unwrap();
    let scratches = Scratches::open(data.path()).unwrap();
    let scratch = scratches.make(None).unwrap();
    fs::remove_dir(scratch.path()).unwrap();
    drop(scratch);
    let scratch = scratches.make(None).unwrap();
    let path = PathBuf::from(scratch.path());
    fs::remove_dir(&path).unwrap();
    symlink(&target, &path).unwrap();
    drop(scratch);
    eventually("the link is gone", || path.symlink_metadata().is_err()).await;
    assert_eq!(names(&target), ["file"]);
}

#[test]
fn whatever_is_in_it_goes_and_what_it_points_to_stays() {
    let place = tempfile::tempdir().unwrap();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "kept").unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o750)).unwrap();
    let run = place.path().join("1");
    fs::create_dir_all(run.join("a/b/c")).unwrap();
    fs::create_dir_all(run.join("a/d")).unwrap();
    fs::write(run.join("a/b/c/file"), "x").unwrap();
    symlink(&outside, run.join("link")).unwrap();
    symlink(&outside, run.join("a/b/link")).unwrap();
    symlink(outside.join("file"), run.join("a/link")).unwrap();
    symlink("..", run.join("a/up")).unwrap();
    for shut in ["a/b/c", "a/d", "a/b", "a"] {
        fs::set_permissions(run.join(shut), Permissions::from_mode(0o000)).unwrap();
    }
    // In the way of what is moved up.
    fs::create_dir_all(place.path().join("1.1/x")).unwrap();
    fs::write(place.path().join("1.2"), "").unwrap();
    remove(place.path(), "1");
    assert_eq!(names(place.path()), ["1.1", "1.2", "outside"]);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
    assert_eq!(mode(&outside), 0o750);
}

#[test]
fn a_tree_deeper_than_any_path_and_wider_than_any_buffer() {
    let place = tempfile::tempdir().unwrap();
    let top = place.path().join("1");
    fs::create_dir(&top).unwrap();
    let mut at: std::os::fd::OwnedFd = fs::File::open(&top).unwrap().into();
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
    let name = "d".repeat(200);
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&at, &name, rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &name, flags, rustix::fs::Mode::empty()).unwrap();
    }
    for number in 0..3_000 {
        fs::write(top.join(number.to_string()), "").unwrap();
        fs::create_dir_all(top.join(format!("w{number}/x"))).unwrap();
    }
    remove(place.path(), "1");
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_directories_of_runners_that_are_gone_are_removed() {
    let data = tempfile::tempdir().unwrap();
    let root = data.path().join("scratch");
    let living = Scratches::open(data.path()).unwrap();
    let kept = living.make(None).unwrap();
    let kept_file = Path::new(kept.path()).join("file");
    fs::write(&kept_file, "x").unwrap();
    for (name, lock) in [("gone", true), ("half", false)] {
        fs::create_dir_all(root.join(name).join("7/deep")).unwrap();
        if lock {
            fs::write(root.join(name).join("lock"), "").unwrap();
        }
    }
    let outside = data.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("lock"), "").unwrap();
    symlink(&outside, root.join("link")).unwrap();
    let next = Scratches::open(data.path()).unwrap();
    // Two runners and the lock for those who start.
    eventually("three are left", || names(&root).len() == 3).await;
    assert!(kept_file.exists());
    assert_eq!(names(&outside), ["lock"]);
    drop((kept, living, next));
    eventually("nothing is left", || names(&root) == ["lock"]).await;
}
