//! Where a value comes from: flag, then variable (both by clap), then `bifrost.toml`, then default.

use crate::arguments::{
    DoctorOptions, Isolation, PackageOptions, Places, PythonBuild, PythonPreload, Role,
    ServeOptions,
};
use anyhow::{Context, bail};
use cache::Address;
use domain::network::PrivateHosts;
use runner::{EnvironmentOptions, Preload, sandbox::UserRange};
use serde::Deserialize;
use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};
use store::MasterKeySource;

/// Everything `serve` needs, decided.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Directory and database.
    pub data: Data,
    /// Address.
    pub listen: SocketAddr,
    /// Address for probes and figures alone.
    pub probe_listen: Option<SocketAddr>,
    /// Where people reach it, without a slash at the end, if not at its address.
    pub public_url: Option<String>,
    /// What this process does.
    pub role: Role,
    /// Interpreter, if not the first on the path.
    pub python: Option<PathBuf>,
    /// How packages are had.
    pub environments: EnvironmentOptions,
    /// Executions at the same time.
    pub concurrency: u32,
    /// How long running executions may go on when the server stops.
    pub drain: Duration,
    /// How long to go on answering when the server stops.
    pub linger: Duration,
    /// What to do when a wall is missing.
    pub isolation: Isolation,
    /// The users of runs.
    pub run_users: UserRange,
    /// Private hosts that workflows may reach.
    pub private_hosts: PrivateHosts,
}

/// Where the data is.
#[derive(Clone, Debug)]
pub struct Data {
    /// Keys, runtime and, by default, the database.
    pub directory: PathBuf,
    /// `sqlite:PATH` or `postgres://…`
    pub database_url: String,
    /// Where `signing-keys` is, and by default the master key.
    pub keys: PathBuf,
    /// Where the key is that wraps the keys of all secrets.
    pub master_key: MasterKeySource,
    /// The shared cache, if there is one.
    pub redis: Option<Address>,
}

/// `bifrost.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Configured {
    data_dir: Option<PathBuf>,
    database_url: Option<String>,
    master_key_file: Option<PathBuf>,
    keys_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    probe_listen: Option<SocketAddr>,
    public_url: Option<String>,
    role: Option<Role>,
    redis_url: Option<String>,
    python: Option<PathBuf>,
    uv: Option<PathBuf>,
    python_index: Option<String>,
    python_find_links: Option<PathBuf>,
    python_build: Option<PythonBuild>,
    python_preload: Option<PythonPreload>,
    python_keep_days: Option<u32>,
    concurrency: Option<u32>,
    drain_seconds: Option<u32>,
    linger_seconds: Option<u32>,
    isolation: Option<Isolation>,
    run_users: Option<String>,
    egress_allow_private: Option<String>,
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
const PER_CORE: usize = 4;
const DRAIN_SECONDS: u32 = 30;

impl ServeOptions {
    /// Decides every value.
    pub fn resolve(self) -> anyhow::Result<Serve> {
        let configured = read(self.places.config.as_deref())?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency = self.concurrency.or(configured.concurrency);
        let drain = self.drain_seconds.or(configured.drain_seconds).unwrap_or(DRAIN_SECONDS);
        let linger = self.linger_seconds.or(configured.linger_seconds).unwrap_or(0);
        Ok(Serve {
            linger: Duration::from_secs(linger.into()),
            isolation: self.isolation.or(configured.isolation).unwrap_or(Isolation::Required),
            run_users: run_users(self.run_users, &configured)?,
            private_hosts: private_hosts(self.egress_allow_private, &configured)?,
            public_url: public_url(self.public_url.or(configured.public_url.clone()))?,
            listen: self.listen.or(configured.listen).unwrap_or(LISTEN),
            probe_listen: self.probe_listen.or(configured.probe_listen),
            role: self.role.or(configured.role).unwrap_or(Role::All),
            environments: environments(self.packages, &configured),
            python: self.python.or(configured.python.clone()),
            concurrency: concurrency.unwrap_or_else(|| (cores * PER_CORE) as u32).max(1),
            drain: Duration::from_secs(drain.into()),
            data: data(self.places, configured)?,
        })
    }
}

fn private_hosts(
    given: Option<PrivateHosts>,
    configured: &Configured,
) -> anyhow::Result<PrivateHosts> {
    let configured = configured.egress_allow_private.as_deref();
    let read = || configured.unwrap_or_default().parse().context("`egress_allow_private`");
    given.map_or_else(read, Ok)
}

