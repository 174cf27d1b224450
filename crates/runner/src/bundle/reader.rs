//! Reads back what a bundle says about its entries: for building the next one, for compiling.

use super::{ENTRY_SIZE, EntryKind, HEADER_SIZE, MAGIC};
use crate::memfile::MemFile;
use std::io;

/// The entries of a bundle, without the contents.
pub(crate) struct Table {
    entries: Vec<u8>,
    strings: Vec<u8>,
    data_at: u64,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub number: u32,
    /// With its `m:`, `f:` or `d:`.
    pub key: &'a str,
    pub kind: EntryKind,
    pub hash: [u8; 32],
    pub path: &'a str,
    pub origin: &'a str,
    /// Where the content is in the bundle, and how long.
    pub data: (u64, usize),
}

impl Table {
    /// Reads the table out of a bundle this process has made.
    pub(crate) fn read(bundle: &MemFile) -> io::Result<Self> {
        let header = bundle.read(0, HEADER_SIZE)?;
        if !header.starts_with(MAGIC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a bundle"));
        }
        let offset = |at: usize| u64_at(&header, at);
        let (entries_at, strings_at, data_at) = (offset(24), offset(32), offset(40));
        Ok(Self {
            entries: bundle.read(entries_at, size(strings_at - entries_at))?,
            strings: bundle.read(strings_at, size(data_at - strings_at))?,
            data_at,
        })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() / ENTRY_SIZE
    }

    /// All entries, in the order of their numbers.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let numbered = (0_u32..).zip(self.entries.as_chunks::<ENTRY_SIZE>().0);
        numbered.filter_map(|(number, bytes)| self.entry(number, bytes))
    }

    fn entry<'a>(&'a self, number: u32, bytes: &[u8; ENTRY_SIZE]) -> Option<Entry<'a>> {
        let mut hash = [0; 32];
        hash.copy_from_slice(&bytes[16..48]);
        Some(Entry {
            number,
            key: self.string(bytes, 0)?,
            kind: EntryKind::from_byte(bytes[8])?,
            hash,
            path: self.string(bytes, 48)?,
            origin: self.string(bytes, 56)?,
            data: (self.data_at + u64_at(bytes, 64), size(u64_at(bytes, 72))),
        })
    }

    fn string(&self, entry: &[u8; ENTRY_SIZE], at: usize) -> Option<&str> {
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| entry[at + i]));
        let (offset, length) = (number(at) as usize, number(at + 4) as usize);
        std::str::from_utf8(self.strings.get(offset..offset + length)?).ok()
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
