//! Which words of a line changed.

use super::Part;
use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};
use std::time::Instant;

/// Bytes of a line whose words are looked at.
const MAX_LINE: usize = 2_000;
/// The share of a pair of lines, in percent, that has to be the same: below it they are two
/// different lines, and marks would only confuse.
const ALIKE: usize = 30;

/// The parts of two lines that stand in each other's place.
pub(super) fn parts(from: &str, to: &str, deadline: Option<Instant>) -> (Vec<Part>, Vec<Part>) {
    if from.len().max(to.len()) > MAX_LINE {
        return (vec![whole(from)], vec![whole(to)]);
    }
    let (old, new) = (words(from), words(to));
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
    let (mut left, mut right, mut same) = (Vec::new(), Vec::new(), 0);
    for op in ops {
        let (tag, old_range, new_range) = op.as_tag_tuple();
        let changed = tag != DiffTag::Equal;
        let (old, new) = (old[old_range].concat(), new[new_range].concat());
        if !changed {
            same += old.trim().len();
        }
        push(&mut left, old, changed);
        push(&mut right, new, changed);
    }
    if same * 200 < (from.trim().len() + to.trim().len()) * ALIKE {
        return (vec![whole(from)], vec![whole(to)]);
    }
    (left, right)
}

/// A line that nothing of the other text stands beside.
pub(super) fn whole(line: &str) -> Part {
    Part { text: line.to_owned(), changed: true }
}

fn push(parts: &mut Vec<Part>, text: String, changed: bool) {
    if !text.is_empty() {
        parts.push(Part { text, changed });
    }
}

/// Names and numbers, spaces, and every other character by itself.
fn words(line: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Space,
        Other,
    }
    let kind = |letter: char| match letter {
        letter if letter.is_alphanumeric() || letter == '_' => Kind::Word,
        letter if letter.is_whitespace() => Kind::Space,
        _ => Kind::Other,
    };
    let mut words = Vec::new();
    let (mut start, mut before) = (0, Kind::Other);
    for (at, letter) in line.char_indices() {
        let now = kind(letter);
        if at > start && (now != before || now == Kind::Other) {
            words.push(&line[start..at]);
            start = at;
        }
        before = now;
    }
    if start < line.len() {
        words.push(&line[start..]);
    }
    words
}
