//! A unified diff is applied by a naive reader, and nothing takes long.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn text_diff(from: &str, to: &str) -> Diff {
    match compare(from.as_bytes(), to.as_bytes(), None) {
        Comparison::Text(diff) => diff,
        other => panic!("{other:?}"),
    }
}

/// `to`, made from `from` and the hunks.
fn applied(from: &str, diff: &Diff) -> String {
    let old: Vec<&str> = from.split_inclusive('\n').collect();
    let (mut text, mut at, mut made) = (String::new(), 0, 0);
    for hunk in &diff.hunks {
        let first = match hunk.from.count {
            0 => hunk.from.first,
            _ => hunk.from.first - 1,
        } as usize;
        text.extend(old[at..first].iter().copied());
        made += first - at;
        at = first;
        for line in &hunk.lines {
            let said: String = line.parts.iter().map(|part| part.text.as_str()).collect();
            let said = if line.ends { said + "\n" } else { said };
            if line.kind != LineKind::Added {
                assert_eq!((old[at], line.from), (said.as_str(), Some(number(at + 1))));
                at += 1;
            }
            if line.kind != LineKind::Removed {
                text.push_str(&said);
                made += 1;
                assert_eq!(line.to, Some(number(made)));
            }
        }
    }
    text.extend(old[at..].iter().copied());
    text
}

fn lines() -> impl Strategy<Value = String> {
    let line =
        proptest::sample::select(vec!["a\n", "b\n", "x = 1\n", "x = 2\n", "\n", "ü", "\r\n"]);
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn hunks_lead_from_one_text_to_the_other(from in lines(), to in lines()) {
        match compare(from.as_bytes(), to.as_bytes(), None) {
            Comparison::Same => prop_assert_eq!(from, to),
            Comparison::Text(diff) => {
                prop_assert_eq!(applied(&from, &diff), to.clone());
                let lines = |text: &str| text.split_inclusive('\n').count() as i64;
                let grown = i64::from(diff.added) - i64::from(diff.removed);
                prop_assert_eq!(grown, lines(&to) - lines(&from));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn a_unified_diff_is_what_diff_writes() {
    let from = "import os\n\ndef summary(ticket):\n    return ticket['id']\n";
    let to = "import os\n\ndef summary(ticket):\n    return ticket['number']\n\nEND = 1";
    let unified = text_diff(from, to).unified("global@1", "own@2");
    let expected = "--- global@1\n+++ own@2\n@@ -1,4 +1,6 @@\n import os\n \n \
        def summary(ticket):\n-    return ticket['id']\n+    return ticket['number']\n+\n+END = 1\n\
        \\ No newline at end of file\n";
    assert_eq!(unified, expected);
    let new = text_diff("", "x\n").unified("a", "b");
    assert_eq!(new, "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
}

#[test]
fn the_words_that_changed_are_marked() {
    let diff = text_diff("    return ticket['id']\n", "    return ticket['number']\n");
    let marked = |line: &Line| {
        let marks = line.parts.iter().filter(|part| part.changed);
        marks.map(|part| part.text.clone()).collect::<Vec<_>>()
    };
    let lines = &diff.hunks[0].lines;
    assert_eq!((marked(&lines[0]), marked(&lines[1])), (vec!["id".into()], vec!["number".into()]));
    let other = text_diff("import os\n", "def f(): pass\n");
    assert_eq!(other.hunks[0].lines[0].parts.len(), 1, "two lines that have nothing in common");
}

#[test]
fn what_is_no_text_or_too_large_is_only_different() {
    assert_eq!(compare(b"a\0b", b"a", None), Comparison::Binary);
    assert_eq!(compare(b"\xff", b"a", None), Comparison::Binary);
    assert_eq!(compare(b"\xff", b"\xff", None), Comparison::Same);
    let large = vec![b'x'; MAX_BYTES + 1];
    assert_eq!(compare(&large, b"x", None), Comparison::TooLarge);
}

#[test]
fn changes_all_over_a_long_text_are_found_one_by_one() {
    let lines = |salt: u32| {
        let line = |n: u32| {
            if n.is_multiple_of(7) { format!("x{n} = {salt}\n") } else { format!("y{n}\n") }
        };
        (0..5_000).map(line).collect::<String>()
    };
    let diff = text_diff(&lines(1), &lines(2));
    assert_eq!((diff.added, diff.removed), (715, 715));
}

/// A deadline that has passed leaves a diff that is right, if not the shortest.
#[test]
fn after_the_deadline_the_rest_is_told_at_once() {
    let lines = |seed: u64| {
        let line = |n: u64| format!("{}\n", (n * seed) % 97);
        (0..100_000).map(line).collect::<String>()
    };
    let (from, to) = (lines(31), lines(57));
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(200);
    let Comparison::Text(diff) = compare(from.as_bytes(), to.as_bytes(), Some(deadline)) else {
        panic!("two texts");
    };
    assert_eq!(applied(&from, &diff), to);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
