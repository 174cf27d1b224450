//! The Python side, carried in the binary and laid out on disk where an interpreter can read it.

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// `python/src`: the SDK and the runtime. A debug build reads them from the source tree.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../python/src"]
struct Embedded;

/// What an interpreter is given after `-c` to be a part of the runtime that is laid out in `directory`.
pub(crate) fn script(directory: &Path, part: &str) -> String {
    let quoted = serde_json::Value::from(directory.to_string_lossy().as_ref());
    format!(
        "import sys; sys.path.insert(0, {quoted}); from bifrost_runtime.{part} import main; main()"
    )
}

/// Lays the files out in `<dir>/runtime/<hash of the content>/` and returns that directory.
///
/// Whoever comes first makes it, under a temporary name that is renamed when complete, so a
/// directory of the final name is always whole.
pub(crate) fn lay_out(dir: &Path) -> io::Result<PathBuf> {
    // A zygote works in `/`.
    let parent = std::path::absolute(dir)?.join("runtime");
    let files = files();
    let target = parent.join(hash(&files));
    if target.is_dir() {
        return Ok(target);
    }
    fs::create_dir_all(&parent)?;
    let made = tempfile::Builder::new().prefix("new-").tempdir_in(&parent)?;
    for (path, content) in &files {
        let file = made.path().join(path);
        let above = file.parent().unwrap_or(made.path());
        fs::create_dir_all(above)?;
        // Runs are other users, whatever the mask of the server is.
        fs::set_permissions(above, fs::Permissions::from_mode(0o755))?;
        fs::write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444))?;
    }
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(made.path(), &target) {
        // Another process was faster; ours is removed with `made`.
        Err(_) if target.is_dir() => {}
        renamed => renamed?,
    }
    Ok(target)
}

fn files() -> Vec<(String, Vec<u8>)> {
    let wanted = |path: &str| {
        !path.split('/').any(|part| matches!(part, "__pycache__" | "tests"))
            && !path.ends_with(".pyc")
            && !path.contains(".egg-info")
    };
    let paths = Embedded::iter().filter(|path| wanted(path));
    let mut files: Vec<_> = paths
        .filter_map(|path| Some((path.to_string(), Embedded::get(&path)?.data.into_owned())))
        .collect();
    files.sort();
    files
}

fn hash(files: &[(String, Vec<u8>)]) -> String {
    let mut hasher = Sha256::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hex::encode(&hasher.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn laid_out_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let first = lay_out(dir.path()).unwrap();
        assert!(first.join("bifrost_runtime/zygote.py").is_file());
        assert_eq!(lay_out(dir.path()).unwrap(), first);
        assert_eq!(std::fs::read_dir(dir.path().join("runtime")).unwrap().count(), 1);
    }

    #[test]
    fn a_relative_directory_is_found_from_anywhere() {
        let dir = tempfile::tempdir_in(".").unwrap();
        let relative = std::path::Path::new(dir.path().file_name().unwrap());
        assert!(lay_out(relative).unwrap().is_absolute());
    }
}
