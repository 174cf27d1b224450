//! `bifrost serve`: the rooms wired together into one process.

use crate::{
    admin,
    arguments::{Isolation, Role},
    configuration::{Data, Serve},
    isolation, talk,
};
use anyhow::Context;
use api::{
    ApiParts, ApiState, Leaving, ServerLimits, SigningKeys, Vitals, setup_token::SetupToken,
};
use cache::Cache;
use domain::{
    OrganizationId, Scope,
    environment::{Builder, Elsewhere},
};
use jobs::{Bells, Clock, Retention, SystemClock, Ticker, Work};
use runner::{Runner, RunnerOptions, Worker, sandbox::SandboxOptions};
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use store::{Reason, Store, StoreError};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// How often a worker looks for what is too old.
const RETENTION: Duration = Duration::from_secs(5 * 60);

/// Serves until SIGTERM or SIGINT, then lets what runs end.
pub async fn run(options: Serve) -> anyhow::Result<ExitCode> {
    let server = Server::start(options).await?;
    server.greet().await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    talk::say("stopping; running executions get time to end");
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// A running server inside this process.
pub struct Server {
    /// Where it listens; `None` for a process that only works.
    pub address: Option<SocketAddr>,
    /// Where it tells how it is, and nothing else.
    probes: Option<SocketAddr>,
    /// The address for links; `None` for a process that only works.
    base: Option<String>,
    store: Store,
    data: Data,
    stop: CancellationToken,
    leaving: Leaving,
    linger: Duration,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Server {
    /// Opens the database, starts Python and listens.
    pub async fn start(options: Serve) -> anyhow::Result<Self> {
        options.data.create_directory()?;
        let store = Store::create(&options.data.database_url).await?;
        store.require_imported().await?;
        check_walls(&store, options.isolation).await?;
        store.unlock(options.data.master_key.clone(), SystemClock.now()).await?;
        api::metrics::start();
        runner::egress::describe();
        let cache = start_cache(&options.data).await;
        let runner = start_runner(&options, store.clone(), cache.clone()).await?;
        let isolation = isolation::look(&runner, options.isolation).await?;
        let parts = Parts {
            store: store.clone(),
            cache,
            bells: Bells::default(),
            clock: Arc::new(SystemClock),
            runner,
            isolation,
            stop: CancellationToken::new(),
            leaving: Leaving::default(),
        };
        let mut tasks = Vec::new();
        let mut address = None;
        if options.role != Role::Worker {
            let listener = listen(options.listen).await?;
            address = Some(listener.local_addr()?);
            tasks.push(serve_http(&parts, listener, &options)?);
        }
        let mut probes = None;
        if let Some(at) = options.probe_listen {
            let listener = listen(at).await?;
            probes = Some(listener.local_addr()?);
            tasks.push(serve_probes(&parts, listener));
        }
        let base = address.map(|address| format!("http://{address}"));
        let base = base.map(|base| options.public_url.clone().unwrap_or(base));
        tasks.push(finish_purges(&parts));
        tasks.push(serve_bells(&parts));
        if options.role != Role::Api {
            tasks.push(serve_work(&parts, &options));
            tasks.push(serve_schedules(&parts));
            tasks.push(serve_retention(&parts));
            tasks.push(warm_up(&parts));
            tasks.push(keep(&parts));
        }
        let Parts { stop, leaving, .. } = parts;
        let (data, linger) = (options.data, options.linger);
        Ok(Self { address, probes, base, store, data, stop, leaving, linger, tasks })
    }

    /// The database it serves.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops taking work and, a little later, requests; waits for what runs.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.leaving.announced.cancel();
        self.stop.cancel();
        if self.address.is_some() {
            tokio::time::sleep(self.linger).await;
        }
        self.leaving.stopping.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }

    /// Says where the server is and what a new installation needs next.
    async fn greet(&self) -> anyhow::Result<()> {
        match self.address {
            Some(address) => talk::say(&format!("listening on http://{address}")),
            None => talk::say("working; not listening for requests"),
        }
        if let Some(address) = self.probes {
            talk::say(&format!("probes listening on http://{address}"));
        }
        let provider = Scope::Organization(OrganizationId::PROVIDER);
        if !self.store.system(Reason::SignIn).has_users(provider).await? {
            let directory = self.data.directory.display();
            talk::say(&format!(
                "nobody can sign in yet; create the first admin with\n  bifrost admin create-user \
                 --organization provider --email you@example.com --role admin --password-stdin \
                 --data-dir {directory}"
            ));
            self.offer_setup().await?;
        }
        Ok(())
    }

    /// Prints the link that makes the first admin. The last one printed is the one that works.
    async fn offer_setup(&self) -> anyhow::Result<()> {
        let Some(base) = &self.base else { return Ok(()) };
        let token = SetupToken::new()?;
        let expires_at = SystemClock.now().after(api::setup_token::LIFETIME);
        let system = self.store.system(Reason::SignIn);
        if system.renew_setup_link(token.hash(), expires_at).await? {
            let link = token.link(base);
            talk::say(&format!("or open this link, which works once and for 24 hours\n  {link}"));
        }
        Ok(())
    }
}

struct Parts {
    store: Store,
    cache: Cache,
    bells: Bells,
    clock: Arc<dyn Clock>,
    runner: Runner,
    isolation: api::Isolation,
    /// Ends the work.
    stop: CancellationToken,
    /// Ends the answering.
    leaving: Leaving,
}

/// Looks whether the database keeps organizations apart as it should.
async fn check_walls(store: &Store, isolation: Isolation) -> anyhow::Result<()> {
    let missing = store.missing_walls().await?;
    match (missing.is_empty(), isolation) {
        (true, _) => Ok(()),
        (false, Isolation::Required) => Err(StoreError::Walls(missing.join("; ")).into()),
        (false, Isolation::BestEffort) => {
            for wall in missing {
                talk::say(&format!("a wall is missing: {wall}"));
            }
            Ok(())
        }
    }
}

/// The cache that all servers share, or one of this process.
async fn start_cache(data: &Data) -> Cache {
    match &data.redis {
        Some(address) => Cache::redis(address.clone()).await,
        None => Cache::memory(runner::CACHE_MEMORY),
    }
}

/// Starts Python for a data directory.
async fn start_runner(options: &Serve, store: Store, cache: Cache) -> anyhow::Result<Runner> {
    let mut set = RunnerOptions::new(&options.data.directory);
    set.python = options.python.clone();
    set.environments = options.environments.clone();
    set.cache = Some(cache);
    set.private_hosts = options.private_hosts.clone();
    set.sandbox = SandboxOptions::new(options.run_users);
    Ok(Runner::start(set, store).await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}; choose another --listen"))
}

fn serve_http(
    parts: &Parts,
    listener: TcpListener,
    options: &Serve,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let keys = SigningKeys::load_or_create(&options.data.keys)?;
    let public_url = options.public_url.as_deref();
    let state = ApiState::new(ApiParts {
        store: parts.store.clone(),
        cache: parts.cache.clone(),
        bells: parts.bells.clone(),
        analyser: parts.runner.analyser(),
        environments: environments(&parts.runner, options.role),
        isolation: parts.isolation.clone(),
        keys,
        clock: parts.clock.clone(),
        issuer: "bifrost".to_owned(),
        secure_cookies: public_url.is_some_and(|url| url.starts_with("https://")),
        leaving: parts.leaving.clone(),
    })?;
    let (router, stop) = (api::router(state), parts.leaving.stopping.clone());
    Ok(tokio::spawn(async move {
        api::serve(listener, router, ServerLimits::default(), stop).await;
        Ok(())
    }))
}

fn serve_probes(parts: &Parts, listener: TcpListener) -> JoinHandle<anyhow::Result<()>> {
    let (store, cache, leaving) = (parts.store.clone(), parts.cache.clone(), parts.leaving.clone());
    let stop = leaving.stopping.clone();
    let router = api::probes(Vitals { store, cache, leaving });
    tokio::spawn(async move {
        api::serve(listener, router, ServerLimits::default(), stop).await;
        Ok(())
    })
}

/// Goes on with purges that a server before this one did not finish.
fn finish_purges(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let (system, stop) = (parts.store.system(Reason::Organizations), parts.stop.clone());
    let cache = parts.cache.clone();
    tokio::spawn(async move {
        let purges = async {
            for id in system.purges().await? {
                system.purge(id).await?;
                cache.forget(Scope::Organization(id)).await;
                talk::say("an organization whose purge was interrupted is gone now");
            }
            Ok::<_, store::StoreError>(())
        };
        tokio::select! {
            () = stop.cancelled() => {}
            purged = purges => if let Err(error) = purged {
                talk::say(&format!("a purge is not finished; the next start tries again: {error}"));
            }
        }
        Ok(())
    })
}

/// Loads what every run needs before the first one asks, while the server is already ready.
fn warm_up(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let (runner, stop) = (parts.runner.clone(), parts.stop.clone());
    tokio::spawn(async move {
        let access = admin::operator(Scope::Global);
        tokio::select! {
            () = stop.cancelled() => {}
            () = runner.warm_up(&access) => {}
        }
        Ok(())
    })
}

/// Who builds packages: a process that runs nothing leaves it to those that do.
fn environments(runner: &Runner, role: Role) -> Arc<dyn Builder> {
    let builder = runner.environments();
    match role {
        Role::Api => Arc::new(Elsewhere { python: builder.python() }),
        Role::All | Role::Worker => builder,
    }
}

/// Lets go of what the runner has and nobody needs.
fn keep(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let (runner, stop) = (parts.runner.clone(), parts.stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            never = runner.keep() => match never {},
        }
        Ok(())
    })
}

