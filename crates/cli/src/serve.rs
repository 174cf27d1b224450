//! `bifrost serve`: the rooms wired together into one process.

use crate::{
    arguments::Role,
    configuration::{Data, Serve},
    talk,
};
use anyhow::Context;
use api::{ApiParts, ApiState, SigningKeys};
use domain::OrganizationId;
use jobs::{Bells, Clock, Retention, SystemClock, Work};
use runner::{Runner, RunnerOptions, Worker};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};
use store::Store;
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
    store: Store,
    data: Data,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Server {
    /// Opens the database, starts Python and listens.
    pub async fn start(options: Serve) -> anyhow::Result<Self> {
        options.data.create_directory()?;
        let store = Store::create(&options.data.database_url).await?;
        store.unlock(options.data.master_key.clone(), SystemClock.now()).await?;
        let runner = start_runner(&options.data, store.clone(), options.python.clone()).await?;
        let parts = Parts {
            store: store.clone(),
            bells: Bells::default(),
            clock: Arc::new(SystemClock),
            runner,
            stop: CancellationToken::new(),
        };
        let mut tasks = Vec::new();
        let mut address = None;
        if options.role != Role::Worker {
            let listener = listen(options.listen).await?;
            address = Some(listener.local_addr()?);
            tasks.push(serve_http(&parts, listener, &options.data)?);
        }
        if options.role != Role::Api {
            tasks.push(serve_work(&parts, &options));
            tasks.push(serve_retention(&parts));
        }
        Ok(Self { address, store, data: options.data, stop: parts.stop, tasks })
    }

    /// The database it serves.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops taking requests and work, and waits for what runs.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }

    /// Says where the server is and what a new installation needs next.
    async fn greet(&self) -> anyhow::Result<()> {
        match self.address {
            Some(address) => talk::say(&format!("listening on http://{address}")),
            None => talk::say("working; not listening"),
        }
        let provider = domain::Scope::Organization(OrganizationId::PROVIDER);
        if !self.store.system(store::Reason::SignIn).has_users(provider).await? {
            let directory = self.data.directory.display();
            talk::say(&format!(
                "nobody can sign in yet; create the first admin with\n  bifrost admin create-user \
                 --organization provider --email you@example.com --role admin --password-stdin \
                 --data-dir {directory}"
            ));
        }
        Ok(())
    }
}

struct Parts {
    store: Store,
    bells: Bells,
    clock: Arc<dyn Clock>,
    runner: Runner,
    stop: CancellationToken,
}

/// Starts Python for a data directory.
async fn start_runner(
    data: &Data,
    store: Store,
    python: Option<PathBuf>,
) -> anyhow::Result<Runner> {
    let mut options = RunnerOptions::new(&data.directory);
    options.python = python;
    Ok(Runner::start(options, store).await?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}; choose another --listen"))
}

fn serve_http(
    parts: &Parts,
    listener: TcpListener,
    data: &Data,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let keys = SigningKeys::load_or_create(&data.directory)?;
    let state = ApiState::new(ApiParts {
        store: parts.store.clone(),
        bells: parts.bells.clone(),
        analyser: parts.runner.analyser(),
        keys,
        clock: parts.clock.clone(),
        issuer: "bifrost".to_owned(),
    })?;
    let service = api::router(state).into_make_service_with_connect_info::<SocketAddr>();
    let stop = parts.stop.clone();
    Ok(tokio::spawn(async move {
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        Ok(served.await?)
    }))
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

fn serve_retention(parts: &Parts) -> JoinHandle<anyhow::Result<()>> {
    let retention = Retention::new(parts.store.clone(), parts.clock.clone(), RETENTION);
    let stop = parts.stop.clone();
    tokio::spawn(async move {
        retention.run(stop).await;
        Ok(())
    })
}
