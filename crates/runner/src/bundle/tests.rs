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
    }
}

fn bundle(files: &[BundleFile]) -> MemFile {
    MemFile::sealed("bundle", &write("bifrost://acme/", 7, files)).unwrap()
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
