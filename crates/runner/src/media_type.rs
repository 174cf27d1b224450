//! Content types, as far as they are believed: two words of plain letters.

/// Most bytes of one.
const LONGEST: usize = 100;

/// Whether the text is `type/subtype` without parameters.
pub(crate) fn is(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.len() <= LONGEST
        && text.split_once('/').is_some_and(|(kind, subtype)| word(kind) && word(subtype))
}

#[cfg(test)]
mod tests {
    use super::is;

    #[test]
    fn only_two_plain_words_are_a_content_type() {
        for good in ["text/csv", "application/vnd.bifrost.table+json", "image/svg+xml"] {
            assert!(is(good), "{good}");
        }
        let long = format!("text/{}", "x".repeat(100));
        for bad in ["", "text", "/csv", "text/", "a/b/c", "text/html; a=b", "a/b\r\nx: y", &long] {
            assert!(!is(bad), "{bad}");
        }
    }
}
