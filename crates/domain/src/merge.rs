//! A three-way merge of an override: what its organization changed and what Global changed since,
//! put together as a proposal.

use crate::diff::{MAX_BYTES, text};
use similar::{Algorithm, ConflictStyle, TextMergeConfig};

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The whole text; where both changed the same lines, with marks around both.
    pub content: String,
    /// How many such places there are.
    pub conflicts: u32,
}

/// Puts together what `own` and `global` made of `base`. `None` where one is no text or too large.
///
/// The marks are those of `git merge` in the style `diff3`.
pub fn merge(base: &[u8], own: &[u8], global: &[u8], labels: [&str; 3]) -> Option<Merged> {
    if [base, own, global].iter().any(|content| content.len() > MAX_BYTES) {
        return None;
    }
    let (base, own, global) = (text(base)?, text(own)?, text(global)?);
    let mut config = TextMergeConfig::new();
    config.algorithm(Algorithm::Histogram);
    let mut merge = config.merge_lines(base, own, global);
    let [base_label, own_label, global_label] = labels;
    merge.conflict_style(ConflictStyle::Diff3).labels(base_label, own_label, global_label);
    let conflicts = u32::try_from(merge.conflict_count()).unwrap_or(u32::MAX);
    Some(Merged { content: merge.to_string(), conflicts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LABELS: [&str; 3] = ["base", "own", "global"];

    fn merged(base: &str, own: &str, global: &str) -> Merged {
        merge(base.as_bytes(), own.as_bytes(), global.as_bytes(), LABELS).unwrap()
    }

    #[test]
    fn changes_in_different_places_come_together() {
        let base = "one\ntwo\nthree\nfour\nfive\n";
        let own = base.replace("one", "ONE");
        let global = base.replace("five", "FIVE");
        let expected = Merged { content: "ONE\ntwo\nthree\nfour\nFIVE\n".into(), conflicts: 0 };
        assert_eq!(merged(base, &own, &global), expected);
    }

    #[test]
    fn changes_in_one_place_are_shown_beside_each_other() {
        let got = merged("a\nx = 1\nb\n", "a\nx = 2\nb\n", "a\nx = 3\nb\n");
        let expected = "a\n<<<<<<< own\nx = 2\n||||||| base\nx = 1\n=======\nx = 3\n\
            >>>>>>> global\nb\n";
        assert_eq!(got, Merged { content: expected.into(), conflicts: 1 });
    }

    #[test]
    fn what_is_no_text_is_not_merged() {
        assert_eq!(merge(b"a", b"\xff", b"b", LABELS), None);
        assert_eq!(merge(b"a", &vec![b'x'; MAX_BYTES + 1], b"b", LABELS), None);
    }

    fn lines() -> impl Strategy<Value = String> {
        let line = proptest::sample::select(vec!["a\n", "b\n", "c\n", "\n"]);
        proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn who_changed_nothing_takes_what_the_other_has(base in lines(), other in lines()) {
            let theirs = Merged { content: other.clone(), conflicts: 0 };
            prop_assert_eq!(merged(&base, &base, &other), theirs.clone());
            prop_assert_eq!(merged(&base, &other, &base), theirs.clone());
            prop_assert_eq!(merged(&base, &other, &other), theirs);
        }
    }
}
