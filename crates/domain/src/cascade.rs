//! The cascade: an organization's own wins over Global's, and of Global's a version that it holds
//! wins over the present one. The one rule for imports, files, workflows and explain.
//!
//! The same decision is taken once more in Python, by `bifrost_runtime.module_index`, because a
//! child looks its modules up itself; `python/tests/fixtures/cascade.json` holds the two equal.

use crate::{module_name::ModuleName, scope::Side};
use serde::{Deserialize, Serialize};

/// One thing each scope may have: the organization's own, else Global's, else nothing.
pub fn resolve<T>(own: Option<T>, global: Option<T>) -> Option<(Side, T)> {
    own.map(|thing| (Side::Own, thing)).or_else(|| global.map(|thing| (Side::Global, thing)))
}

/// In which of Python's forms a scope offers a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `a/b/__init__.py`
    Package,
    /// `a/b.py`
    Module,
    /// Files under `a/b/`, but neither of the above.
    Namespace,
}

/// What one scope has under the places of one module name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer<T> {
    /// The file `a/b/__init__.py`.
    pub package: Option<T>,
    /// The file `a/b.py`.
    pub module: Option<T>,
    /// Whether any file lies under `a/b/`.
    pub directory: bool,
}

impl<T> Offer<T> {
    /// The file that stands for this scope, in Python's own order: a package hides a module.
    fn file(self) -> Option<(Form, T)> {
        let module = self.module.map(|file| (Form::Module, file));
        self.package.map(|file| (Form::Package, file)).or(module)
    }
}

/// What a module name means for one organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution<T> {
    /// One scope's file.
    File {
        /// Whose.
        side: Side,
        /// Package or module.
        form: Form,
        /// The file.
        file: T,
    },
    /// A namespace package over both scopes.
    Namespace,
    /// Neither scope has it: the next finder's turn.
    None,
}

/// Decides one module name from what the two scopes offer for it.
///
/// The first scope with a file wins, whichever form the other has; a directory alone never
/// hides a file.
pub fn resolve_module<T>(own: Offer<T>, global: Offer<T>) -> Resolution<T> {
    let directory = own.directory || global.directory;
    match resolve(own.file(), global.file()) {
        Some((side, (form, file))) => Resolution::File { side, form, file },
        None if directory => Resolution::Namespace,
        None => Resolution::None,
    }
}

/// What Global offers to an organization that holds some of its files: a file that is held stands
/// where Global's would, whatever form Global has by now.
pub fn held<T>(pinned: Offer<T>, global: Offer<T>) -> Offer<T> {
    let directory = pinned.directory || global.directory;
    let holds = pinned.package.is_some() || pinned.module.is_some();
    let offer = if holds { pinned } else { global };
    Offer { directory, ..offer }
}

/// What an organization sees of one module name, in the order in which it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers<T> {
    /// The organization's own.
    pub own: Offer<T>,
    /// Global's files that the organization holds at a version.
    pub pinned: Offer<T>,
    /// Global's as they are.
    pub global: Offer<T>,
}

impl<T> Offers<T> {
    /// What the name means.
    pub fn resolve(self) -> Resolution<T> {
        resolve_module(self.own, held(self.pinned, self.global))
    }
}

/// A file that could have been a module, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<T> {
    /// Whose.
    pub side: Side,
    /// Whether the organization holds this version of Global's file.
    pub pinned: bool,
    /// What it would be.
    pub form: Form,
    /// The path, a directory for a namespace.
    pub path: String,
    /// The file; `None` for a namespace.
    pub file: Option<T>,
    /// Whether an import gets this one.
    pub chosen: bool,
    /// A sentence for people.
    pub reason: &'static str,
}

impl<T> Resolution<T> {
    /// Whether this is a plain module: as everywhere in Python, nothing can be imported below it,
    /// whatever lies in a directory of its name.
    pub fn hides_what_is_below(&self) -> bool {
        matches!(self, Self::File { form: Form::Module, .. })
    }
}

