//! Bundles: every name is found again, and the bytes are those the Python side expects.

use super::*;
use crate::memfile::MemFile;
use sha2::{Digest, Sha256};

fn file(path: &str, content: &str) -> BundleFile {
    BundleFile {
        path: path.to_owned(),
        version: 1,
        hash: Sha256::digest(content).into(),
        content: content.as_bytes().to_vec(),
        pinned: false,
    }
}

fn bundle(files: &[BundleFile]) -> MemFile {
    MemFile::sealed("bundle", &write("acme", 7, files)).unwrap()
}

#[test]
fn what_is_held_gives_way_to_what_is_the_scope_s_own() {
    let pinned = |path: &str| BundleFile { pinned: true, version: 3, ..file(path, "held") };
    let files = [
        file("a.py", "own"),
        pinned("a/__init__.py"),
        pinned("b.py"),
        file("b/__init__.py", "own"),
        pinned("c.py"),
        pinned("c/__init__.py"),
        pinned("d.py"),
    ];
    let bundle = bundle(&files);
    let table = Table::read(&bundle).unwrap();
    let modules =
        table.entries().filter(|entry| matches!(entry.key, "m:a" | "m:b" | "m:c" | "m:d"));
    let told: Vec<_> =
        modules.map(|entry| format!("{} {:?} {}", entry.key, entry.kind, entry.origin)).collect();
    let expected = [
        "m:a Module bifrost://acme/a.py",
        "m:b Package bifrost://acme/b/__init__.py",
        "m:c Package bifrost://global@3/c/__init__.py",
        "m:d Module bifrost://global@3/d.py",
    ];
    assert_eq!(told, expected);
}

#[test]
fn names_by_python_s_order() {
    let files = [
        file("a.py", "module"),
        file("a/__init__.py", "package"),
        file("a/b/c.py", "c"),
        file("d/data-file.txt", "text"),
        file("not-a-name/x.py", "x"),
    ];
    let bundle = bundle(&files);
    let table = Table::read(&bundle).unwrap();
    let entries: Vec<_> = table
        .entries()
        .map(|entry| {
            let content = bundle.read(entry.data.0, entry.data.1).unwrap();
            format!("{} {:?} {}", entry.key, entry.kind, String::from_utf8(content).unwrap())
        })
        .collect();
    assert_eq!(
        entries,
        [
            "d: Directory a.py\na/\nd/\nnot-a-name/",
            "d:a Directory __init__.py\nb/",
            "d:a/b Directory c.py",
            "d:d Directory data-file.txt",
            "d:not-a-name Directory x.py",
            "f:a.py File module",
            "f:a/__init__.py File package",
            "f:a/b/c.py File c",
            "f:d/data-file.txt File text",
            "f:not-a-name/x.py File x",
            "m:a Package package",
            "m:a.__init__ Module package",
            "m:a.b Namespace c.py",
            "m:a.b.c Module c",
            "m:d Namespace data-file.txt",
        ]
    );
}

#[test]
fn an_empty_scope_has_a_root() {
    let bundle = bundle(&[]);
    assert_eq!(Table::read(&bundle).unwrap().len(), 1);
}

#[derive(serde::Deserialize)]
struct Fixture {
    slug: String,
    generation: u64,
    files: Vec<FixtureFile>,
}

#[derive(serde::Deserialize)]
struct FixtureFile {
    path: String,
    hex: String,
    version: u32,
    pinned: bool,
}

#[test]
fn the_bytes_are_those_of_the_python_writer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/tests/fixtures/protocol/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    let fixture: Fixture = serde_json::from_slice(&read("bundle.json")).unwrap();
    let files: Vec<_> = fixture
        .files
        .into_iter()
        .map(|file| {
            let content = hex::decode(file.hex).unwrap();
            let hash = Sha256::digest(&content).into();
            let (path, version, pinned) = (file.path, file.version, file.pinned);
            BundleFile { path, version, hash, content, pinned }
        })
        .collect();
    assert!(write(&fixture.slug, fixture.generation, &files) == read("bundle.bin"));
    assert!(write("global", 1, &[]) == read("empty.bin"));
}
