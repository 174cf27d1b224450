//! Which packages the runs of an environment import, so that its next zygote has them already.

use super::lock;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Runs that have to import a package before zygotes do.
const OFTEN: u64 = 3;
/// Most packages imported ahead.
const MOST: usize = 32;
/// Most names that are counted, so that a hostile run cannot fill memory.
const COUNTED: usize = 512;
/// Longest name.
const LONGEST: usize = 200;

/// What was learned, by environment. Kept in a file each, for the next start.
pub(crate) struct Learning {
    directory: PathBuf,
    learned: Mutex<HashMap<String, Learned>>,
}

#[derive(Default)]
struct Learned {
    counts: HashMap<String, u64>,
    /// In the order in which they were learned.
    chosen: Vec<String>,
}

impl Learning {
    pub(super) fn new(root: &Path) -> Self {
        Self { directory: root.join(".learned"), learned: Mutex::default() }
    }

    /// What zygotes of this environment import ahead.
    pub(crate) fn chosen(&self, id: &str) -> Vec<String> {
        let mut learned = lock(&self.learned);
        self.of(&mut learned, id).chosen.clone()
    }

    /// Counts what a run has imported; whether zygotes should import more than before.
    pub(crate) fn learn(&self, id: &str, packages: &[String]) -> bool {
        let mut learned = lock(&self.learned);
        let entry = self.of(&mut learned, id);
        let before = entry.chosen.len();
        let names: HashSet<_> = packages.iter().filter(|name| is_name(name)).collect();
        for name in names {
            if entry.counts.len() >= COUNTED && !entry.counts.contains_key(name) {
                continue;
            }
            let count = entry.counts.entry(name.clone()).or_default();
            *count += 1;
            let often = *count >= OFTEN && entry.chosen.len() < MOST;
            if often && !entry.chosen.contains(name) {
                entry.chosen.push(name.clone());
            }
        }
        let more = entry.chosen.len() > before;
        if more {
            self.keep(id, &entry.chosen);
        }
        more
    }

    /// Forgets an environment that is gone.
    pub(super) fn forget(&self, id: &str) {
        lock(&self.learned).remove(id);
        // There is a file only where something was learned.
        let _never_learned = std::fs::remove_file(self.directory.join(id));
    }

    fn of<'a>(&self, learned: &'a mut HashMap<String, Learned>, id: &str) -> &'a mut Learned {
        learned.entry(id.to_owned()).or_insert_with(|| {
            let text = std::fs::read_to_string(self.directory.join(id)).unwrap_or_default();
            let chosen = text.lines().filter(|name| is_name(name)).take(MOST);
            Learned { counts: HashMap::new(), chosen: chosen.map(str::to_owned).collect() }
        })
    }

    fn keep(&self, id: &str, chosen: &[String]) {
        let write = || {
            std::fs::create_dir_all(&self.directory)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            std::io::Write::write_all(&mut file, (chosen.join("\n") + "\n").as_bytes())?;
            file.persist(self.directory.join(id)).map_err(|error| error.error)
        };
        if let Err(error) = write() {
            // It is learned again.
            tracing::warn!(%error, "what was learned about an environment is not kept");
        }
    }
}

/// Dotted identifiers: it comes from a run and goes into a command line.
fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    name.len() <= LONGEST && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::Learning;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_three_runs_import_is_learned_and_outlives_the_process() {
        let root = tempfile::tempdir().unwrap();
        let learning = Learning::new(root.path());
        assert!(!learning.learn("e", &names(&["httpx", "idna"])));
        assert!(!learning.learn("e", &names(&["httpx", "httpx", "httpx"])), "counted once a run");
        assert!(learning.learn("e", &names(&["httpx"])));
        assert!(!learning.learn("e", &names(&["httpx"])), "it is known");
        assert_eq!(learning.chosen("e"), ["httpx"]);
        assert_eq!(learning.chosen("f"), Vec::<String>::new());
        assert_eq!(Learning::new(root.path()).chosen("e"), ["httpx"]);
    }

    #[test]
    fn a_run_cannot_say_what_is_no_name_nor_fill_memory() {
        let root = tempfile::tempdir().unwrap();
        let learning = Learning::new(root.path());
        for _ in 0..5 {
            learning.learn("e", &names(&["--packages", "a b", "../x", "", "a..b", "x\n"]));
            let many: Vec<_> = (0..2_000).map(|number| format!("m{number}")).collect();
            learning.learn("e", &many);
        }
        assert!(learning.chosen("e").len() <= super::MOST);
        assert!(learning.chosen("e").iter().all(|name| name.starts_with('m')));
    }
}
