//! The names of values. There is no way to a name but through a scope.

use domain::Scope;

/// The name of one value, of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// A file: `bifrost:module:{org_id|global}:{path}`.
    pub fn module(owner: Scope, path: &str) -> Self {
        Self(format!("bifrost:module:{}:{path}", word(owner)))
    }

    /// The files that a scope has: `bifrost:module:index:{org_id|global}`.
    pub fn index(owner: Scope) -> Self {
        Self(format!("bifrost:module:index:{}", word(owner)))
    }

    /// The generation of the index: `bifrost:module:generation:{org_id|global}`.
    pub fn generation(owner: Scope) -> Self {
        Self(format!("bifrost:module:generation:{}", word(owner)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A scope in keys and values.
pub(crate) fn word(owner: Scope) -> String {
    owner.organization().map_or_else(|| "global".to_owned(), |id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use uuid::Uuid;

    #[test]
    fn names_are_what_the_documentation_says() {
        let acme = Scope::from_column(Uuid::from_u128(7));
        let id = "00000000-0000-0000-0000-000000000007";
        let path = "shared/halopsa.py";
        for (key, text) in [
            (Key::module(acme, path), format!("bifrost:module:{id}:{path}")),
            (Key::module(Scope::Global, path), format!("bifrost:module:global:{path}")),
            (Key::index(acme), format!("bifrost:module:index:{id}")),
            (Key::generation(Scope::Global), "bifrost:module:generation:global".to_owned()),
        ] {
            assert_eq!(key.as_str(), text);
        }
    }

    #[test]
    fn no_path_of_a_scope_is_the_name_of_something_else() {
        let [one, two] = [1, 2].map(|id| Scope::from_column(Uuid::from_u128(id)));
        let scopes = [Scope::Global, one, two];
        let mut paths: Vec<String> = ["index", "generation", "a", "a:b"].map(Into::into).into();
        paths.extend(scopes.map(word));
        paths.extend(scopes.map(|scope| format!("global:{}", word(scope))));
        let mut names = HashSet::new();
        for scope in scopes {
            assert!(names.insert(Key::index(scope)) && names.insert(Key::generation(scope)));
            for path in &paths {
                assert!(names.insert(Key::module(scope, path)), "{path}");
            }
        }
    }
}
