//! Which names a tree of files offers: files, directories, and modules by Python's order.

use super::{BundleFile, EntryKind};
use domain::{FilePath, ModuleName};
use std::collections::{BTreeMap, BTreeSet};

/// One name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// `m:`, `f:` or `d:` and the name.
    pub key: String,
    pub kind: EntryKind,
    pub target: Target,
}

/// What an entry's data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The file of this number.
    File(usize),
    /// A directory's path, and the names in it.
    Directory(String),
}

/// A tree of files as names.
pub(super) struct Names {
    /// In the order of their keys.
    pub entries: Vec<Named>,
    /// The names in each directory, one a line.
    pub listings: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn of(files: &[BundleFile]) -> Self {
        let directories = directories(files);
        let mut entries = BTreeMap::new();
        for directory in directories.keys() {
            let named = |kind| (kind, Target::Directory(directory.clone()));
            entries.insert(format!("d:{directory}"), named(EntryKind::Directory));
            if let Some(module) = directory_module(directory) {
                entries.insert(format!("m:{module}"), named(EntryKind::Namespace));
            }
        }
        for (number, file) in files.iter().enumerate() {
            entries.insert(format!("f:{}", file.path), (EntryKind::File, Target::File(number)));
            if let Some((module, kind)) = file_module(&file.path) {
                offer(&mut entries, format!("m:{module}"), kind, number);
            }
        }
        let named = |(key, (kind, target))| Named { key, kind, target };
        let lines = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join("\n");
        Self {
            entries: entries.into_iter().map(named).collect(),
            listings: directories.into_iter().map(|(path, names)| (path, lines(names))).collect(),
        }
    }
}

/// A package hides a module of the same name, and both hide a namespace.
fn offer(
    entries: &mut BTreeMap<String, (EntryKind, Target)>,
    key: String,
    kind: EntryKind,
    number: usize,
) {
    let better = entries.get(&key).is_none_or(|(there, _)| {
        *there == EntryKind::Namespace || (*there == EntryKind::Module && kind == EntryKind::Package)
    });
    if better {
        entries.insert(key, (kind, Target::File(number)));
    }
}

/// Every directory, the root (empty) included, with the names in it.
fn directories(files: &[BundleFile]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::from([(String::new(), BTreeSet::new())]);
    for file in files {
        let mut name = file.path.as_str();
        let mut suffix = "";
        loop {
            let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
            let fresh = !all.contains_key(parent);
            all.entry(parent.to_owned()).or_default().insert(format!("{last}{suffix}"));
            if parent.is_empty() || !fresh {
                break;
            }
            (name, suffix) = (parent, "/");
        }
    }
    all
}

fn directory_module(path: &str) -> Option<ModuleName> {
    if path.contains('.') {
        return None;
    }
    ModuleName::parse(&path.replace('/', ".")).ok()
}

fn file_module(path: &str) -> Option<(ModuleName, EntryKind)> {
    let path = FilePath::parse(path).ok()?;
    let kind = if path.is_package() { EntryKind::Package } else { EntryKind::Module };
    Some((path.module()?, kind))
}
