//! What the walls around a run are worth on this machine, as an attack on each has shown.

use serde::Serialize;

/// All walls, in the order in which a run meets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Posture {
    /// One each; names are unique.
    pub walls: Vec<Wall>,
}

/// One wall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wall {
    /// In lower case with underscores, such as `system_calls`; it does not change.
    pub name: &'static str,
    /// Whether a server refuses to start without it, unless it was told to do its best.
    pub required: bool,
    /// Whether the attack on it failed, as it should.
    pub holds: bool,
    /// What it is made of here; if it does not hold, what happened and what to do.
    pub how: String,
}

impl Posture {
    /// The required walls that do not hold.
    pub fn missing(&self) -> impl Iterator<Item = &Wall> {
        self.walls.iter().filter(|wall| wall.required && !wall.holds)
    }

    /// Whether every required wall holds.
    pub fn is_whole(&self) -> bool {
        self.missing().next().is_none()
    }
}
