//! Whether the database answers.

use crate::{StoreError, System, row::FromRow};
use domain::Scope;

#[derive(FromRow)]
struct Row {
    #[expect(dead_code, reason = "that there is an answer is the answer")]
    generation: i64,
}

const PROBE: &str = "SELECT generation FROM organizations WHERE id = $1";

impl System {
    /// Asks the database for one row.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.gate().one::<Row, 1>(PROBE, [Scope::Global.column().into()]).await?;
        Ok(())
    }
}
