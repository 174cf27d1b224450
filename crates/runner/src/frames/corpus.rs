//! The corpus of `fuzz/` through the entry of the fuzzing: as it is, and changed at random.

use super::heard::{self, Heard};
use super::{BadFrame, check};
use std::{collections::BTreeMap, path::Path};

/// Changed forms of each file.
const CHANGED: u64 = 300;

fn corpus() -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/frames");
    let files = directory.read_dir().unwrap().map(Result::unwrap);
    let read = |file: std::fs::DirEntry| {
        (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())
    };
    files.map(read).collect()
}

/// A small generator, so that a failure comes back: the seed is in its message.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % below.max(1)
    }

    /// `bytes` after one to four changes; `other` is where foreign pieces come from.
    fn change(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.roll(4) {
            let (at, length) = (self.roll(bytes.len()), self.roll(16));
            let end = (at + length).min(bytes.len());
            match self.roll(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.roll(8),
                1 if !bytes.is_empty() => bytes[at] = b"{}[]\",:\\\x00\xff19-"[self.roll(13)],
                2 => drop(bytes.drain(at..end)),
                3 => bytes.extend_from_within(at..end),
                4 => {
                    let from = self.roll(other.len());
                    bytes.splice(at..end, other[from..].iter().copied());
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    }
}

#[test]
fn the_corpus_is_heard_whole_and_in_pieces() {
    let corpus = corpus();
    assert!(corpus.len() >= 20, "the corpus is there: {} files", corpus.len());
    corpus.values().for_each(|bytes| check(bytes));
}

#[test]
fn changed_forms_of_the_corpus_are_heard_whole_and_in_pieces() {
    let corpus = corpus();
    let files: Vec<_> = corpus.values().collect();
    let full = std::env::var_os("BIFROST_FULL").is_some();
    for seed in 0..if full { 100 * CHANGED } else { CHANGED } {
        for (name, bytes) in &corpus {
            let mut dice = Dice(seed);
            let other = files[dice.roll(files.len())];
            let changed = dice.change(bytes, other);
            let heard = std::panic::catch_unwind(|| check(&changed));
            assert!(heard.is_ok(), "{name} with seed {seed}: {}", hex::encode(&changed));
        }
    }
}

/// What the files are named for is what they are heard as.
#[test]
fn the_corpus_has_every_way_to_end() {
    let corpus = corpus();
    let heard = |name: &str| heard::hear(&corpus[name], 3);
    assert_eq!(heard("joined"), Heard::Value(r#"{"a": [1, 2]}"#.to_owned()));
    assert_eq!(heard("error"), Heard::Failure);
    assert_eq!(heard("half"), Heard::Silence(1));
    assert_eq!(heard("giant"), Heard::Broken(BadFrame::TooLarge));
    assert_eq!(heard("nested"), Heard::Broken(BadFrame::TooDeep));
    assert_eq!(heard("part_alone"), Heard::Broken(BadFrame::PartOutOfPlace));
    assert!(matches!(heard("text"), Heard::Broken(BadFrame::Malformed(_))));
}
