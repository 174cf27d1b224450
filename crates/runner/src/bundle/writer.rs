//! Writes a bundle.

use super::{
    BundleFile, ENTRY_SIZE, EntryKind, HEADER_SIZE, MAGIC,
    names::{Directories, Named, Target, directories, named},
};
use std::collections::HashMap;

/// The bundle of `files`. `slug` is the scope's name in origins: `acme`, or `global`.
pub(crate) fn write(slug: &str, generation: u64, files: &[BundleFile]) -> Vec<u8> {
    let directories = directories(files);
    let named = named(files, &directories);
    let mut body = Body::new(slug, files, &directories);
    let entries: Vec<u8> = named.iter().flat_map(|named| body.entry(named)).collect();
    let slots = slot_table(&named);
    let slots_at = HEADER_SIZE;
    let entries_at = slots_at + slots.len() * 4;
    let strings_at = entries_at + entries.len();
    let data_at = strings_at + body.strings.len();
    let size = data_at + body.data.len();

    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(MAGIC);
    bytes.extend(u32_of(slots.len()));
    bytes.extend(u32_of(named.len()));
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
fn slot_table(entries: &[Named<'_>]) -> Vec<u32> {
    let size = (entries.len() * 2).next_power_of_two().max(8);
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
struct Body<'a> {
    slug: &'a str,
    files: &'a [BundleFile],
    directories: &'a Directories<'a>,
    strings: Vec<u8>,
    data: Vec<u8>,
    places: HashMap<Target<'a>, [usize; 2]>,
}

impl<'a> Body<'a> {
    fn new(slug: &'a str, files: &'a [BundleFile], directories: &'a Directories<'a>) -> Self {
        let data = Vec::with_capacity(files.iter().map(|file| file.content.len() + 16).sum());
        let (strings, places) = (Vec::with_capacity(files.len() * 128), HashMap::new());
        Self { slug, files, directories, strings, data, places }
    }

    fn entry(&mut self, named: &Named<'a>) -> [u8; ENTRY_SIZE] {
        let key = self.string(&named.key);
        let data = self.place(named.target);
        let file = match named.target {
            Target::File(number) => &self.files[number],
            Target::Directory(path) => {
                let origin = format!("bifrost://{}/{path}", self.slug);
                let texts = [key, self.string(path), self.string(&origin)];
                return entry_bytes(named.kind, false, 0, &[0; 32], texts, data);
            }
        };
        let origin = if file.pinned {
            format!("bifrost://global@{}/{}", file.version, file.path)
        } else {
            format!("bifrost://{}/{}", self.slug, file.path)
        };
        let texts = [key, self.string(&file.path), self.string(&origin)];
        entry_bytes(named.kind, file.pinned, file.version, &file.hash, texts, data)
    }

    fn string(&mut self, text: &str) -> [[u8; 4]; 2] {
        let place = [u32_of(self.strings.len()), u32_of(text.len())];
        self.strings.extend_from_slice(text.as_bytes());
        place
    }

    /// Where the target's data is; it is put down when first asked for.
    fn place(&mut self, target: Target<'a>) -> [usize; 2] {
        if let Some(place) = self.places.get(&target) {
            return *place;
        }
        let start = self.data.len();
        match target {
            Target::File(number) => self.data.extend_from_slice(&self.files[number].content),
            Target::Directory(path) => {
                let names = self.directories.get(path).into_iter().flatten();
                let lines: Vec<&str> = names.map(String::as_str).collect();
                self.data.extend_from_slice(lines.join("\n").as_bytes());
            }
        }
        let place = [start, self.data.len() - start];
        self.places.insert(target, place);
        place
    }
}

fn entry_bytes(
    kind: EntryKind,
    pinned: bool,
    version: u32,
    hash: &[u8; 32],
    [key, path, origin]: [[[u8; 4]; 2]; 3],
    data: [usize; 2],
) -> [u8; ENTRY_SIZE] {
    let mut entry = [0; ENTRY_SIZE];
    entry[..8].copy_from_slice(key.as_flattened());
    entry[8] = kind as u8;
    entry[9] = u8::from(pinned);
    entry[12..16].copy_from_slice(&version.to_le_bytes());
    entry[16..48].copy_from_slice(hash);
    entry[48..56].copy_from_slice(path.as_flattened());
    entry[56..64].copy_from_slice(origin.as_flattened());
    entry[64..72].copy_from_slice(&(data[0] as u64).to_le_bytes());
    entry[72..80].copy_from_slice(&(data[1] as u64).to_le_bytes());
    entry
}
