//! The rulesets for files, of a run and of an installation: Landlock holds them whatever the mounts are.

use super::{SandboxOptions, installer::Places};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};
use rustix::fs::{Mode, OFlags, open};
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// The newest that is asked for; an older kernel holds what it knows of it.
const NEWEST: ABI = ABI::V6;

/// Nobody makes devices.
const DEVICES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeChar | MakeBlock});

/// What every run may read.
pub(super) struct Files {
    readable: Vec<(OwnedFd, BitFlags<AccessFs>)>,
    is_on: bool,
}

/// What differs from run to run.
pub(super) struct OfRun<'a> {
    pub scratch: &'a str,
    /// The only port it may connect to, when it has no network of its own.
    pub only_port: Option<u16>,
}

impl Files {
    /// `visible` without `packages`, of which each run reads only its own.
    pub(super) fn new(visible: &[PathBuf], packages: &Path, options: &SandboxOptions) -> Self {
        let devices = super::visible::DEVICES.map(PathBuf::from);
        let shown = visible.iter().filter(|path| *path != packages);
        let readable =
            shown.map(|path| (path, false)).chain(devices.iter().map(|path| (path, true)));
        let readable = readable.filter_map(|(path, is_device)| {
            let rights = rights(path, is_device)?;
            Some((handle(path).ok()?, rights))
        });
        Self { readable: readable.collect(), is_on: options.has("files") }
    }

    /// The ruleset of one run; `None` on a kernel that has no such thing.
    pub(super) fn ruleset(
        &self,
        run: OfRun<'_>,
        packages: Option<&Path>,
    ) -> io::Result<Option<OwnedFd>> {
        if !self.is_on {
            return Ok(None);
        }
        let scratch = handle(Path::new(run.scratch))?;
        let packages = packages.map(handle).transpose()?;
        let made = self.build(&scratch, packages.as_ref(), run.only_port);
        Ok(made.map_err(not_made)?.into())
    }

    /// The ruleset of an installation: it starts programs, and packages are no secret to it.
    pub(super) fn ruleset_of_installer(&self, places: &Places<'_>) -> io::Result<Option<OwnedFd>> {
        if !self.is_on {
            return Ok(None);
        }
        let opened = |paths: &[&Path]| -> io::Result<Vec<_>> {
            paths.iter().map(|path| Ok((path.is_dir(), handle(path)?))).collect()
        };
        let (readable, writable) = (opened(&places.readable)?, opened(&places.writable)?);
        let build = || -> Result<RulesetCreated, RulesetError> {
            let mut made = empty(None)?;
            for (handle, rights) in &self.readable {
                made = made.add_rule(PathBeneath::new(handle, *rights | AccessFs::Execute))?;
            }
            for (is_directory, handle) in &readable {
                let rights = if *is_directory { read() } else { AccessFs::ReadFile.into() };
                made = made.add_rule(PathBeneath::new(handle, rights | AccessFs::Execute))?;
            }
            for (_, handle) in &writable {
                let rights = AccessFs::from_all(NEWEST) & !DEVICES;
                made = made.add_rule(PathBeneath::new(handle, rights))?;
            }
            Ok(made)
        };
        Ok(build().map_err(not_made)?.into())
    }

    fn build(
        &self,
        scratch: &OwnedFd,
        packages: Option<&OwnedFd>,
        only_port: Option<u16>,
    ) -> Result<RulesetCreated, RulesetError> {
        let mut made = empty(only_port)?;
        for (handle, rights) in &self.readable {
            made = made.add_rule(PathBeneath::new(handle, *rights))?;
        }
        // Programs cannot be started; libraries are mapped, which is no execution to Landlock.
        let own = AccessFs::from_all(NEWEST) & !AccessFs::Execute & !DEVICES;
        made = made.add_rule(PathBeneath::new(scratch, own))?;
        if let Some(packages) = packages {
            made = made.add_rule(PathBeneath::new(packages, read()))?;
        }
        if let Some(port) = only_port {
            made = made.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        }
        Ok(made)
    }
}

/// A ruleset that allows nothing of files, and of ports if there is one to allow.
fn empty(only_port: Option<u16>) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let ruleset =
        ruleset.handle_access(AccessFs::from_all(NEWEST))?.scope(Scope::from_all(NEWEST))?;
    match only_port {
        Some(_) => ruleset.handle_access(AccessNet::from_all(NEWEST))?.create(),
        None => ruleset.create(),
    }
}

fn not_made(error: RulesetError) -> io::Error {
    io::Error::other(format!("Landlock: {error}"))
}

fn read() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// A file has fewer rights than a directory; what is not there has none.
fn rights(path: &Path, is_device: bool) -> Option<BitFlags<AccessFs>> {
    let about = fs::metadata(path).ok()?;
    Some(match (about.is_dir(), is_device) {
        (true, _) => read(),
        (false, false) => AccessFs::ReadFile.into(),
        (false, true) => AccessFs::ReadFile | AccessFs::WriteFile,
    })
}

fn handle(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}
