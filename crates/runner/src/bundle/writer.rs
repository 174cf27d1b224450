//! Writes a bundle.

use super::{
    BundleFile, ENTRY_SIZE, EntryKind, HEADER_SIZE, MAGIC,
    names::{Named, Names, Target},
};
use std::collections::HashMap;

/// The bundle of `files`, which are in the order of their paths.
///
/// `origin` is what stands in front of a path in tracebacks: `bifrost://acme/`.
pub(crate) fn write(origin: &str, generation: u64, files: &[BundleFile]) -> Vec<u8> {
    let names = Names::of(files);
    let mut body = Body::default();
    body.add_files(files);
    body.add_listings(&names);
    let entries: Vec<u8> =
        names.entries.iter().flat_map(|named| body.entry(named, origin, files)).collect();
    let slots = slot_table(&names.entries);
    let slots_at = HEADER_SIZE;
    let entries_at = slots_at + slots.len() * 4;
    let strings_at = entries_at + entries.len();
    let data_at = strings_at + body.strings.len();
    let size = data_at + body.data.len();

    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(MAGIC);
    bytes.extend(u32_of(slots.len()));
    bytes.extend(u32_of(names.entries.len()));
    for offset in [slots_at, entries_at, strings_at, data_at, size] {
        bytes.extend((offset as u64).to_le_bytes());
    }
    bytes.extend(generation.to_le_bytes());
    slots.iter().for_each(|slot| bytes.extend(slot.to_le_bytes()));
    bytes.extend(entries);
    bytes.extend(body.strings);
    bytes.extend(body.data);
    bytes
}

/// A length or an offset; scopes are far too small to reach 4 GiB of names or entries.
fn u32_of(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Open addressing with linear probing, at most half full.
fn slot_table(entries: &[Named]) -> Vec<u32> {
    let size = (entries.len() * 2).next_power_of_two();
    let mut slots = vec![0; size];
    for (number, named) in (1_u32..).zip(entries) {
        let mut at = crc32fast::hash(named.key.as_bytes()) as usize & (size - 1);
        while slots[at] != 0 {
            at = (at + 1) & (size - 1);
        }
        slots[at] = number;
    }
    slots
}

/// The two blocks that entries point into.
#[derive(Default)]
struct Body {
    strings: Vec<u8>,
    data: Vec<u8>,
    files: Vec<usize>,
    listings: HashMap<String, (usize, usize)>,
}

impl Body {
    fn add_files(&mut self, files: &[BundleFile]) {
        self.data.reserve(files.iter().map(|file| file.content.len()).sum());
        for file in files {
            self.files.push(self.data.len());
            self.data.extend_from_slice(&file.content);
        }
    }

    fn add_listings(&mut self, names: &Names) {
        for (path, lines) in &names.listings {
            self.listings.insert(path.clone(), (self.data.len(), lines.len()));
            self.data.extend_from_slice(lines.as_bytes());
        }
    }

    fn string(&mut self, text: &str) -> [[u8; 4]; 2] {
        let place = [u32_of(self.strings.len()), u32_of(text.len())];
        self.strings.extend_from_slice(text.as_bytes());
        place
    }

    fn entry(&mut self, named: &Named, origin: &str, files: &[BundleFile]) -> [u8; ENTRY_SIZE] {
        let (path, version, hash, (offset, length)) = match &named.target {
            Target::File(number) => {
                let file = &files[*number];
                let place = (self.files[*number], file.content.len());
                (file.path.as_str(), file.version, file.hash, place)
            }
            Target::Directory(path) => {
                (path.as_str(), 0, [0; 32], self.listings.get(path).copied().unwrap_or_default())
            }
        };
        let key = self.string(&named.key);
        let path_place = self.string(path);
        let origin = self.string(&format!("{origin}{path}"));
        entry_bytes(named.kind, version, hash, [key, path_place, origin], [offset, length])
    }
}

fn entry_bytes(
    kind: EntryKind,
    version: u32,
    hash: [u8; 32],
    [key, path, origin]: [[[u8; 4]; 2]; 3],
    data: [usize; 2],
) -> [u8; ENTRY_SIZE] {
    let mut entry = [0; ENTRY_SIZE];
    entry[..8].copy_from_slice(key.as_flattened());
    entry[8] = kind as u8;
    entry[12..16].copy_from_slice(&version.to_le_bytes());
    entry[16..48].copy_from_slice(&hash);
    entry[48..56].copy_from_slice(path.as_flattened());
    entry[56..64].copy_from_slice(origin.as_flattened());
    entry[64..72].copy_from_slice(&(data[0] as u64).to_le_bytes());
    entry[72..80].copy_from_slice(&(data[1] as u64).to_le_bytes());
    entry
}
