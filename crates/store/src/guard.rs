//! Stand-in until the guard lands.
#![allow(missing_docs)]
#[derive(Clone, Debug, thiserror::Error)]
#[error("x")]
pub struct Refusal;
#[derive(Clone, Copy)]
pub enum Mode {
    Tenant,
    System,
}
pub struct Guard;
pub const CATALOG: () = ();
impl Guard {
    pub fn new(_: ()) -> Self {
        Self
    }
    pub fn check(
        &self,
        _: &str,
        _: &[sea_orm::Value],
        _: uuid::Uuid,
        _: Mode,
    ) -> Result<(), Refusal> {
        Ok(())
    }
    pub fn checked(&self) -> u64 {
        0
    }
    pub fn refused(&self) -> u64 {
        0
    }
}
