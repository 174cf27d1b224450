//! Attacks of one organization on another: what a faulty or hostile part of the program could try.
//!
//! Each attack is a statement such as a store without types could run for somebody of Globex, and
//! the nearest thing that the methods of `Scoped` allow.

use crate::{
    DeleteFileError, ListAudit, ListExecutions, ListFiles, NewUser, Precondition, Scoped,
    UserChange, View, WriteFile, tests::ablation::Target,
};
use domain::{
    FilePath, Role, Timestamp, UserId,
    execution::{LogLevel, LogLine},
};
use sea_orm::Value;
use uuid::Uuid;

/// The nearest thing to an attack that types allow; what it is told.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    ReadUser,
    ListUsers,
    ReadFile,
    ListFiles,
    ReadIndex,
    ReadExecution,
    ListExecutions,
    ReadLogs,
    ReadAudit,
    ChangeUser,
    DeleteUser,
    CreateUser,
    WriteFile,
    DeleteFile,
    AppendLogs,
    Cancel,
}

/// One attack.
pub struct Attack {
    /// What it wants.
    pub name: &'static str,
    /// `$1` the attacker's organization, `$2` the victim's, `$3` the victim's user or execution.
    pub sql: &'static str,
    /// Which of those three the statement is given, in order.
    pub values: &'static [What],
    /// What the types leave of it.
    pub allowed: Allowed,
}

/// A value of a statement.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Own,
    Victim,
    User,
    Execution,
    OwnUser,
}

use Allowed as A;
use What::{Execution, Own, OwnUser, User, Victim};

const fn attack(
    name: &'static str,
    sql: &'static str,
    values: &'static [What],
    allowed: Allowed,
) -> Attack {
    Attack { name, sql, values, allowed }
}

/// All of them. A statement that reads calls what it finds `seen`.
pub const ATTACKS: &[Attack] = &[
    attack("read all users", "SELECT email AS seen FROM users", &[], A::ListUsers),
    attack(
        "read a user by id alone",
        "SELECT email AS seen FROM users WHERE id = $1",
        &[User],
        A::ReadUser,
    ),
    attack(
        "read with the organization bound to another's",
        "SELECT email AS seen FROM users WHERE organization_id = $1 AND id = $2",
        &[Victim, User],
        A::ReadUser,
    ),
    attack(
        "read beside one's own",
        "SELECT email AS seen FROM users WHERE organization_id IN ($1, $2)",
        &[Own, Victim],
        A::ListUsers,
    ),
    attack(
        "read all but one's own",
        "SELECT email AS seen FROM users WHERE organization_id <> $1",
        &[Own],
        A::ListUsers,
    ),
    attack(
        "read through an OR",
        "SELECT email AS seen FROM users WHERE organization_id = $1 OR id = $2",
        &[Own, User],
        A::ReadUser,
    ),
    attack(
        "read through a join",
        "SELECT e.inputs_json AS seen FROM users u JOIN executions e ON e.workflow <> u.email \
         WHERE u.organization_id = $1",
        &[Own],
        A::ReadExecution,
    ),
    attack(
        "read through a sub-select",
        "SELECT (SELECT max(email) FROM users WHERE organization_id = $2) AS seen FROM users \
         WHERE organization_id = $1",
        &[Own, Victim],
        A::ReadUser,
    ),
    attack(
        "read through a union",
        "SELECT email AS seen FROM users WHERE organization_id = $1 UNION ALL \
         SELECT inputs_json FROM executions",
        &[Own],
        A::ListExecutions,
    ),
    attack(
        "read through a common table expression",
        "WITH all_of_them AS (SELECT * FROM users) SELECT email AS seen FROM all_of_them",
        &[],
        A::ListUsers,
    ),
    attack(
        "read the content of files",
        "SELECT CAST(content AS text) AS seen FROM workspace_file_versions",
        &[],
        A::ReadFile,
    ),
    attack(
        "read the index of another's files",
        "SELECT path AS seen FROM workspace_files WHERE organization_id = $1",
        &[Victim],
        A::ReadIndex,
    ),
    attack("list files", "SELECT path AS seen FROM workspace_files", &[], A::ListFiles),
    attack(
        "read a log",
        "SELECT message AS seen FROM execution_logs WHERE execution_id = $1",
        &[Execution],
        A::ReadLogs,
    ),
    attack("read an audit", "SELECT actor AS seen FROM audit_log", &[], A::ReadAudit),
    attack(
        "change a user by id alone",
        "UPDATE users SET role = 'admin' WHERE id = $1",
        &[User],
        A::ChangeUser,
    ),
    attack("delete a user by id alone", "DELETE FROM users WHERE id = $1", &[User], A::DeleteUser),
    attack(
        "add a user to another organization",
        "INSERT INTO users (organization_id, id, email, name, role, active, epoch, created_at) \
         VALUES ($1, $2, 'a@evil.test', 'A', 'admin', TRUE, 1, 0)",
        &[Victim, OwnUser],
        A::CreateUser,
    ),
    attack(
        "move a user into another organization",
        "UPDATE users SET organization_id = $2 WHERE organization_id = $1 AND id = $3",
        &[Own, Victim, OwnUser],
        A::ChangeUser,
    ),
    attack(
        "take an execution from another organization",
        "UPDATE executions SET organization_id = $1 WHERE id = $2",
        &[Own, Execution],
        A::ReadExecution,
    ),
    attack(
        "change a file's owner by an upsert",
        "INSERT INTO users (organization_id, id, email, name, role, active, epoch, created_at) \
         VALUES ($1, $3, 'x', 'x', 'viewer', TRUE, 1, 0) \
         ON CONFLICT (organization_id, id) DO UPDATE SET organization_id = $2",
        &[Own, Victim, OwnUser],
        A::CreateUser,
    ),
    attack("overwrite a file", "UPDATE workspace_files SET size = 666", &[], A::WriteFile),
    attack(
        "delete a file by path alone",
        "DELETE FROM workspace_files WHERE path = 'secret.py'",
        &[],
        A::DeleteFile,
    ),
    attack(
        "write into a log",
        "INSERT INTO execution_logs (organization_id, execution_id, seq, time, level, message) \
         VALUES ($1, $2, 99, 0, 'info', 'evil')",
        &[Victim, Execution],
        A::AppendLogs,
    ),
    attack(
        "cancel an execution",
        "UPDATE job_queue SET cancel_requested = TRUE WHERE execution_id = $1",
        &[Execution],
        A::Cancel,
    ),
    attack(
        "change an audit",
        "UPDATE audit_log SET actor = 'nobody' WHERE organization_id = $1",
        &[Victim],
        A::ReadAudit,
    ),
    attack(
        "delete an audit",
        "DELETE FROM audit_log WHERE organization_id = $1",
        &[Victim],
        A::ReadAudit,
    ),
    attack(
        "delete an organization",
        "DELETE FROM organizations WHERE id = $1",
        &[Victim],
        A::ListUsers,
    ),
    attack(
        "suspend an organization",
        "UPDATE organizations SET status = 'suspended' WHERE id = $1",
        &[Victim],
        A::ListUsers,
    ),
];

