//! The codes file: code objects beside a bundle, by entry number. Marshalled by the interpreter
//! that loads them; nothing here looks into them.

use crate::memfile::MemFile;
use std::{
    collections::{HashMap, HashSet},
    io,
};

const MAGIC: &[u8; 8] = b"BFCODES1";
const HEADER_SIZE: usize = 16;
const RECORD_SIZE: usize = 16;
/// The length by which a compilation says that a source does not compile.
const REFUSED: u32 = u32::MAX;

/// Code objects by entry number.
pub(crate) type Codes = HashMap<u32, Vec<u8>>;

/// A codes file with nothing in it, for a bundle of `count` entries.
pub(crate) fn blank(count: usize) -> io::Result<MemFile> {
    let size = HEADER_SIZE + RECORD_SIZE * count;
    MemFile::sealed_zeros("bifrost-codes", &header(count), size as u64)
}

/// A codes file of these code objects, for a bundle of `count` entries.
pub(crate) fn write(count: usize, codes: &Codes) -> Vec<u8> {
    let mut bytes = header(count);
    bytes.resize(HEADER_SIZE + RECORD_SIZE * count, 0);
    bytes.reserve(codes.values().map(Vec::len).sum());
    for number in 0..count {
        let Some(code) = u32::try_from(number).ok().and_then(|number| codes.get(&number)) else {
            continue;
        };
        let (offset, length) = (bytes.len() as u64, code.len() as u64);
        bytes.extend_from_slice(code);
        let at = HEADER_SIZE + RECORD_SIZE * number;
        bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}

/// The code objects in a codes file this process has made.
pub(crate) fn read(file: &MemFile, count: usize) -> io::Result<Codes> {
    let records = file.read(HEADER_SIZE as u64, RECORD_SIZE * count)?;
    let mut codes = Codes::new();
    for (number, record) in (0_u32..).zip(records.as_chunks::<RECORD_SIZE>().0) {
        let field = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| record[at + i]));
        let (offset, length) = (field(0), usize::try_from(field(8)).unwrap_or(usize::MAX));
        if length > 0 {
            codes.insert(number, file.read(offset, length)?);
        }
    }
    Ok(codes)
}

/// What a compilation has written: records of entry number, length and code object. Takes only
/// entries that were `asked` for; a cut last record is left out.
pub(crate) fn compiled(mut output: &[u8], asked: &HashSet<u32>) -> Codes {
    let mut codes = Codes::new();
    while let Some((head, rest)) = output.split_first_chunk::<8>() {
        let number = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if length == REFUSED {
            output = rest;
            continue;
        }
        let Some((code, rest)) = rest.split_at_checked(length as usize) else { break };
        if asked.contains(&number) {
            codes.insert(number, code.to_vec());
        }
        output = rest;
    }
    codes
}

fn header(count: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let codes = Codes::from([(1, b"one".to_vec()), (4, b"four".to_vec())]);
        let file = MemFile::sealed("codes", &write(6, &codes)).unwrap();
        assert_eq!(read(&file, 6).unwrap(), codes);
        assert!(read(&blank(6).unwrap(), 6).unwrap().is_empty());
    }

    #[test]
    fn a_compilation_is_believed_only_about_what_was_asked() {
        let mut output = Vec::new();
        for (number, code) in [(1_u32, Some("one")), (2, None), (9, Some("nine")), (3, Some("x"))] {
            output.extend(number.to_le_bytes());
            output.extend(code.map_or(REFUSED, |code| code.len() as u32).to_le_bytes());
            output.extend(code.unwrap_or_default().as_bytes());
        }
        output.pop();
        let codes = compiled(&output, &HashSet::from([1, 2, 3]));
        assert_eq!(codes, Codes::from([(1, b"one".to_vec())]));
    }
}