/// All candidates for `name` in the order in which they are asked, with the reason for each.
/// `hidden` says that a name above it is a plain module.
///
/// The winner is the chosen one: this asks [`Offers::resolve`] and only words its decision.
pub fn explain<T: Clone>(name: &ModuleName, offers: &Offers<T>, hidden: bool) -> Vec<Candidate<T>> {
    let resolution = match hidden {
        true => Resolution::None,
        false => offers.clone().resolve(),
    };
    let holds = offers.pinned.clone().file().is_some();
    let [own, pinned, global] = [
        (Side::Own, false, &offers.own),
        (Side::Global, true, &offers.pinned),
        (Side::Global, false, &offers.global),
    ];
    [own, pinned, global]
        .into_iter()
        .flat_map(|(side, pinned, offer)| candidates(name, (side, pinned), offer))
        .map(|candidate| judge(candidate, &resolution, holds))
        .collect()
}

fn candidates<T: Clone>(
    name: &ModuleName,
    (side, pinned): (Side, bool),
    offer: &Offer<T>,
) -> impl Iterator<Item = Candidate<T>> {
    let places = name.places();
    let package = offer.package.clone().map(|file| (Form::Package, places.package, Some(file)));
    let module = offer.module.clone().map(|file| (Form::Module, places.module, Some(file)));
    let namespace =
        (offer.directory && package.is_none()).then_some((Form::Namespace, places.directory, None));
    [package, module, namespace].into_iter().flatten().map(move |(form, path, file)| Candidate {
        side,
        pinned,
        form,
        path,
        file,
        chosen: false,
        reason: "",
    })
}

/// `holds` says that the organization holds a file of Global that the name could be.
fn judge<T>(mut candidate: Candidate<T>, resolution: &Resolution<T>, holds: bool) -> Candidate<T> {
    let same_layer = |side: Side| match side {
        Side::Own => candidate.side == Side::Own,
        Side::Global => candidate.side == Side::Global && candidate.pinned == holds,
    };
    let (chosen, reason) = match resolution {
        Resolution::File { side, form, .. } if same_layer(*side) => {
            match (*form == candidate.form, candidate.form) {
                (true, _) if *side == Side::Own => (true, "the organization's own file wins"),
                (true, _) if candidate.pinned => (true, "the organization holds this version"),
                (true, _) => (true, "the organization has no file of this name"),
                (false, Form::Namespace) => (false, "a directory never hides a file"),
                (false, _) => (false, "a package hides a module of the same name"),
            }
        }
        Resolution::File { side: Side::Own, .. } => (false, "the organization's own file wins"),
        Resolution::File { .. } if candidate.form == Form::Namespace => {
            (false, "a directory never hides a file")
        }
        Resolution::File { .. } => (false, "the organization holds another version"),
        Resolution::Namespace => (true, "a namespace package over both scopes"),
        Resolution::None => (false, "a name above it is a plain module, which has no submodules"),
    };
    candidate.chosen = chosen;
    candidate.reason = reason;
    candidate
}

/// What an organization sees of one path, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathOffers<T> {
    /// The organization's own.
    pub own: Option<T>,
    /// Global's at the version that the organization holds.
    pub pinned: Option<T>,
    /// Global's as it is.
    pub global: Option<T>,
}

/// A content that a path could have, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCandidate<T> {
    /// Whose.
    pub side: Side,
    /// Whether the organization holds this version of Global's file.
    pub pinned: bool,
    /// The file.
    pub file: T,
    /// Whether a read gets this one.
    pub chosen: bool,
    /// A sentence for people.
    pub reason: &'static str,
}

/// All candidates for one path in the order in which they are asked; the first is the chosen one.
pub fn explain_path<T>(offers: PathOffers<T>) -> Vec<PathCandidate<T>> {
    let PathOffers { own, pinned, global } = offers;
    let (has_own, holds) = (own.is_some(), pinned.is_some());
    let candidate = |side, pinned, chosen, reason| {
        move |file| PathCandidate { side, pinned, file, chosen, reason }
    };
    let wins = "the organization's own file wins";
    let of_pin = if has_own { wins } else { "the organization holds this version" };
    let of_global = match (has_own, holds) {
        (true, _) => wins,
        (false, true) => "the organization holds another version",
        (false, false) => "the organization has no file of this name",
    };
    let own = own.map(candidate(Side::Own, false, true, wins));
    let pinned = pinned.map(candidate(Side::Global, true, !has_own, of_pin));
    let global = global.map(candidate(Side::Global, false, !has_own && !holds, of_global));
    [own, pinned, global].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