impl Attack {
    /// The statement's values.
    pub fn bound(&self, victim: &Target) -> Vec<Value> {
        let value = |what: &What| match what {
            Own => victim.attacker.column().into(),
            Victim => victim.scope.column().into(),
            User => victim.user.0.into(),
            Execution => victim.execution.0.into(),
            OwnUser => victim.attackers_user.0.into(),
        };
        self.values.iter().map(value).collect()
    }
}

impl Allowed {
    /// Does it as somebody of Globex, and tells everything that came back.
    pub async fn tell(self, scoped: &Scoped, victim: &Target) -> String {
        let now = Timestamp(0);
        let path = FilePath::parse("secret.py").unwrap();
        match self {
            A::ReadUser => format!("{:?}", scoped.user(victim.user).await),
            A::ListUsers => format!("{:?}", scoped.users(None, 100).await),
            A::ReadFile => format!(
                "{:?} {:?}",
                scoped.file(&path, View::Effective, Some(1)).await,
                scoped.contents(victim.scope, &[("secret.py".to_owned(), 1)]).await
            ),
            A::ListFiles => {
                let (prefix, view, after, limit) = (String::new(), View::Effective, None, 100);
                format!("{:?}", scoped.files(ListFiles { prefix, view, after, limit }).await)
            }
            A::ReadIndex => format!("{:?}", scoped.file_index(victim.scope).await),
            A::ReadExecution => format!("{:?}", scoped.execution(victim.execution).await),
            A::ListExecutions => {
                let list = ListExecutions {
                    status: None,
                    workflow: None,
                    options: false,
                    before: None,
                    limit: 100,
                };
                format!("{:?}", scoped.executions(list).await)
            }
            A::ReadLogs => format!("{:?}", scoped.logs(victim.execution, 0, 100).await),
            A::ReadAudit => {
                let list = ListAudit { limit: 100, ..ListAudit::default() };
                format!("{:?}", scoped.audit_entries(list).await)
            }
            A::ChangeUser => {
                let change = UserChange { role: Some(Role::Admin), ..UserChange::default() };
                format!("{:?}", scoped.update_user(victim.user, change, now).await)
            }
            A::DeleteUser => format!("{:?}", scoped.delete_user(victim.user, now).await),
            A::CreateUser => {
                let (email, name) = ("a@evil.test".to_owned(), "A".to_owned());
                let (id, role) = (UserId(Uuid::now_v7()), Role::Admin);
                let new = NewUser { id, email, name, role, password_hash: None, now };
                format!("{:?}", scoped.create_user(new).await)
            }
            A::WriteFile => {
                let write = WriteFile {
                    path,
                    content: b"evil",
                    message: None,
                    source: "api",
                    precondition: Precondition::Any,
                    workflows: Vec::new(),
                    now,
                };
                format!("{:?}", scoped.write_file(write).await)
            }
            A::DeleteFile => {
                let deleted = scoped.delete_file(&path, Precondition::Any, now).await;
                assert!(matches!(deleted, Err(DeleteFileError::NotThere)));
                String::new()
            }
            A::AppendLogs => {
                let message = "evil".to_owned();
                let line = LogLine { time: now, level: LogLevel::Info, message };
                format!("{:?}", scoped.append_logs(victim.execution, &[line]).await)
            }
            A::Cancel => format!("{:?}", scoped.request_cancel(victim.execution, now).await),
        }
    }
}