fn run_users(given: Option<UserRange>, configured: &Configured) -> anyhow::Result<UserRange> {
    match (given, &configured.run_users) {
        (Some(given), _) => Ok(given),
        (None, Some(text)) => text.parse().context("`run_users`"),
        (None, None) => Ok(UserRange::default()),
    }
}

fn environments(given: PackageOptions, configured: &Configured) -> EnvironmentOptions {
    let build = given.python_build.or(configured.python_build);
    let days = given.python_keep_days.or(configured.python_keep_days);
    let index = given.python_index.or(configured.python_index.clone());
    let default = EnvironmentOptions::default();
    EnvironmentOptions {
        uv: given.uv.or(configured.uv.clone()),
        index: index.map(Into::into),
        find_links: given.python_find_links.or(configured.python_find_links.clone()),
        build: build == Some(PythonBuild::Allowed),
        preload: match given.python_preload.or(configured.python_preload) {
            Some(PythonPreload::None) => Preload::Nothing,
            Some(PythonPreload::All) => Preload::All,
            Some(PythonPreload::Global) | None => Preload::Global,
        },
        keep: days.map_or(default.keep, |days| Duration::from_secs(u64::from(days) * 86_400)),
    }
}

/// A URL of scheme and host is all that links and cookies need.
fn public_url(url: Option<String>) -> anyhow::Result<Option<String>> {
    let Some(url) = url else { return Ok(None) };
    let url = url.trim_end_matches('/').to_owned();
    let host = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', ' ', '@']) => {
            Ok(Some(url))
        }
        _ => bail!(
            "`{url}` is no public URL; give scheme and host, as in https://bifrost.example.com"
        ),
    }
}

impl DoctorOptions {
    /// Decides which private hosts workflows may reach.
    pub fn private_hosts(&self) -> anyhow::Result<PrivateHosts> {
        let configured = read(self.places.config.as_deref())?;
        private_hosts(self.egress_allow_private.clone(), &configured)
    }

    /// Decides which users runs are.
    pub fn run_users(&self) -> anyhow::Result<UserRange> {
        run_users(self.run_users, &read(self.places.config.as_deref())?)
    }
}

impl Places {
    /// Decides where the data is.
    pub fn resolve(self) -> anyhow::Result<Data> {
        let configured = read(self.config.as_deref())?;
        data(self, configured)
    }
}

impl Data {
    /// Makes the directory, readable by nobody else.
    pub fn create_directory(&self) -> anyhow::Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.with_context(|| {
            format!("the data directory `{}` cannot be made", self.directory.display())
        })
    }
}

fn data(places: Places, configured: Configured) -> anyhow::Result<Data> {
    let directory = places.data_dir.or(configured.data_dir);
    let directory = directory.unwrap_or_else(|| PathBuf::from("bifrost-data"));
    let url = Url { given: places.database_url, file: places.database_url_file };
    let url = url.read("BIFROST_DATABASE_URL")?.or(configured.database_url);
    let redis = Url { given: places.redis_url, file: places.redis_url_file };
    let redis = redis.read("BIFROST_REDIS_URL")?.or(configured.redis_url);
    let redis = redis.map(|url| url.parse()).transpose()?;
    let default = || format!("sqlite:{}", directory.join("bifrost.db").display());
    let keys = places.keys_dir.or(configured.keys_dir).unwrap_or_else(|| directory.clone());
    let master_key = master_key(places.master_key_file.or(configured.master_key_file), &keys)?;
    Ok(Data { database_url: url.unwrap_or_else(default), master_key, keys, redis, directory })
}

/// A URL that may have a password, and so may be in a file.
struct Url {
    given: Option<String>,
    file: Option<PathBuf>,
}

impl Url {
    /// Of a flag and a variable for the same thing the flag wins, also across the two spellings.
    fn read(self, variable: &str) -> anyhow::Result<Option<String>> {
        let from_file = self.file.map(|path| read_secret(&path)).transpose()?;
        let is_flag = self.given.is_some() && self.given != std::env::var(variable).ok();
        Ok(if is_flag { self.given } else { from_file.or(self.given) })
    }
}

/// The key itself is in a variable or a file, never in an argument or in `bifrost.toml`.
fn master_key(file: Option<PathBuf>, keys: &Path) -> anyhow::Result<MasterKeySource> {
    let variable = match std::env::var("BIFROST_MASTER_KEY") {
        Err(std::env::VarError::NotPresent) => None,
        // Its text stays out of the message.
        Err(std::env::VarError::NotUnicode(_)) => bail!("BIFROST_MASTER_KEY is no text"),
        Ok(text) => Some(text),
    };
    match (variable, file) {
        (Some(_), Some(_)) => {
            bail!("the master key is in BIFROST_MASTER_KEY and in a file; give one of them")
        }
        (Some(text), None) => Ok(MasterKeySource::Variable(text.into())),
        (None, Some(file)) => Ok(MasterKeySource::File(file)),
        (None, None) => Ok(MasterKeySource::DataDirectory(keys.to_owned())),
    }
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("`{}` cannot be read", path.display()))?;
    Ok(text.trim_end().to_owned())
}

