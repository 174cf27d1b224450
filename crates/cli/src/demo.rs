//! `bifrost demo`: two organizations, one workflow, one override, and the proof of isolation.

mod person;
mod screen;
mod service;

use crate::{
    admin,
    arguments::{DemoOptions, Isolation, Role},
    configuration::{Data, Serve},
    serve::Server,
    talk,
};
use anyhow::{Context, ensure};
use domain::network::PrivateHosts;
use person::{Person, Run};
use runner::sandbox::UserRange;
use screen::Screen;
use serde_json::{Value, json};
use std::{net::SocketAddr, process::ExitCode, time::Duration};
use store::{MasterKeySource, Store};

const HALOPSA: &str = include_str!("demo/files/halopsa.py");
const HALOPSA_ACME: &str = include_str!("demo/files/halopsa_acme.py");
const NINJA: &str = include_str!("demo/files/ninja.py");
const MORNING_REPORT: &str = include_str!("demo/files/morning_report.py");
const PATH: &str = "shared/halopsa.py";

/// Tells the story on a server of its own, in a directory that is gone afterwards.
pub async fn run(options: DemoOptions) -> anyhow::Result<ExitCode> {
    let directory = tempfile::tempdir()?;
    let password = random_password()?;
    let service = service::start().await?;
    let mut wanted = serve_options(&options, directory.path().into());
    // On loopback, which is closed to runs unless the operator opens it.
    wanted.private_hosts = service.parse().context("the address of the demo's own service")?;
    let server = Server::start(wanted).await?;
    let mut screen = Screen::new();
    let mut story = Story::begin(&mut screen, &server, service, &password).await?;
    story.run_for_both(&mut screen).await?;
    story.edit(&mut screen).await?;
    story.fall_through(&mut screen).await?;
    story.isolation(&mut screen).await?;
    story.traceback(&mut screen).await?;
    story.timings(&mut screen)?;
    if options.serve {
        story.acme.write(PATH, HALOPSA_ACME).await?;
        screen.chapter("Your turn");
        let address = server.address.context("the demo's server does not listen")?;
        screen.line(&format!("http://{address}/api/docs serves until you press Ctrl-C"));
        for (organization, email) in PEOPLE {
            screen.fact(organization, &format!("{email}, password {password}"));
        }
        tokio::signal::ctrl_c().await?;
    }
    server.stop().await?;
    talk::say(&format!("\ndone in {:.1} s", screen.elapsed().as_secs_f32()));
    Ok(ExitCode::SUCCESS)
}

const PEOPLE: [(&str, &str); 3] = [
    ("provider", "admin@provider.test"),
    ("acme", "admin@acme.test"),
    ("globex", "admin@globex.test"),
];

fn serve_options(options: &DemoOptions, directory: std::path::PathBuf) -> Serve {
    let database_url = format!("sqlite:{}", directory.join("bifrost.db").display());
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Serve {
        environments: runner::EnvironmentOptions::default(),
        public_url: None,
        data: Data {
            master_key: MasterKeySource::DataDirectory(directory.clone()),
            keys: directory.clone(),
            directory,
            database_url,
            redis: None,
        },
        probe_listen: None,
        listen: if options.serve { options.listen } else { anywhere },
        role: Role::All,
        python: options.python.clone(),
        concurrency: 4,
        drain: Duration::from_secs(5),
        linger: Duration::ZERO,
        // It runs nobody's code but its own, and is to be seen everywhere; what is missing is said.
        isolation: Isolation::BestEffort,
        run_users: UserRange::default(),
        private_hosts: PrivateHosts::default(),
    }
}

fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0; 9];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The people of the story and what happened so far.
struct Story {
    global: Person,
    acme: Person,
    globex: Person,
    service: String,
    runs: Vec<(String, Run)>,
}

impl Story {
    async fn begin(
        screen: &mut Screen,
        server: &Server,
        service: String,
        password: &str,
    ) -> anyhow::Result<Self> {
        set_up(server.store(), password).await?;
        let address = server.address.context("the demo's server does not listen")?;
        let url = format!("http://{address}");
        let [provider, acme, globex] = PEOPLE;
        let provider = Person::sign_in(&url, provider.0, provider.1, password).await?;
        let story = Self {
            global: provider.act_in_global().await?,
            acme: Person::sign_in(&url, acme.0, acme.1, password).await?,
            globex: Person::sign_in(&url, globex.0, globex.1, password).await?,
            service: format!("http://{service}"),
            runs: Vec::new(),
        };
        screen.chapter("The provider writes for everybody; Acme overrides one file");
        for (path, content) in [
            (PATH, HALOPSA),
            ("shared/ninja.py", NINJA),
            ("workflows/morning_report.py", MORNING_REPORT),
        ] {
            let version = story.global.write(path, content).await?;
            screen.fact("Global", &format!("{path} (version {version})"));
        }
        let version = story.acme.write(PATH, HALOPSA_ACME).await?;
        screen.fact("Acme", &format!("{PATH} (version {version}), overrides Global's"));
        screen.line("");
        screen.line("The workflow, the same for all:");
        let lines = MORNING_REPORT.lines().skip(2).take(3).collect::<Vec<_>>();
        screen.block(&lines.join("\n"));
        Ok(story)
    }

    async fn run_for_both(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("One workflow, run for two organizations");
        let acme = self.report(screen, "Acme").await?;
        let globex = self.report(screen, "Globex").await?;
        ensure!(imported(&acme, "shared.halopsa")?.0 == "org", "Acme got the wrong module");
        ensure!(imported(&globex, "shared.halopsa")?.0 == "global", "Globex got the wrong module");
        screen
            .proof("the same import line, two modules; shared/ninja.py came from Global for both");
        Ok(())
    }

