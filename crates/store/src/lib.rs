//! The only room with SQL: one file per noun, behind a tenant gate and a statement guard.
//!
//! Nothing can be asked of a [`Store`] itself. [`Store::scoped`] gives one organization's view and
//! needs an [`domain::Access`]; [`Store::system`] is for caretakers that serve all organizations
//! and names its reason. Every statement passes the [`guard`] on its way to the database.

pub mod guard;

mod api_keys;
mod audit;
mod cancel;
mod children;
mod config;
mod config_writes;
mod console_sessions;
mod data_keys;
mod db;
mod engine;
mod enqueue;
mod environment_locks;
mod error;
mod execution_files;
mod execution_logs;
mod executions;
mod explaining;
mod file_contents;
mod file_deletes;
mod file_index;
mod file_versions;
mod file_writes;
mod files;
mod gate;
mod health;
mod key_rotation;
mod keyring;
mod master_key;
mod master_rotation;
mod migrations;
mod modules;
mod moving;
mod news;
mod organizations;
mod overrides;
mod pins;
mod postgres;
mod purge;
mod queue;
mod rebasing;
mod refresh_tokens;
mod retention;
mod row;
mod schedule_checks;
mod schedule_plans;
mod schedule_starts;
mod schedules;
mod sealing;
mod sessions;
mod settings;
mod setup_links;
mod sides;
mod sqlite;
mod users;
mod workflow_state;
mod workflows;

#[cfg(test)]
mod tests;

pub use api_keys::{ApiKey, NewApiKey};
pub use audit::{Audited, Chain, ListAudit};
pub use children::{ChildError, MAX_DEPTH};
pub use config::{ConfigEntry, ConfigValue, ListConfig, Revealed};
pub use config_writes::{ConfigWritten, DeleteConfigError, PutConfig, PutConfigError};
pub use console_sessions::{ConsoleSession, NewConsoleSession, SessionChange};
pub use db::{Reason, Scoped, Store, System};
pub use enqueue::{EnqueueError, Enqueued, NewExecution, PRIORITIES, Place};
pub use environment_locks::{EnvironmentLock, EnvironmentNews, EnvironmentStatus};
pub use error::StoreError;
pub use execution_files::{ExecutionFile, MAX_EXECUTION_FILE, NewExecutionFile};
pub use execution_logs::NumberedLine;
pub use executions::{Execution, ExecutionSummary, ListExecutions};
pub use explaining::ModuleNow;
pub use file_contents::NamedContent;
pub use file_deletes::DeleteFileError;
pub use file_index::{FileIndex, IndexedFile};
pub use file_versions::FileVersion;
pub use file_writes::{Precondition, WriteFile, WriteFileError, Written};
pub use files::{File, FileEntry, ListFiles, Shadowed, View};
pub use key_rotation::DiscardedSecrets;
pub use keyring::{MasterKeyState, UnlockError};
pub use master_key::{MasterKey, MasterKeyError, MasterKeySource};
pub use master_rotation::{MasterRotation, RotationError};
pub use migrations::MigrationState;
pub use modules::{ModuleFile, Offers};
pub use moving::{
    Content, Export, Exported, Footer, Header, Import, Imported, LeftOut, Manifest, MoveError,
    Progress, Tell, examine,
};
pub use news::{Heard, News, NewsListener, NewsTeller};
pub use organizations::{
    CreateOrganizationError, DeleteOrganizationError, NewOrganization, Organization,
    OrganizationChange, OrganizationStatus,
};
pub use overrides::{FileState, ListOverrides, OverrideEntry};
pub use pins::{PinEntry, PinError, PinFile};
pub use purge::{PurgeError, STATEMENTS as PURGE_STATEMENTS};
pub use queue::{
    Back, Beat, Claim, Claimed, ClaimedEntry, Ended, Finished, JobRefusal, Lease, Refused, Rescued,
};
pub use rebasing::{RebaseError, RevertError};
pub use refresh_tokens::{NewRefreshToken, RotateError, Rotation};
pub use retention::{Bite, Removed};
pub use schedule_starts::{ScheduleTick, TickOutcome};
pub use schedules::{PassedOver, ScheduleEntry, ScheduleProblem};
pub use sessions::{Holder, Session};
pub use settings::{SettingsChange, UpdateSettings, UpdateSettingsError, VersionedSettings};
pub use setup_links::SetupError;
pub use users::{ChangeUserError, CreateUserError, Credentials, NewUser, User, UserChange};
pub use workflow_state::{
    MAX_STATE_KEY, MAX_STATE_KEYS, MAX_STATE_VALUE, SetState, SetStateError, StateEntry,
};
pub use workflows::{WorkflowCandidate, WorkflowEntry};
