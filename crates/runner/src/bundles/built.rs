//! One bundle: built from a snapshot of the store, reusing what the one before it holds.

use super::{NoBundle, Wanted};
use crate::{
    bundle::{self, BundleFile, EntryKind, Table, codes},
    memfile::MemFile,
    sources::{File, Index, SourceError, Sources},
};
use domain::{Scope, environment};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A bundle and, as far as they have been compiled, its codes.
pub(crate) struct Bundle {
    pub generation: i64,
    pub file: Arc<MemFile>,
    /// Its `requirements.txt`, if it has one.
    pub requirements: Option<Arc<environment::Wanted>>,
    /// Names that its modules begin with.
    tops: HashSet<String>,
    codes: RwLock<Arc<MemFile>>,
    compiled: AtomicBool,
    /// Bytes of the bundle itself.
    size: u64,
    /// Bytes of its codes.
    codes_size: AtomicU64,
}

impl Bundle {
    /// Whether a module of it begins with this name.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.tops.contains(name)
    }

    /// The codes that are there by now.
    pub(crate) fn codes(&self) -> Arc<MemFile> {
        self.codes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_codes(&self, codes: MemFile) {
        self.codes_size.store(codes.size().unwrap_or(0), Ordering::Relaxed);
        *self.codes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(codes);
    }

    /// Whether everything that can be compiled is.
    pub(crate) fn is_compiled(&self) -> bool {
        self.compiled.load(Ordering::Acquire)
    }

    pub(super) fn set_compiled(&self) {
        self.compiled.store(true, Ordering::Release);
    }

    /// Bytes of memory it takes.
    pub(super) fn size(&self) -> u64 {
        self.size + self.codes_size.load(Ordering::Relaxed)
    }
}

/// Builds the bundle of a scope as it is now.
pub(super) async fn build(
    sources: &Sources,
    wanted: &Wanted<'_>,
    previous: Option<&Bundle>,
) -> Result<Bundle, NoBundle> {
    let index = sources.index(wanted.access, wanted.owner).await?;
    if index.generation < wanted.generation {
        let text =
            format!("generation {} is asked for, {} is there", wanted.generation, index.generation);
        return Err(SourceError::Odd(text).into());
    }
    let held = previous.map(Held::read).transpose()?;
    let files = collect(sources, wanted, &index, held.as_ref()).await?;
    sources.tell_index(wanted.access, wanted.owner, &index);
    let generation = u64::try_from(index.generation).unwrap_or(0);
    let (requirements, tops) = (requirements(wanted.owner, &files), tops(&files));
    let slug = wanted.slug.to_owned();
    let write = move || bundle::write(&slug, generation, &files);
    // Thousands of files take tens of milliseconds: not on a thread that others wait for.
    let bytes = tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?;
    let file = MemFile::sealed("bifrost-bundle", &bytes)?;
    let codes = match (previous, &held) {
        (Some(previous), Some(held)) => carry_over(&file, previous, held)?,
        _ => codes::blank(Table::read(&file)?.len())?,
    };
    Ok(Bundle {
        generation: index.generation,
        file: Arc::new(file),
        requirements: requirements.map(Arc::new),
        tops,
        codes_size: AtomicU64::new(codes.size()?),
        codes: RwLock::new(Arc::new(codes)),
        compiled: AtomicBool::new(false),
        size: bytes.len() as u64,
    })
}

/// What the scope's file asks for.
fn requirements(owner: Scope, files: &[BundleFile]) -> Option<environment::Wanted> {
    let file = files.iter().find(|file| file.path == domain::requirements::PATH)?;
    Some(environment::Wanted::new(owner, file.version, &file.content))
}

fn tops(files: &[BundleFile]) -> HashSet<String> {
    let modules = files.iter().filter_map(|file| file.path.strip_suffix(".py"));
    modules.filter_map(|path| path.split('/').next()).map(str::to_owned).collect()
}

/// What an earlier bundle holds.
struct Held {
    file: Arc<MemFile>,
    table: Table,
}

impl Held {
    fn read(bundle: &Bundle) -> io::Result<Self> {
        Ok(Self { file: bundle.file.clone(), table: Table::read(&bundle.file)? })
    }
}

/// The files of the index and those it holds, with their contents; only what is not held already is asked for.
async fn collect<'a>(
    sources: &Sources,
    wanted: &Wanted<'_>,
    index: &'a Index,
    held: Option<&Held>,
) -> Result<Vec<BundleFile>, NoBundle> {
    let known: HashMap<_, _> = held
        .into_iter()
        .flat_map(|held| held.table.entries())
        .filter(|entry| entry.kind == EntryKind::File)
        .map(|entry| ((entry.path, entry.hash), entry.data))
        .collect();
    let place = |file: &File| known.get(&(file.path.as_str(), file.hash)).copied();
    let missing = |files: &'a [File]| -> Vec<&'a File> {
        files.iter().filter(|file| place(file).is_none()).collect()
    };
    let mut fetched = match missing(&index.files).as_slice() {
        [] => HashMap::new(),
        some => sources.contents(wanted.access, wanted.owner, some).await?,
    };
    // A scope that holds a file has none of its own there.
    fetched.extend(match missing(&index.pinned).as_slice() {
        [] => HashMap::new(),
        some => sources.held_contents(wanted.access, some).await?,
    });
    let mut files = Vec::with_capacity(index.files.len() + index.pinned.len());
    let own = index.files.iter().map(|file| (file, false));
    for (file, pinned) in own.chain(index.pinned.iter().map(|file| (file, true))) {
        let content = match (place(file), held) {
            (Some((offset, length)), Some(held)) => held.file.read(offset, length)?,
            _ => fetched.remove(&file.path).ok_or_else(|| incomplete(&file.path))?,
        };
        let (path, version, hash) = (file.path.clone(), file.version, file.hash);
        files.push(BundleFile { path, version, hash, content, pinned });
    }
    Ok(files)
}

fn incomplete(path: &str) -> NoBundle {
    SourceError::Odd(format!("the content of `{path}` is missing")).into()
}

/// The codes of the earlier bundle that are still right: same origin, same source.
fn carry_over(file: &MemFile, previous: &Bundle, held: &Held) -> io::Result<MemFile> {
    let table = Table::read(file)?;
    let mut old = codes::read(&previous.codes(), held.table.len())?;
    let by_source: HashMap<_, _> = held
        .table
        .entries()
        .filter(|entry| entry.kind.has_code())
        .map(|entry| ((entry.origin, entry.hash), entry.number))
        .collect();
    let carried = table
        .entries()
        .filter(|entry| entry.kind.has_code())
        .filter_map(|entry| {
            let number = by_source.get(&(entry.origin, entry.hash))?;
            Some((entry.number, old.remove(number)?))
        })
        .collect();
    MemFile::sealed("bifrost-codes", &codes::write(table.len(), &carried))
}

/// Adds codes that came later: those of an earlier bundle whose compilation ended after this
/// bundle was built.
pub(super) fn carry_late(bundle: &Bundle, earlier: &Bundle) -> io::Result<()> {
    let held = Held::read(earlier)?;
    bundle.set_codes(carry_over(&bundle.file, earlier, &held)?);
    Ok(())
}