fn serve_work(parts: &Parts, options: &Serve) -> JoinHandle<anyhow::Result<()>> {
    let work = Work::new(parts.store.clone(), parts.bells.clone(), parts.clock.clone());
    let worker = Worker::new(parts.runner.clone(), work, parts.clock.clone(), options.concurrency);
    let (stop, drain) = (parts.stop.clone(), options.drain);
    tokio::spawn(async move {
        worker.run(stop, drain).await;
        Ok(())
    })
}

/// Lets other processes on the database hear what happens here, and the other way round.
fn serve_bells(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let (store, bells, stop) = (parts.store.clone(), parts.bells.clone(), parts.stop.clone());
    tokio::spawn(async move {
        jobs::carry_bells(store, bells, stop).await;
        Ok(())
    })
}

fn serve_schedules(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let ticker = Ticker::new(parts.store.clone(), parts.bells.clone(), parts.clock.clone());
    let stop = parts.stop.clone();
    tokio::spawn(async move {
        ticker.run(stop).await;
        Ok(())
    })
}

fn serve_retention(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let retention = Retention::new(parts.store.clone(), parts.clock.clone(), RETENTION);
    let stop = parts.stop.clone();
    tokio::spawn(async move {
        retention.run(stop).await;
        Ok(())
    })
}