    async fn edit(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("Acme edits its override; the very next run uses it");
        let edited = HALOPSA_ACME.replace("Acme's own", "Acme's own, edited");
        let version = self.acme.write(PATH, &edited).await?;
        screen.fact("Acme", &format!("{PATH} is version {version} now"));
        let execution = self.report(screen, "Acme").await?;
        ensure!(imported(&execution, "shared.halopsa")?.1 == version, "a stale module ran");
        screen.proof(&format!("version {version} ran; nothing was restarted or invalidated"));
        Ok(())
    }

    async fn fall_through(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("Acme deletes its override; Global shows through");
        self.acme.delete(PATH).await?;
        let execution = self.report(screen, "Acme").await?;
        ensure!(imported(&execution, "shared.halopsa")?.0 == "global", "a deleted module ran");
        screen.proof("Global's module ran");
        self.acme.write(PATH, HALOPSA_ACME).await?;
        Ok(())
    }

    async fn isolation(&self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("What is Acme's does not exist for Globex");
        self.acme.write("acme/prices.py", "MARGIN = 0.35\n").await?;
        let existing = self.globex.look("/api/files/content/acme/prices.py").await?;
        let nonsense = self.globex.look("/api/files/content/acme/pr1ces.py").await?;
        screen.fact("Globex", &format!("GET acme/prices.py → {}", existing.0));
        screen.fact("Globex", &format!("GET acme/pr1ces.py → {}", nonsense.0));
        let alike = existing == nonsense && existing.0 == 404;
        ensure!(alike, "the replies tell a file from nonsense: {existing:?}");
        screen.proof("a file of Acme's and a file that is nowhere: the same reply");
        let run = &self.runs.first().context("no run yet")?.1.execution;
        let id = run["id"].as_str().context("a run without an id")?;
        let foreign = self.globex.look(&format!("/api/executions/{id}")).await?;
        let missing = "/api/executions/01890000-0000-7000-8000-000000000000";
        let missing = self.globex.look(missing).await?;
        ensure!(foreign == missing && foreign.0 == 404, "an execution shows: {foreign:?}");
        screen.proof("an execution of Acme's and an id that is nobody's: the same reply");
        Ok(())
    }

    async fn traceback(&self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("A traceback says whose code failed");
        for (who, person) in [("Acme", &self.acme), ("Globex", &self.globex)] {
            let run = person.run("close_ticket", json!({ "ticket": 4711 })).await?;
            let error = &run.execution["error"];
            ensure!(run.execution["status"] == "failed", "it should have failed: {error}");
            screen.fact(who, error["message"].as_str().unwrap_or_default());
            screen.block(error["traceback"].as_str().unwrap_or_default().trim_end());
        }
        Ok(())
    }

    fn timings(&self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.chapter("Every run had a fresh process of its own");
        for (who, run) in &self.runs {
            let execution = &run.execution;
            let started = moment(&execution["started_at"])?;
            let queued = started - moment(&execution["created_at"])?;
            let ran = moment(&execution["finished_at"])? - started;
            let milliseconds = |micros: i64| micros as f64 / 1000.0;
            screen.fact(
                who,
                &format!(
                    "waited {:6.1} ms in all: {:5.1} queued, {:5.1} from claim to end",
                    run.waited.as_secs_f64() * 1000.0,
                    milliseconds(queued),
                    milliseconds(ran),
                ),
            );
        }
        Ok(())
    }

    /// Runs the report for somebody and shows what it imported and returned.
    async fn report(&mut self, screen: &Screen, who: &str) -> anyhow::Result<Value> {
        let person = if who == "Acme" { &self.acme } else { &self.globex };
        let run = person.run("morning_report", json!({ "service": self.service })).await?;
        let execution = run.execution.clone();
        ensure!(execution["status"] == "succeeded", "the run failed: {}", execution["error"]);
        screen.fact(who, &format!("→ {}", execution["result"]["tickets"][0]));
        for module in execution["modules"].as_array().context("no modules")? {
            let word = |key: &str| module[key].as_str().unwrap_or_default().to_owned();
            screen.line(&format!(
                "         {:<16} {:<6} version {}  sha256 {}…",
                word("name"),
                word("scope"),
                module["version"],
                word("hash").chars().take(12).collect::<String>(),
            ));
        }
        self.runs.push((who.to_owned(), run));
        Ok(execution)
    }
}

/// Scope and version of a module that an execution loaded.
fn imported(execution: &Value, name: &str) -> anyhow::Result<(String, u64)> {
    let modules = execution["modules"].as_array().context("an execution without modules")?;
    let module = modules.iter().find(|module| module["name"] == name);
    let module = module.with_context(|| format!("`{name}` was not imported"))?;
    let scope = module["scope"].as_str().context("a module without a scope")?;
    Ok((scope.to_owned(), module["version"].as_u64().context("a module without a version")?))
}

fn moment(value: &Value) -> anyhow::Result<i64> {
    let time: domain::Timestamp = serde_json::from_value(value.clone())?;
    Ok(time.0)
}

async fn set_up(store: &Store, password: &str) -> anyhow::Result<()> {
    for (slug, name) in [("acme", "Acme"), ("globex", "Globex")] {
        admin::create_organization(store, domain::Slug::parse(slug)?, name.to_owned()).await?;
    }
    for (slug, email) in PEOPLE {
        let organization = admin::find(store, slug).await?;
        let (email, name) = (email.to_owned(), "Admin".to_owned());
        let password = Some(password.to_owned());
        let role = domain::Role::Admin;
        admin::create_user(store, &organization, email, name, role, password).await?;
    }
    Ok(())
}
