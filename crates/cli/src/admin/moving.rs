//! `bifrost admin export` and `import`.

use crate::{
    arguments::{ExportOptions, ImportOptions, Places},
    configuration::Data,
    talk,
};
use anyhow::{Context, bail};
use jobs::{Clock, SystemClock};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use store::{Content, Export, Exported, Import, Imported, MasterKey, MoveError, Progress, Store};

/// How often people are told how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// Writes an export.
pub async fn export(places: Places, options: ExportOptions) -> anyhow::Result<()> {
    let data = places.resolve()?;
    let store = Store::open(&data.database_url).await?;
    let to_output = options.to == Path::new("-");
    if to_output && options.json {
        bail!("--json prints to standard output, where the export goes; give a file with --to");
    }
    let wish = Export {
        organization: options.organization,
        without_secrets: options.without_secrets,
        now: SystemClock.now(),
    };
    let exported = match to_output {
        true => written(&store, wish, &mut BufWriter::new(io::stdout().lock())).await?,
        false => to_file(&store, wish, &options.to).await?,
    };
    talk::end_ticks();
    report_export(&exported, &options.to, options.json);
    Ok(())
}

async fn written(store: &Store, wish: Export, out: &mut dyn Write) -> anyhow::Result<Exported> {
    let mut teller = Teller::new("exporting");
    Ok(store.export(wish, out, &mut |progress| teller.tell(progress)).await?)
}

/// Aside first, so that a file of this name is a whole one. Nobody else may read it: password hashes
/// are in it, and all that organizations keep.
async fn to_file(store: &Store, wish: Export, path: &Path) -> anyhow::Result<Exported> {
    if path.exists() {
        return Err(MoveError::FileExists(path.to_owned()).into());
    }
    let aside = aside(path);
    let at = || format!("`{}` cannot be written", aside.display());
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let mut out = BufWriter::with_capacity(1 << 16, file.with_context(at)?);
    let exported = written(store, wish, &mut out).await;
    if exported.is_err() {
        fs::remove_file(&aside).with_context(at)?;
    }
    let exported = exported?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error).with_context(at)?;
    file.sync_all().with_context(at)?;
    fs::rename(&aside, path).with_context(at)?;
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = directory.unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).with_context(at)?;
    Ok(exported)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn report_export(exported: &Exported, to: &Path, as_json: bool) {
    let Exported { footer, waiting, running } = exported;
    let rows: u64 = footer.rows.values().sum();
    if as_json {
        talk::print_json(&json!({
            "file": to, "sha256": footer.sha256, "rows": footer.rows, "waiting": waiting,
            "running": running, "secrets_left_out": footer.secrets_left_out,
        }));
    } else {
        talk::say(&format!("exported {rows} rows; sha256 {}", footer.sha256));
    }
    if waiting + running > 0 {
        talk::say(&format!(
            "note: {waiting} execution(s) wait and {running} run; both places will run them unless \
             the workers are stopped here before the export"
        ));
    }
    for left_out in &footer.secrets_left_out {
        talk::say(&format!(
            "left out: secret `{}` of {}; set it again after the import",
            left_out.key, left_out.organization
        ));
    }
}

/// Reads an export into the database.
pub async fn import(places: Places, options: ImportOptions) -> anyhow::Result<()> {
    let data = places.resolve()?;
    data.create_directory()?;
    let mut file = opened(&options.from, &data)?;
    let store = Store::create(&data.database_url).await?;
    let old_master_key = options.old_master_key_file.as_deref().map(MasterKey::read).transpose()?;
    let wish = Import {
        slug: options.slug,
        resume: options.resume,
        master_key: data.master_key,
        old_master_key,
        allow_broken_audit: options.allow_broken_audit,
        now: SystemClock.now(),
    };
    let mut teller = Teller::new("importing");
    let imported = store.import(&mut file, wish, &mut |progress| teller.tell(progress)).await;
    talk::end_ticks();
    report_import(&imported?, options.json);
    Ok(())
}

/// What comes through a pipe is kept in the data directory until the end, under no name: it is
/// looked at as a whole before anything of it is written.
fn opened(from: &Path, data: &Data) -> anyhow::Result<File> {
    if from != Path::new("-") {
        return File::open(from).with_context(|| format!("`{}` cannot be read", from.display()));
    }
    let at = || format!("standard input cannot be kept in `{}`", data.directory.display());
    let mut file = tempfile::tempfile_in(&data.directory).with_context(at)?;
    io::copy(&mut io::stdin().lock(), &mut file).with_context(at)?;
    Ok(file)
}

fn report_import(imported: &Imported, as_json: bool) {
    let Imported { content, footer, slug, resumed, already, organizations, broken_audits } =
        imported;
    let rows: u64 = footer.rows.values().sum();
    if as_json {
        let what = match content {
            Content::Instance => json!({ "instance": { "organizations": organizations } }),
            Content::Organization { id, .. } => {
                json!({ "organization": { "id": id, "slug": slug } })
            }
        };
        talk::print_json(&json!({
            "imported": what, "sha256": footer.sha256, "rows": footer.rows, "resumed": resumed, "already": already,
            "secrets_left_out": footer.secrets_left_out, "broken_audits": broken_audits,
        }));
    } else if *already {
        talk::say("this export was imported already; nothing was left to do");
    } else {
        talk::say(&format!("imported {rows} rows, and they are those of the export"));
    }
    for (id, fault) in broken_audits {
        talk::say(&format!("warning: the audit of {id} does not hang together: {fault}"));
    }
    for left_out in &footer.secrets_left_out {
        talk::say(&format!("set again: secret `{}` of {}", left_out.key, left_out.organization));
    }
    if let Content::Organization { .. } = content {
        talk::say(
            "note: what it inherits from Global is not part of an organization's export; its \
             people sign in anew",
        );
    }
}

/// Says now and then how far it is.
struct Teller {
    what: &'static str,
    last: Instant,
}

impl Teller {
    fn new(what: &'static str) -> Self {
        Self { what, last: Instant::now() }
    }

    fn tell(&mut self, progress: &Progress) {
        if self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        let Progress { table, done, of, rows, total } = progress;
        let percent = done.saturating_mul(100) / (*of).max(1);
        let rows = match total {
            0 => String::new(),
            total => format!(", {rows} of {total} rows"),
        };
        let table = if table.is_empty() { "comparing" } else { table };
        talk::tick(&format!("{}: {percent} %, {table}{rows}", self.what));
    }
}
