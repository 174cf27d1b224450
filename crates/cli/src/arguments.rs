//! The command line.

mod packages;

pub use packages::{PackageOptions, PythonBuild, PythonPreload};

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{Slug, network::PrivateHosts};
use runner::sandbox::UserRange;
use std::{net::SocketAddr, path::PathBuf};

/// Runs Python automations for many organizations from one code base.
#[derive(Debug, Parser)]
#[command(name = "bifrost", version, about, arg_required_else_help = true)]
pub struct Arguments {
    /// What to log to standard error, e.g. `info` or `warn,runner=debug`
    #[arg(long, env = "BIFROST_LOG", default_value = "warn", global = true)]
    pub log: String,
    /// Log lines as JSON
    #[arg(long, env = "BIFROST_LOG_JSON", global = true)]
    pub log_json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Two organizations, an override, runs, the proof of isolation; ends by itself
    Demo(DemoOptions),
    /// Serve the API and run executions
    Serve(ServeOptions),
    /// Change the schema of the database
    Migrate(MigrateOptions),
    /// Organizations and users, directly in the database
    Admin(AdminOptions),
    /// Check configuration, database and interpreter, and say how to mend them
    Doctor(DoctorOptions),
}

/// Where things are. A flag wins over its variable, that over `bifrost.toml`, that over the default.
#[derive(Clone, Debug, Default, Args)]
pub struct Places {
    /// Directory of the database, the keys and the runtime [default: ./bifrost-data]
    #[arg(long, global = true, env = "BIFROST_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Database [default: sqlite:DATA_DIR/bifrost.db]
    #[arg(long, global = true, env = "BIFROST_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// File that holds the database URL, for URLs with a password
    #[arg(long, global = true, env = "BIFROST_DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// File that holds the master key of the secrets, 32 bytes in base64; the key itself may be in
    /// the variable BIFROST_MASTER_KEY [default: DATA_DIR/master.key]
    #[arg(long, global = true, env = "BIFROST_MASTER_KEY_FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Directory of `master.key` and `signing-keys`, the same on every machine that serves one
    /// database [default: DATA_DIR]
    #[arg(long, global = true, env = "BIFROST_KEYS_DIR")]
    pub keys_dir: Option<PathBuf>,
    /// Redis or Valkey as a cache shared by all servers: `redis://[user:password@]host[:port]`,
    /// `rediss://…` with TLS, `redis+unix:///socket`, `redis+cluster://host,host` [default: none; each
    /// process has a small one in memory]
    #[arg(long, global = true, env = "BIFROST_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// File that holds the Redis URL, for URLs with a password
    #[arg(long, global = true, env = "BIFROST_REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// Configuration file [default: ./bifrost.toml, if there is one]
    #[arg(long, global = true, env = "BIFROST_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct ServeOptions {
    #[command(flatten)]
    pub places: Places,
    /// Address to listen on [default: 127.0.0.1:8000]
    #[arg(long, env = "BIFROST_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Further address that answers only /healthz, /readyz and /metrics: a worker has no other
    /// [default: none]
    #[arg(long, env = "BIFROST_PROBE_LISTEN")]
    pub probe_listen: Option<SocketAddr>,
    /// Address at which people reach the server, e.g. `https://bifrost.example.com` [default: the
    /// address it listens on]
    #[arg(long, env = "BIFROST_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// What this process does [default: all]
    #[arg(long, env = "BIFROST_ROLE")]
    pub role: Option<Role>,
    /// Python interpreter, 3.11 or later [default: the first `python3` on the path]
    #[arg(long, env = "BIFROST_PYTHON")]
    pub python: Option<PathBuf>,
    #[command(flatten)]
    pub packages: PackageOptions,
    /// Executions at the same time [default: four per core]
    #[arg(long, env = "BIFROST_CONCURRENCY")]
    pub concurrency: Option<u32>,
    /// Seconds that running executions get to finish when the server stops [default: 30]
    #[arg(long, env = "BIFROST_DRAIN_SECONDS")]
    pub drain_seconds: Option<u32>,
    /// Seconds to go on answering when the server stops, while /readyz says 503, so that load
    /// balancers look elsewhere first [default: 0]
    #[arg(long, env = "BIFROST_LINGER_SECONDS")]
    pub linger_seconds: Option<u32>,
    /// What to do when a wall between organizations is missing [default: required]
    #[arg(long, env = "BIFROST_ISOLATION")]
    pub isolation: Option<Isolation>,
    /// Users that runs are when the server is root, one for each place: numbers that nobody else on
    /// the machine has [default: 200000-265535]
    #[arg(long, env = "BIFROST_RUN_USERS", value_name = "FIRST-LAST")]
    pub run_users: Option<UserRange>,
    /// Private hosts that workflows may reach all the same, as `host:port,…` [default: none]
    #[arg(long, env = "BIFROST_EGRESS_ALLOW_PRIVATE", value_name = "HOST:PORT,…")]
    pub egress_allow_private: Option<PrivateHosts>,
}

/// What to do when a wall is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Say what is missing, and do not start
    Required,
    /// Say what is missing, and start
    BestEffort,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Both of the others
    All,
    /// Answer HTTP
    Api,
    /// Run executions
    Worker,
}

