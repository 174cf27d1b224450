//! The bundles of every scope that runs: built once per generation, kept while there is room.

mod built;
mod compiling;
mod shelf;
#[cfg(test)]
mod tests;
mod warming;

pub(crate) use built::Bundle;

use crate::{
    sources::{SourceError, Sources},
    zygote::{Pool, Pools},
};
use domain::{Access, Scope, execution::LoadedModule};
use shelf::{Shelf, Slot};
use std::{io, sync::Arc};
use warming::Warming;

/// Which bundle is wanted.
pub(crate) struct Wanted<'a> {
    /// The right to read it.
    pub access: &'a Access,
    /// Whose: the access's own scope, or Global.
    pub owner: Scope,
    /// The scope's name in origins.
    pub slug: &'a str,
    /// At least this generation.
    pub generation: i64,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBundle {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The cache of bundles; cheap to clone.
#[derive(Clone)]
pub(crate) struct Bundles {
    inner: Arc<Inner>,
}

struct Inner {
    sources: Sources,
    shelf: Shelf,
    tools: Arc<Pool>,
    warming: Warming,
}

impl Bundles {
    pub(crate) fn new(sources: Sources, budget: u64, tools: Arc<Pool>, runs: Arc<Pools>) -> Self {
        let (shelf, warming) = (Shelf::new(budget), Warming::new(runs));
        Self { inner: Arc::new(Inner { sources, shelf, tools, warming }) }
    }

    /// The bundle of a scope at the wanted generation or a later one.
    pub(crate) async fn get(&self, wanted: Wanted<'_>) -> Result<Arc<Bundle>, NoBundle> {
        let slot = self.inner.shelf.slot(wanted.owner);
        if let Some(bundle) = slot.current(wanted.generation) {
            return Ok(bundle);
        }
        // One builds, the others of this scope wait for it.
        let _building = slot.building.lock().await;
        if let Some(bundle) = slot.current(wanted.generation) {
            return Ok(bundle);
        }
        let previous = slot.latest();
        let bundle = built::build(&self.inner.sources, &wanted, previous.as_deref()).await?;
        let bundle = Arc::new(bundle);
        slot.put(bundle.clone());
        self.inner.shelf.make_room();
        self.compile_later(slot.clone(), wanted.owner);
        Ok(bundle)
    }

    /// Learns from what a run has loaded which of Global's modules to hold ready.
    pub(crate) fn learn(&self, modules: &[LoadedModule]) {
        if self.inner.warming.learn(modules) {
            self.warm_later();
        }
    }

    /// Compiles what has no code yet, in the background: no run waits for it.
    fn compile_later(&self, slot: Arc<Slot>, owner: Scope) {
        if !slot.start_compiling() {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(bundle) = slot.next_to_compile() {
                if let Err(error) = compiling::compile(&this.inner.tools, &bundle, &slot).await {
                    // Costs time only: the runs compile for themselves.
                    tracing::warn!(%error, "a bundle could not be compiled ahead");
                }
                bundle.set_compiled();
                this.inner.shelf.make_room();
            }
            if owner == Scope::Global {
                this.warm_later();
            }
        });
    }

    fn warm_later(&self) {
        let slot = self.inner.shelf.slot(Scope::Global);
        if self.inner.warming.start() {
            let this = self.clone();
            tokio::spawn(async move { this.inner.warming.warm(&slot).await });
        }
    }
}
