//! Keys are private, rotate with overlap, and are retired when no token needs them.

use super::{
    files::Directory,
    pem,
    set::{Key, KeySet},
    *,
};
use std::{fs, os::unix::fs::PermissionsExt};

fn set(since: &[i64], now: i64) -> KeySet {
    let key = |(number, seconds): (usize, &i64)| {
        let text = pem::write(&[number as u8 + 1; 32]);
        let path = PathBuf::from(format!("{number:04}.pem"));
        Key::new(pem::read(&text).unwrap(), path, Timestamp(seconds * 1_000_000))
    };
    KeySet::new(since.iter().enumerate().map(key).collect(), Timestamp(now * 1_000_000))
}

fn id(number: usize) -> String {
    pem::read(&pem::write(&[number as u8 + 1; 32])).unwrap().id
}

#[test]
fn keys_are_made_once_and_private() {
    let data = tempfile::tempdir().unwrap();
    let first = SigningKeys::load_or_create(data.path()).unwrap();
    let again = SigningKeys::load_or_create(data.path()).unwrap();
    assert_eq!(first.current().jwks(), again.current().jwks());
    let path = data.path().join("signing-keys/0001.pem");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn keys_that_others_can_read_or_that_are_none_are_refused() {
    let data = tempfile::tempdir().unwrap();
    SigningKeys::load_or_create(data.path()).unwrap();
    let path = data.path().join("signing-keys/0001.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(SigningKeys::load_or_create(data.path()), Err(KeysError::Exposed(_))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "nonsense").unwrap();
    assert!(matches!(SigningKeys::load_or_create(data.path()), Err(KeysError::Malformed(_))));
}

#[test]
fn a_new_key_verifies_at_once_and_signs_after_the_overlap() {
    for (now, signs) in [(100, 0), (104, 0), (105, 1), (1000, 1)] {
        let keys = set(&[0, 100], now);
        assert_eq!(keys.signing().unwrap().0, id(signs), "at {now}");
        assert!(keys.verifying(&id(0)).is_some() && keys.verifying(&id(1)).is_some());
    }
    let early = set(&[0, 100], 100);
    let at = |seconds: i64| Timestamp(seconds * 1_000_000);
    assert!(!early.is_due(at(104)) && early.is_due(at(105)));
    assert_eq!(early.at(at(105)).signing().unwrap().0, id(1));
    assert_eq!(set(&[50, 50], 0).signing().unwrap().0, id(0), "restored: the first until then");
}

#[test]
fn what_is_derived_opens_before_and_after_the_change() {
    let (before, after) = (set(&[0, 100], 100), set(&[0, 100], 105));
    let (old, new) = (before.derive("x"), after.derive("x"));
    assert_eq!((&old[0], &old[1]), (&new[1], &new[0]));
    assert_ne!(before.derive("y")[0], old[0]);
}

#[test]
fn keys_are_retired_by_age_or_by_id_but_never_the_one_that_signs() {
    let at = |seconds: i64| Timestamp(seconds * 1_000_000);
    let out = |now| set(&[0, 100], now).out_of_use(at(now)).len();
    assert_eq!((out(105), out(105 + 1799), out(105 + 1800)), (0, 0, 1));
    let keys = set(&[0, 100], 105);
    assert!(matches!(keys.retirable(&id(1)), Err(KeysError::Signs(_))));
    assert!(matches!(keys.retirable("nobody"), Err(KeysError::Unknown(_))));
    assert_eq!(keys.retirable(&id(0)).unwrap().id(), id(0));
}

#[test]
fn a_process_finds_what_another_one_added_and_removed() {
    let data = tempfile::tempdir().unwrap();
    let running = SigningKeys::load_or_create(data.path()).unwrap();
    let old = running.current().signing().unwrap().0.to_owned();
    let new = SigningKeys::rotate(data.path()).unwrap();
    running.known().looked -= LOOK;
    let set = running.with(&new);
    assert!(set.verifying(&new).is_some(), "without a restart");
    assert_eq!(set.signing().unwrap().0, old, "the other processes may not know it yet");
    assert!(SigningKeys::retire(data.path(), None).unwrap().is_empty(), "both are in use");
    assert_eq!(SigningKeys::retire(data.path(), Some(&new)).unwrap(), std::slice::from_ref(&new));
    running.known().looked -= LOOK;
    assert!(running.with(&new).verifying(&new).is_none());
    assert_eq!(fs::read_dir(data.path().join("signing-keys")).unwrap().count(), 1);
}

#[test]
fn a_broken_file_changes_nothing_for_who_runs_already() {
    let data = tempfile::tempdir().unwrap();
    let running = SigningKeys::load_or_create(data.path()).unwrap();
    let before = running.current().jwks();
    fs::write(data.path().join("signing-keys/0002.pem"), "nonsense").unwrap();
    running.known().looked -= LOOK;
    assert_eq!(running.current().jwks(), before);
    fs::remove_file(data.path().join("signing-keys/0002.pem")).unwrap();
    fs::remove_file(data.path().join("signing-keys/0001.pem")).unwrap();
    running.known().looked -= LOOK;
    assert_eq!(running.current().jwks(), before, "an empty directory signs nobody out");
}

#[test]
fn a_number_in_use_is_not_written_over() {
    let data = tempfile::tempdir().unwrap();
    let directory = Directory::open(data.path()).unwrap();
    assert!(directory.create(3).unwrap());
    assert!(!directory.create(3).unwrap());
    assert_eq!(directory.last_number().unwrap(), 3);
}