fn read(path: Option<&Path>) -> anyhow::Result<Configured> {
    let file = match path {
        Some(path) => config::File::from(path.to_path_buf()).required(true),
        None => config::File::from(PathBuf::from("bifrost.toml")).required(false),
    };
    let name = path.unwrap_or(Path::new("bifrost.toml")).display().to_string();
    let source = file.format(config::FileFormat::Toml);
    let built = config::Config::builder().add_source(source).build();
    let read = built.and_then(config::Config::try_deserialize);
    read.with_context(|| format!("the configuration file `{name}` cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("some.toml");
        std::fs::write(&path, "data_dir = \"/from/file\"\nconcurrency = 3\n").expect("written");
        let places = Places { config: Some(path.clone()), ..Places::default() };
        let serve = ServeOptions { places: places.clone(), ..ServeOptions::default() };
        let serve = serve.resolve().expect("resolved");
        assert_eq!(serve.data.database_url, "sqlite:/from/file/bifrost.db");
        assert_eq!((serve.concurrency, serve.listen), (3, LISTEN));
        let flagged = Places { data_dir: Some("/from/flag".into()), ..places };
        assert_eq!(flagged.resolve().expect("resolved").directory, PathBuf::from("/from/flag"));
    }

    #[test]
    fn the_redis_url_comes_from_a_file_and_is_never_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("redis-url");
        let places = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Places { redis_url_file: Some(path.clone()), ..Places::default() }
        };
        let data = places("rediss://:s3cret@cache:1/\n").resolve().expect("resolved");
        let shown = data.redis.as_ref().expect("an address").to_string();
        assert_eq!(shown, "rediss://cache:1");
        assert!(!format!("{data:?}").contains("s3cret"));
        let flagged = Places { redis_url: Some("redis://flag".into()), ..places("redis://file") };
        let flagged = flagged.resolve().expect("resolved").redis.expect("an address");
        assert_eq!(flagged.to_string(), "redis://flag:6379");
        let refused = places("http://:s3cret@cache").resolve().expect_err("refused");
        let told = format!("{refused:#}");
        assert!(told.contains("redis+cluster://") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn private_hosts_come_from_the_flag_or_the_file_and_have_to_be_readable() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("some.toml");
        let decide = |flag: Option<&str>, file: &str| {
            std::fs::write(&path, file).expect("written");
            let places = Places { config: Some(path.clone()), ..Places::default() };
            let flag = flag.map(|pairs| pairs.parse().expect("pairs"));
            let options =
                ServeOptions { places, egress_allow_private: flag, ..ServeOptions::default() };
            options.resolve().map(|serve| serve.private_hosts.to_string())
        };
        let file = "egress_allow_private = \"db.internal:5432\"\n";
        assert_eq!(decide(None, "").expect("none"), "");
        assert_eq!(decide(None, file).expect("of the file"), "db.internal:5432");
        assert_eq!(decide(Some("10.0.0.7:80"), file).expect("of the flag"), "10.0.0.7:80");
        let refused = decide(None, "egress_allow_private = \"10.0.0.0/8\"\n");
        let told = format!("{:#}", refused.expect_err("a network is no host"));
        assert!(told.contains("write `host:port`"), "{told}");
    }

    #[test]
    fn the_index_of_packages_is_taken_and_never_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("some.toml");
        let text =
            "python_index = \"https://me:s3cret@index/simple\"\npython_build = \"allowed\"\n";
        std::fs::write(&path, text).expect("written");
        let places = Places { config: Some(path), ..Places::default() };
        let serve = ServeOptions { places, ..ServeOptions::default() }.resolve().expect("resolved");
        assert!(serve.environments.index.is_some() && serve.environments.build);
        assert_eq!(serve.environments.preload, Preload::Global);
        assert!(!format!("{serve:?}").contains("s3cret"));
    }

    #[test]
    fn an_unknown_key_and_a_missing_file_are_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("some.toml");
        std::fs::write(&path, "datadir = 1\n").expect("written");
        let told = |path: &Path| format!("{:#}", read(Some(path)).expect_err("refused"));
        assert!(told(&path).contains("datadir"), "{}", told(&path));
        assert!(told(Path::new("/nowhere.toml")).contains("/nowhere.toml"));
    }
}
