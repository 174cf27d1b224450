//! The bundle: everything one scope offers at one generation, in one block of bytes that
//! children look things up in without copying. `docs/runtime-protocol.md` has the layout.

pub(crate) mod codes;
mod names;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Table;
pub(crate) use writer::write;

/// First bytes of a bundle.
const MAGIC: &[u8; 8] = b"BFBUNDL1";
/// Bytes before the slot table.
const HEADER_SIZE: usize = 64;
/// Bytes of one entry.
const ENTRY_SIZE: usize = 96;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum EntryKind {
    /// `a/b.py`
    Module = 1,
    /// `a/b/__init__.py`
    Package = 2,
    /// Files under `a/b/` and neither of the above.
    Namespace = 3,
    /// Any file, by path.
    File = 4,
    /// Any directory, by path.
    Directory = 5,
}

impl EntryKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Module, Self::Package, Self::Namespace, Self::File, Self::Directory]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// Whether it has a code object.
    pub(crate) fn has_code(self) -> bool {
        matches!(self, Self::Module | Self::Package)
    }
}

/// A file that goes into a bundle.
#[derive(Clone, Debug)]
pub(crate) struct BundleFile {
    pub path: String,
    pub version: u32,
    pub hash: [u8; 32],
    pub content: Vec<u8>,
    /// Global content that an organization holds at this version.
    pub pinned: bool,
}
