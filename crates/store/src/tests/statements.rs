//! Every statement of the store, read from its sources: the constants, and the places that run them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A constant with SQL in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// `file.rs NAME`
    pub place: String,
    /// Its text.
    pub sql: String,
}

/// A call that runs a statement: the file, and the name of the constant it gives.
pub type Call = (String, String);

/// Files of the engines: what they run themselves is about roles, locks and the schema.
const ENGINES: [&str; 5] = ["engine.rs", "sqlite.rs", "sqlite/", "postgres.rs", "postgres/"];

/// Every text of the engines that does not pass the guard.
pub fn beside_the_guard() -> Vec<Constant> {
    let sources = all_sources().into_iter();
    constants_of(sources.filter(|(name, _)| of_an_engine(name)).collect())
}

fn of_an_engine(name: &str) -> bool {
    ENGINES.iter().any(|engine| name.starts_with(engine))
}

fn sources() -> BTreeMap<String, String> {
    all_sources().into_iter().filter(|(name, _)| !of_an_engine(name)).collect()
}

fn all_sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut open, mut found) = (vec![root.clone()], BTreeMap::new());
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            // The guard runs nothing, the tests are not the product, and the schema is not data.
            let left_out = ["guard", "tests", "migrations"];
            if path.is_dir() && !left_out.contains(&name.as_str()) {
                open.push(path);
            } else if name.ends_with(".rs") && name != "migrations.rs" {
                let text = fs::read_to_string(&path).unwrap();
                // Tests at the end of a file are not the product either.
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                found.insert(name, text.to_owned());
            }
        }
    }
    found
}

/// Every text of SQL, by the name of its constant or field; those of a list are called `sql`.
pub fn constants() -> Vec<Constant> {
    constants_of(sources())
}

fn constants_of(sources: BTreeMap<String, String>) -> Vec<Constant> {
    let mut found = Vec::new();
    for (file, text) in sources {
        for verb in ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"] {
            for (at, _) in text.match_indices(&format!("\"{verb} ")) {
                let before = text[..at].trim_end();
                let before = before.strip_suffix("&str =").unwrap_or(before).trim_end();
                let before = before.strip_suffix(':');
                let name = before.and_then(|it| it.rsplit(|c: char| !is_word(c)).next());
                let name = name.filter(|name| !name.is_empty()).unwrap_or("sql");
                let sql = unescaped(&text[at + 1..]);
                found.push(Constant { place: format!("{file} {name}"), sql });
            }
        }
    }
    found.sort_by(|a, b| (&a.place, &a.sql).cmp(&(&b.place, &b.sql)));
    found
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Every `CREATE TABLE` of the migrations.
pub fn tables() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrations");
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let literals = text.match_indices("\"CREATE TABLE ");
        found.extend(literals.map(|(at, _)| unescaped(&text[at + 1..])));
    }
    found
}

/// A string literal's value, up to its closing quote.
fn unescaped(literal: &str) -> String {
    let mut out = String::new();
    let mut letters = literal.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return out,
            '\\' => match letters.next() {
                Some('\n') => while letters.next_if(|it| it.is_whitespace()).is_some() {},
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => break,
            },
            letter => out.push(letter),
        }
    }
    panic!("a literal that does not end: {literal:.60}")
}

const METHODS: [&str; 9] = [
    ".run",
    ".run_list",
    ".run_with_next",
    ".run_each",
    ".one",
    ".one_of_each",
    ".all",
    ".all_list",
    ".commit_early_with",
];

/// Every call of the methods that are given a statement.
pub fn calls() -> Vec<Call> {
    let mut found = Vec::new();
    for (file, text) in sources() {
        for method in METHODS {
            for (at, _) in text.match_indices(method) {
                let rest = &text[at + method.len()..];
                if let Some(argument) = first_argument(rest) {
                    found.push((file.clone(), argument));
                }
            }
        }
    }
    found.retain(|(file, argument)| {
        let iterator = argument.starts_with('|') || argument.starts_with("Option::");
        !iterator && file != "gate.rs"
    });
    found
}

fn first_argument(rest: &str) -> Option<String> {
    let rest = match rest.strip_prefix("::<") {
        None => rest,
        Some(types) => {
            let mut depth = 1;
            let end = types.char_indices().find(|(_, letter)| {
                depth += match letter {
                    '<' => 1,
                    '>' => -1,
                    _ => 0,
                };
                depth == 0
            });
            &types[end?.0 + 1..]
        }
    };
    let argument = rest.strip_prefix('(')?.trim_start();
    let end = argument.find([',', ')'])?;
    Some(argument[..end].trim().to_owned())
}

/// Public methods of `Scoped` that are given a scope.
pub fn methods_given_a_scope() -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources() {
        for (at, _) in text.match_indices("impl Scoped {") {
            let body = text[at..].split("\n}\n").next().unwrap_or_default();
            for method in body.split("pub async fn ").skip(1) {
                let signature = method.split('{').next().unwrap_or_default();
                let arguments = signature.split("->").next().unwrap_or_default();
                let words: Vec<_> = arguments.split(|c: char| !is_word(c)).collect();
                if words.contains(&"Scope") {
                    found.push(format!("{file} {}", words[0]));
                }
            }
        }
    }
    found
}
