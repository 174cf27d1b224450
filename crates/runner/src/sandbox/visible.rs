//! What of the machine a run sees: the interpreter, libraries, certificates, and how names are read.

use super::Site;
use serde::Deserialize;
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

/// Of every Linux: programs' libraries, and what they look up.
const SYSTEM: [&str; 21] = [
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/mime.types",
    "/etc/localtime",
];

/// Devices without memory. In the run's own root there are no others.
pub(super) const DEVICES: [&str; 5] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

const QUESTION: &str = "import sys, json, sysconfig; paths = sysconfig.get_paths(); \
     print(json.dumps([sys.base_prefix, sys.base_exec_prefix, paths['stdlib'], \
     paths['platstdlib'], sysconfig.get_config_var('LIBDIR') or sys.base_prefix]))";

/// Directories and files, each once and none below another.
pub(super) async fn paths(site: &Site) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    found.extend(of_python(&site.python).await?);
    found.push(site.runtime.clone());
    found.push(site.packages.clone());
    found.retain(|path| path.exists() && path != Path::new("/"));
    found.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in found {
        if !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    Ok(kept)
}

async fn of_python(python: &Path) -> io::Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Answer(Vec<PathBuf>);
    let mut command = tokio::process::Command::new(python);
    command.args(["-I", "-S", "-c", QUESTION]).env_clear().current_dir("/");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().await?;
    let Answer(paths) = serde_json::from_slice(&output.stdout)?;
    // A prefix such as `/` or `/opt` would show more than the interpreter.
    Ok(paths.into_iter().filter(|path| path.components().count() > 2).collect())
}
