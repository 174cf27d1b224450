//! Words that several requests share, and when they are good.

/// A name for people: 1 to 200 characters without control characters.
pub fn is_display_name(name: &str) -> bool {
    (1..=200).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control)
}

/// An address to sign in with, in the form it is kept and compared in.
pub fn normal_email(email: &str) -> Option<String> {
    let (local, host) = email.rsplit_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let good = !local.is_empty() && !host.is_empty() && email.chars().all(plain);
    (good && email.len() <= 254).then(|| email.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::normal_email;

    #[test]
    fn addresses_are_lower_case_and_have_two_halves() {
        assert_eq!(normal_email("A@Acme.Test").as_deref(), Some("a@acme.test"));
        for bad in ["", "a", "@b", "a@", "a b@c", "a\n@b"] {
            assert_eq!(normal_email(bad), None, "{bad}");
        }
    }
}
