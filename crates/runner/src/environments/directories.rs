//! Where environments are: one directory each, named by what is in it, there as a whole or not at
//! all, and never changed.

use rustix::fs::Mode;
use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

/// What is being built, and what is being removed.
const UNFINISHED: [&str; 2] = [".building-", ".gone-"];
/// Nothing is being built or removed for so long.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// All environments of a data directory, which several processes may share.
#[derive(Clone, Debug)]
pub(crate) struct Directories {
    root: PathBuf,
}

/// The right to build or remove one environment, among all processes.
pub(super) struct Hold {
    /// Unlocked when it is closed.
    _lock: File,
}

impl Directories {
    /// Makes the directory if it is not there.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let root = std::path::absolute(data)?.join("environments");
        for directory in [root.clone(), root.join(".locks"), root.join(".cache")] {
            fs::create_dir_all(&directory)?;
        }
        fs::set_permissions(&root, Permissions::from_mode(0o755))?;
        Ok(Self { root })
    }

    /// Where they all are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What uv downloaded before.
    pub(super) fn cache(&self) -> PathBuf {
        self.root.join(".cache")
    }

    /// Where the packages of an environment are.
    pub(super) fn packages(&self, id: &str) -> PathBuf {
        self.root.join(id).join("packages")
    }

    pub(super) fn is_there(&self, id: &str) -> bool {
        self.packages(id).is_dir()
    }

    /// Waits for everybody else who builds or removes this one. Call where waiting is no matter.
    pub(super) fn hold(&self, id: &str) -> io::Result<Hold> {
        // Never removed, so that two can't hold two files of one name: there are 256 of them.
        let file = self.root.join(".locks").join(&id[..id.len().min(2)]);
        let lock = File::options().create(true).append(true).open(file)?;
        lock.lock()?;
        Ok(Hold { _lock: lock })
    }

    /// An empty directory to build in. Leftovers of the same one go.
    pub(super) fn begin(&self, id: &str, _hold: &Hold) -> io::Result<TempDir> {
        let prefix = format!(".building-{id}-");
        for (name, path) in self.entries()? {
            if name.starts_with(&prefix) {
                remove(&path)?;
            }
        }
        tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.root)
    }

    /// Makes what was built the environment: for everybody to read and nobody to write.
    pub(super) fn finish(&self, id: &str, built: TempDir, _hold: &Hold) -> io::Result<()> {
        seal(built.path())?;
        // A name must not outlive a power cut that its contents did not.
        rustix::fs::syncfs(File::open(built.path())?)?;
        let made = built.keep();
        fs::rename(made, self.root.join(id))
    }

    /// Notes that it is used; whether it is there.
    pub(super) fn touch(&self, id: &str) -> bool {
        let touched = File::open(self.root.join(id));
        touched.and_then(|directory| directory.set_modified(SystemTime::now())).is_ok()
    }

    /// Environments that nobody has used for so long.
    pub(super) fn unused(&self, time: Duration) -> io::Result<Vec<String>> {
        let mut unused = Vec::new();
        for (name, path) in self.entries()? {
            let idle = idle(&path);
            if UNFINISHED.iter().any(|prefix| name.starts_with(prefix)) {
                if idle > ABANDONED {
                    remove(&path)?;
                }
            } else if !name.starts_with('.') && idle > time {
                unused.push(name);
            }
        }
        Ok(unused)
    }

    /// Removes one that is still unused.
    pub(super) fn remove(&self, id: &str, time: Duration) -> io::Result<bool> {
        let _hold = self.hold(id)?;
        let path = self.root.join(id);
        if idle(&path) <= time {
            return Ok(false);
        }
        let gone = self.root.join(format!(".gone-{id}"));
        // Nobody may find half of it.
        fs::rename(&path, &gone)?;
        remove(&gone)?;
        Ok(true)
    }

    fn entries(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let entries = fs::read_dir(&self.root)?.map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
        });
        entries.collect()
    }
}

/// How long nobody has used it.
fn idle(path: &Path) -> Duration {
    let modified = fs::symlink_metadata(path).and_then(|it| it.modified());
    modified.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
}

/// Takes away the right to write, from the inside out.
fn seal(path: &Path) -> io::Result<()> {
    each(path, &|path, is_directory| {
        let runs = fs::metadata(path)?.permissions().mode() & 0o100 != 0;
        let mode = if is_directory || runs { 0o555 } else { 0o444 };
        fs::set_permissions(path, Permissions::from_mode(mode))
    })
}

/// Removes it, sealed or not. Links are removed and never followed.
fn remove(path: &Path) -> io::Result<()> {
    let open = |path: &Path| {
        rustix::fs::chmod(path, Mode::RWXU)?;
        Ok(())
    };
    if fs::symlink_metadata(path)?.is_dir() {
        open(path)?;
        each(path, &|path, is_directory| if is_directory { open(path) } else { Ok(()) })?;
        return fs::remove_dir_all(path);
    }
    fs::remove_file(path)
}

/// Every directory and file below and with `path`, but no links; directories after what is in them,
/// which they let be read, sealed or not.
fn each(path: &Path, act: &impl Fn(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            each(&entry?.path(), act)?;
        }
    }
    if kind.is_symlink() { Ok(()) } else { act(path, kind.is_dir()) }
}

#[cfg(test)]
mod tests {
    use super::Directories;
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        time::{Duration, SystemTime},
    };

    fn built(directories: &Directories, id: &str) {
        let hold = directories.hold(id).unwrap();
        let made = directories.begin(id, &hold).unwrap();
        fs::create_dir_all(made.path().join("packages/thing")).unwrap();
        fs::write(made.path().join("packages/thing/__init__.py"), "").unwrap();
        directories.finish(id, made, &hold).unwrap();
    }

    #[test]
    fn a_finished_one_is_for_everybody_to_read_and_nobody_to_write() {
        let data = tempfile::tempdir().unwrap();
        let directories = Directories::open(data.path()).unwrap();
        assert!(!directories.is_there("ab"));
        built(&directories, "ab");
        assert!(directories.is_there("ab") && directories.touch("ab"));
        let mode = |path: &str| {
            fs::metadata(directories.packages("ab").join(path)).unwrap().permissions().mode()
                & 0o777
        };
        assert_eq!((mode(""), mode("thing"), mode("thing/__init__.py")), (0o555, 0o555, 0o444));
    }

    #[test]
    fn what_was_not_finished_is_not_there_and_goes_with_the_next_try() {
        let data = tempfile::tempdir().unwrap();
        let directories = Directories::open(data.path()).unwrap();
        let hold = directories.hold("ab").unwrap();
        let left = directories.begin("ab", &hold).unwrap().keep();
        drop(hold);
        assert!(!directories.is_there("ab"));
        built(&directories, "ab");
        assert!(!left.exists());
    }

    #[test]
    fn only_what_nobody_has_used_goes() {
        let data = tempfile::tempdir().unwrap();
        let directories = Directories::open(data.path()).unwrap();
        built(&directories, "ab");
        built(&directories, "cd");
        let day = Duration::from_secs(86_400);
        assert_eq!(directories.unused(day).unwrap(), Vec::<String>::new());
        let old = SystemTime::now() - 2 * day;
        fs::File::open(data.path().join("environments/ab")).unwrap().set_modified(old).unwrap();
        assert_eq!(directories.unused(day).unwrap(), ["ab"]);
        assert!(!directories.remove("cd", day).unwrap());
        assert!(directories.remove("ab", day).unwrap());
        assert!(!directories.is_there("ab") && directories.is_there("cd"));
        assert!(!directories.touch("ab"));
    }
}
