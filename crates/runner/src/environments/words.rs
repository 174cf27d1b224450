//! What people are told of a build: uv's own words, without the machine's paths and passwords.

use std::path::Path;

/// Most bytes of an error.
const LONGEST: usize = 8 * 1024;
/// Most bytes of a word about progress.
const PROGRESS: usize = 200;

/// Takes out of texts what is nobody's business.
pub(super) struct Words {
    /// What stands for what, longest first.
    hidden: Vec<(String, &'static str)>,
}

impl Words {
    /// `directories` are the machine's; of `indexes` what is before an `@` is a password.
    pub(super) fn new<'a>(
        directories: impl IntoIterator<Item = &'a Path>,
        index: Option<&str>,
    ) -> Self {
        let paths = directories.into_iter().map(|path| (path.display().to_string(), "…"));
        let mut hidden: Vec<_> = paths.filter(|(path, _)| path.len() > 1).collect();
        if let Some(index) = index {
            let host = index.split_once("://").map_or(index, |(_, rest)| rest);
            let host = host.split('/').next().unwrap_or_default();
            let bare = host.rsplit('@').next().unwrap_or_default();
            hidden.extend(
                [index, host, bare]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .map(|text| (text.to_owned(), "the index")),
            );
        }
        hidden.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { hidden }
    }

    /// An error as people read it.
    pub(super) fn error(&self, text: &str) -> String {
        let text = self.hide(text);
        let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        // What it did before it failed is no part of why.
        let first = lines.iter().position(|line| line.trim_start().starts_with("error:"));
        let text = lines.split_off(first.unwrap_or(0)).join("\n");
        let text = text.trim();
        let text = text.strip_prefix("error:").unwrap_or(text).trim();
        cut(text, LONGEST)
    }

    /// A line about progress; `None` for one that says nothing.
    pub(super) fn progress(&self, line: &str) -> Option<String> {
        const TOLD: [&str; 6] =
            ["Resolved", "Downloading", "Downloaded", "Building", "Prepared", "Installed"];
        let line = line.trim();
        let told = TOLD.iter().any(|word| line.starts_with(word));
        told.then(|| cut(&self.hide(line), PROGRESS))
    }

    fn hide(&self, text: &str) -> String {
        let mut text = text.replace('\0', "");
        for (hidden, stands) in &self.hidden {
            text = text.replace(hidden, stands);
        }
        without_places(&text)
    }
}

/// Cuts at a letter.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} …", &text[..end])
}

/// Absolute paths and passwords that nobody knew beforehand.
fn without_places(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let indent = line.len() - line.trim_start().len();
        out.push_str(&line[..indent]);
        let words: Vec<_> = line[indent..].split(' ').map(word).collect();
        out.push_str(&words.join(" "));
    }
    out
}

fn word(word: &str) -> std::borrow::Cow<'_, str> {
    let start = word.trim_start_matches(['`', '\'', '"', '(']);
    if start.starts_with('/') && start.len() > 1 {
        let (before, end) = (
            &word[..word.len() - start.len()],
            word.trim_end_matches(['`', '\'', '"', ')', '.', ',', ':']),
        );
        return format!("{before}…{}", &word[end.len()..]).into();
    }
    match word.split_once("://") {
        Some((scheme, rest)) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
            let rest = rest.split_once('@').map_or("", |(_, rest)| rest);
            format!("{scheme}://{rest}").into()
        }
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::Words;
    use std::path::Path;

    #[test]
    fn an_error_begins_with_why_and_has_neither_paths_nor_passwords() {
        let index = "https://somebody:s3cret@index.internal:8443/simple";
        let words = Words::new([Path::new("/srv/data")], Some(index));
        let text = "Using CPython 3.11 interpreter at: /usr/bin/python3\n\
             Resolved 2 packages in 3ms\nerror: Failed to fetch: `https://index.internal:8443/simple/x/`\n  \
             cause: Could not open (`/srv/data/environments/x`) from /root/.cache/uv/y.\n";
        assert_eq!(
            words.error(text),
            "Failed to fetch: `https://the index/simple/x/`\n  cause: Could not open (`…/environments/x`) from …."
        );
        assert!(!words.error(&format!("error: {index}")).contains("s3cret"));
        let other = "error: no route to https://a:s3cret@b.internal/simple";
        assert_eq!(words.error(other), "no route to https://b.internal/simple");
        assert_eq!(words.error("killed"), "killed");
        assert!(words.error(&"x".repeat(100_000)).len() < 9_000);
    }

    #[test]
    fn progress_is_what_moves_on() {
        let words = Words::new([], None);
        assert_eq!(
            words.progress(" Downloading numpy (16.1MiB)").as_deref(),
            Some("Downloading numpy (16.1MiB)")
        );
        assert_eq!(words.progress("Using CPython"), None);
    }
}
