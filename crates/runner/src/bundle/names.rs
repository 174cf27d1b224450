//! Which names a tree of files offers: files, directories, and modules by Python's order.

use super::{BundleFile, EntryKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What an entry's data is. Entries of one target share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target<'a> {
    /// The file of this number.
    File(usize),
    /// The names in this directory.
    Directory(&'a str),
}

/// One name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// `m:`, `f:` or `d:` and the name.
    pub key: String,
    pub kind: EntryKind,
    pub target: Target<'a>,
}

/// Every directory, the root (empty) included, with the names in it; directories end with `/`.
pub(super) type Directories<'a> = BTreeMap<&'a str, BTreeSet<String>>;

/// All names of a tree, in the order of their bytes.
pub(super) fn named<'a>(files: &[BundleFile], directories: &'a Directories<'_>) -> Vec<Named<'a>> {
    let by_path: HashMap<&str, usize> =
        files.iter().enumerate().map(|(number, file)| (file.path.as_str(), number)).collect();
    let at = |path: String| by_path.get(path.as_str()).copied();
    // What is held gives way to what the scope has of its own, in either form.
    let gives_way = |number: usize, other: Option<usize>| {
        files[number].pinned && other.is_some_and(|it| !files[it].pinned)
    };
    let mut all = Vec::with_capacity(files.len() * 2 + directories.len() * 2);
    let mut add = |prefix, name: &str, kind, target| {
        all.push(Named { key: format!("{prefix}:{name}"), kind, target });
    };
    for &directory in directories.keys() {
        add('d', directory, EntryKind::Directory, Target::Directory(directory));
    }
    for (number, file) in files.iter().enumerate() {
        add('f', &file.path, EntryKind::File, Target::File(number));
        let stem = file.path.strip_suffix(".py");
        if let Some((stem, name)) = stem.and_then(|stem| Some((stem, module_name(stem)?)))
            && at(format!("{stem}/__init__.py"))
                .is_none_or(|package| gives_way(package, Some(number)))
        {
            add('m', &name, EntryKind::Module, Target::File(number));
        }
    }
    for &directory in directories.keys() {
        let Some(name) = module_name(directory) else { continue };
        let module = at(format!("{directory}.py"));
        if let Some(number) = at(format!("{directory}/__init__.py")) {
            if !gives_way(number, module) {
                add('m', &name, EntryKind::Package, Target::File(number));
            }
        } else if module.is_none() {
            add('m', &name, EntryKind::Namespace, Target::Directory(directory));
        }
    }
    all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    all
}

/// The directories above the files.
pub(super) fn directories(files: &[BundleFile]) -> Directories<'_> {
    let mut all = Directories::from([("", BTreeSet::new())]);
    for file in files {
        let mut name = file.path.as_str();
        let mut suffix = "";
        loop {
            let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
            let known = all.contains_key(parent);
            all.entry(parent).or_default().insert(format!("{last}{suffix}"));
            if known {
                break;
            }
            (name, suffix) = (parent, "/");
        }
    }
    all
}

/// The dotted name of a path without its `.py`, if all its parts are identifiers.
///
/// Keywords are: `importlib.import_module("class")` works in Python too.
fn module_name(stem: &str) -> Option<String> {
    stem.split('/').all(is_identifier).then(|| stem.replace('/', "."))
}

fn is_identifier(part: &str) -> bool {
    let starts = part.starts_with(|c: char| c == '_' || c.is_alphabetic());
    starts && part.chars().all(|c| c == '_' || c.is_alphanumeric())
}
