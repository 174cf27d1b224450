//! Lines that are taken and lines that are refused.

use super::*;

fn faults(text: &str) -> Vec<(u32, &'static str)> {
    let found = Requirements::parse(text.as_bytes());
    found.faults.iter().map(|(line, fault)| (*line, fault.code())).collect()
}

#[test]
fn names_versions_extras_markers_hashes_and_comments_are_taken() {
    let hash = "a".repeat(64);
    let text = format!(
        "\u{feff}# what we need\n\nhttpx==0.28.1  # the client\nMarkupSafe\nrequests[socks,use-chardet] >=2, <3\n\
         tzdata (>=2024.1) ; sys_platform == 'win32' and python_version < \"3.12\"\n\
         idna==3.7 \\\n  --hash=sha256:{hash} \\\n  --hash=sha256:{hash}\nname.with-all_three~=1.0\r\n"
    );
    let found = Requirements::parse(text.as_bytes());
    assert_eq!(found.faults, []);
    let pinned = format!("idna==3.7 --hash=sha256:{hash} --hash=sha256:{hash}");
    assert_eq!(
        found.lines,
        [
            "httpx==0.28.1",
            "MarkupSafe",
            "requests[socks,use-chardet] >=2, <3",
            "tzdata (>=2024.1) ; sys_platform == 'win32' and python_version < \"3.12\"",
            &pinned,
            "name.with-all_three~=1.0",
        ]
    );
}

#[test]
fn whatever_reaches_beyond_the_operator_s_index_is_refused_with_its_line() {
    for line in [
        "-e .",
        "-r other.txt",
        "--index-url https://somebody:s3cret@example.com/simple",
        "--extra-index-url=https://example.com",
        "--find-links /etc",
        "-c constraints.txt",
        "--no-binary :all:",
    ] {
        let text = format!("idna\n{line}\n");
        assert_eq!(faults(&text), [(2, "refused-option")], "{line}");
        let found = Requirements::parse(text.as_bytes());
        assert!(!found.diagnostics()[0].message.contains("s3cret"));
    }
    for line in [
        "thing @ https://example.com/thing.whl",
        "thing@file:///etc/passwd",
        "https://example.com/thing.whl",
        "git+https://example.com/thing",
        "./thing",
        "/srv/thing.whl",
        "~/thing",
    ] {
        assert_eq!(faults(line), [(1, "refused-address")], "{line}");
    }
}

#[test]
fn what_is_no_requirement_is_told_with_the_line_it_begins_in() {
    for line in [
        "two words",
        "==1.0",
        "name==",
        "name[extra",
        "name[ex tra]",
        "name;",
        "name; os_name == 'a",
        "${HOME}",
        "name==${VERSION}",
        "-",
        "na/me",
        "name-",
        "name --hash=md5:1",
        "name --pre",
    ] {
        let text = format!("\n# first\nidna \\\n >= 3\n{line}\nidna");
        let found = faults(&text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5], "{line}");
    }
    assert_eq!(faults("idna \\\n --pre"), [(1, "bad-requirement")]);
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_told_as_a_whole() {
    assert_eq!(Requirements::parse(b"\xff").faults, [(0, Fault::NoText)]);
    let long = "idna\n".repeat(MOST + 1);
    assert_eq!(Requirements::parse(long.as_bytes()).faults, [(0, Fault::TooLarge)]);
    let large = "#".repeat(MOST_BYTES + 1);
    assert_eq!(Requirements::parse(large.as_bytes()).faults, [(0, Fault::TooLarge)]);
}

#[test]
fn only_the_file_at_the_root_says_which_packages_there_are() {
    let is = |path: &str| is_requirements(&FilePath::parse(path).unwrap());
    assert!(is("requirements.txt"));
    assert!(!is("shared/requirements.txt") && !is("requirements.py"));
}