#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Keep serving the demo's organizations afterwards
    #[arg(long)]
    pub serve: bool,
    /// Address to serve on afterwards
    #[arg(long, default_value = "127.0.0.1:8000", requires = "serve")]
    pub listen: SocketAddr,
    /// Python interpreter, 3.11 or later
    #[arg(long, env = "BIFROST_PYTHON")]
    pub python: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct MigrateOptions {
    #[command(flatten)]
    pub places: Places,
    #[command(subcommand)]
    pub action: MigrateAction,
}

#[derive(Debug, Subcommand)]
pub enum MigrateAction {
    /// Apply what is missing
    Up,
    /// Take back the last N migrations, or all; tables and their rows are dropped
    Down {
        /// How many [default: all]
        steps: Option<u32>,
    },
    /// List migrations
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct AdminOptions {
    #[command(flatten)]
    pub places: Places,
    #[command(subcommand)]
    pub action: AdminAction,
}

#[derive(Debug, Subcommand)]
pub enum AdminAction {
    /// Add an organization
    CreateOrganization {
        /// Short name: a-z, 0-9 and `-`, 2 to 63 characters; it never changes
        #[arg(long, value_parser = Slug::parse)]
        slug: Slug,
        /// Name for people
        #[arg(long)]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user another password, read from standard input; it signs them out everywhere
    SetPassword {
        /// Short name of the organization
        #[arg(long)]
        organization: String,
        /// Address they sign in with
        #[arg(long)]
        email: String,
        /// Read the password from standard input, the only way there is
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make a key for a program and print it, once
    CreateApiKey {
        /// Short name of the organization
        #[arg(long)]
        organization: String,
        /// Name for people
        #[arg(long)]
        name: String,
        /// `admin`, `ops` or `viewer`
        #[arg(long)]
        role: domain::Role,
        /// Days until it expires [default: never]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete an organization
    DeleteOrganization {
        /// Its short name
        #[arg(long)]
        slug: String,
        /// Also everything in it
        #[arg(long)]
        purge: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Add a key that signs access tokens; running servers take it up by themselves
    RotateSigningKey {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove signing keys that no token needs any more
    RetireSigningKey {
        /// Remove this one now: tokens it signed are void [default: all that have not signed for
        /// half an hour]
        #[arg(long)]
        kid: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a user to an organization
    CreateUser {
        /// Short name of the organization; `provider` for the people who run the platform
        #[arg(long)]
        organization: String,
        /// Address they sign in with
        #[arg(long)]
        email: String,
        /// `admin`, `ops` or `viewer`
        #[arg(long)]
        role: domain::Role,
        /// Name for people [default: the address]
        #[arg(long)]
        name: Option<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Wrap the data keys of all organizations with a new master key; servers go on meanwhile
    RotateMasterKey {
        /// File that holds the new key; wanted where the present one is not in the data directory
        #[arg(long)]
        new_master_key_file: Option<PathBuf>,
    },
    /// Give organizations new data keys and seal their secrets anew; servers go on meanwhile
    RotateDataKeys {
        /// Short name of one organization, or `global` [default: all, and Global]
        #[arg(long)]
        organization: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove all secrets of all organizations, for when the master key is lost
    DiscardSecrets {
        /// Yes, all of them
        #[arg(long)]
        yes: bool,
    },
    /// Write everything, or one organization, to a file that `import` reads; servers go on
    Export(ExportOptions),
    /// Read what `export` wrote into this database; run it again if it was interrupted
    Import(ImportOptions),
    /// Follow the audits from their first entries to their last; 1 if one does not hang together
    VerifyAudit {
        /// Short name of one organization [default: all, and Global]
        #[arg(long)]
        organization: Option<String>,
        /// What `--json` printed earlier: the audits must still go through it
        #[arg(long)]
        against: Option<PathBuf>,
        /// Print JSON, to be kept where whoever can write the database cannot
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ExportOptions {
    /// File to write, or `-` for standard output
    #[arg(long)]
    pub to: PathBuf,
    /// Short name of one organization [default: all, and Global]
    #[arg(long, value_parser = Slug::parse)]
    pub organization: Option<Slug>,
    /// Leave out what is sealed, and say what has to be set again
    #[arg(long)]
    pub without_secrets: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ImportOptions {
    /// File that `export` wrote, or `-` for standard input
    #[arg(long)]
    pub from: PathBuf,
    /// Another short name for the one organization in the file
    #[arg(long = "as", value_name = "SLUG", value_parser = Slug::parse)]
    pub slug: Option<Slug>,
    /// File that holds the master key of the instance the export comes from, where it is not this
    /// one's: the secrets are wrapped with this one's
    #[arg(long)]
    pub old_master_key_file: Option<PathBuf>,
    /// Only go on with an import that was interrupted
    #[arg(long)]
    pub resume: bool,
    /// Take audits that do not hang together as they are
    #[arg(long)]
    pub allow_broken_audit: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DoctorOptions {
    #[command(flatten)]
    pub places: Places,
    /// Private hosts that workflows may reach, as `serve` has them
    #[arg(long, env = "BIFROST_EGRESS_ALLOW_PRIVATE", value_name = "HOST:PORT,…")]
    pub egress_allow_private: Option<PrivateHosts>,
    /// Users that runs are, as `serve` has them
    #[arg(long, env = "BIFROST_RUN_USERS", value_name = "FIRST-LAST")]
    pub run_users: Option<UserRange>,
    /// Python interpreter, 3.11 or later
    #[arg(long, env = "BIFROST_PYTHON")]
    pub python: Option<PathBuf>,
    /// The program that installs packages
    #[arg(long, env = "BIFROST_UV")]
    pub uv: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
