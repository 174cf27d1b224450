//! Organizations: the registry that every other table refers to.

use crate::{StoreError, System, db::Write, engine, purge, queue::lanes, row::FromRow, settings};
use domain::{Access, OrganizationId, Scope, Settings, Slug, Timestamp, audit::Event};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// A tenant, or Global.
#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    /// Which.
    pub scope: Scope,
    /// Its short name, never changed.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// Whether it may do anything.
    pub status: OrganizationStatus,
    /// Whether its admins may act in others.
    pub is_provider: bool,
    /// Its settings.
    pub settings: Settings,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Whether an organization may do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationStatus {
    /// Yes.
    Active,
    /// Nobody of it may sign in, nothing of it runs.
    Suspended,
}

/// What a new organization needs.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// A fresh id.
    pub id: OrganizationId,
    /// Its short name.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The present.
    pub now: Timestamp,
}

/// What of an organization can change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it may do anything.
    pub status: Option<OrganizationStatus>,
}

/// Why an organization was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateOrganizationError {
    /// Another one has the slug.
    #[error("an organization `{0}` exists already")]
    SlugTaken(Slug),
    /// The platform keeps the slug for itself.
    #[error("the slug `{0}` is reserved; choose another one")]
    Reserved(Slug),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an organization was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteOrganizationError {
    /// It still has files, users or executions.
    #[error("the organization is not empty")]
    NotEmpty,
    /// The provider cannot go.
    #[error("the provider organization cannot be deleted")]
    Provider,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    slug: String,
    name: String,
    status: String,
    is_provider: bool,
    settings_json: String,
    created_at: i64,
}

impl TryFrom<Row> for Organization {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            scope: Scope::from_column(row.id),
            slug: Slug::parse(&row.slug).map_err(|e| StoreError::unreadable("slug", e))?,
            name: row.name,
            status: OrganizationStatus::from_column(&row.status),
            is_provider: row.is_provider,
            settings: settings::read(&row.settings_json).settings,
            created_at: Timestamp(row.created_at),
        })
    }
}

impl OrganizationStatus {
    /// The status a column speaks of; what is not `active` may do nothing.
    pub(crate) fn from_column(word: &str) -> Self {
        if word == "active" { Self::Active } else { Self::Suspended }
    }

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

const BY_SLUG: &str = "SELECT id, slug, name, status, is_provider, settings_json, created_at
    FROM organizations WHERE slug = $1";
const BY_ID: &str = "SELECT id, slug, name, status, is_provider, settings_json, created_at
    FROM organizations WHERE id = $1";
const PAGE: &str = "SELECT id, slug, name, status, is_provider, settings_json, created_at
    FROM organizations WHERE id > $1 ORDER BY id LIMIT $2";
const INSERT: &str = "INSERT INTO organizations
    (id, slug, name, status, is_provider, settings_json, settings_version, generation, created_at)
    VALUES ($1, $2, $3, 'active', FALSE, '{}', 1, 0, $4)
    ON CONFLICT (slug) DO NOTHING";
const UPDATE: &str = "UPDATE organizations
    SET name = COALESCE($2, name), status = COALESCE($3, status)
    WHERE id = $1 AND purge_started_at IS NULL";
const DELETE: &str = "DELETE FROM organizations WHERE id = $1";
const STOP_RUNS: &str = "UPDATE job_queue SET cancel_requested = TRUE WHERE organization_id = $1";
const BEGIN_PURGE: &str = "UPDATE organizations SET purge_started_at = $2 WHERE id = $1";

impl System {
    /// The organization with this short name; Global and the provider have one too.
    pub async fn organization_by_slug(
        &self,
        slug: &Slug,
    ) -> Result<Option<Organization>, StoreError> {
        let row = self.gate().one::<Row, 1>(BY_SLUG, [slug.as_str().into()]).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// The organization of a scope.
    pub async fn organization(&self, scope: Scope) -> Result<Option<Organization>, StoreError> {
        let row = self.gate().one::<Row, 1>(BY_ID, [scope.column().into()]).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Organizations by id, without Global.
    pub async fn organizations(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Organization>, StoreError> {
        let after = after.unwrap_or_else(Uuid::nil);
        let rows = self.gate().all::<Row, 2>(PAGE, [after.into(), i64::from(limit).into()]).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Creates an organization with the default settings.
    pub async fn create_organization(
        &self,
        new: NewOrganization,
        by: &Access,
    ) -> Result<Organization, CreateOrganizationError> {
        if new.slug.is_reserved() {
            return Err(CreateOrganizationError::Reserved(new.slug));
        }
        let values =
            [new.id.0.into(), new.slug.as_str().into(), new.name.clone().into(), new.now.0.into()];
        let write = self.write(by.scope()).await?;
        if write.system().run(INSERT, values).await? == 0 {
            return Err(CreateOrganizationError::SlugTaken(new.slug));
        }
        let event = || {
            Event::done("organization.create", new.slug.as_str()).with(json!({ "name": new.name }))
        };
        let scope = Scope::Organization(new.id);
        let settings = Settings::default();
        lanes::open(&write.tenant(scope), scope, &settings).await?;
        both(&write, by, scope, event, new.now).await?;
        write.commit().await?;
        Ok(Organization {
            scope,
            slug: new.slug,
            name: new.name,
            status: OrganizationStatus::Active,
            is_provider: false,
            settings,
            created_at: new.now,
        })
    }

    /// Changes an organization; the changed one, or nothing if there is none. Suspending one also
    /// stops what of it is running.
    pub async fn update_organization(
        &self,
        id: OrganizationId,
        change: OrganizationChange,
        by: &Access,
        now: Timestamp,
    ) -> Result<Option<Organization>, StoreError> {
        let status = change.status.map(OrganizationStatus::as_str);
        let detail = json!({ "name": change.name, "status": status });
        let scope = Scope::Organization(id);
        let write = self.write(scope).await?;
        let gate = write.system();
        // One that is being purged does not come back.
        if gate.run(UPDATE, [id.0.into(), change.name.into(), status.into()]).await? == 0 {
            return Ok(None);
        }
        let row = gate.one::<Row, 1>(BY_ID, [id.0.into()]).await?;
        let Some(row) = row else { return Ok(None) };
        if change.status == Some(OrganizationStatus::Suspended) {
            write.tenant(scope).run(STOP_RUNS, [id.0.into()]).await?;
        }
        let changed = Organization::try_from(row)?;
        let slug = changed.slug.as_str();
        let event = || Event::done("organization.update", slug).with(detail.clone());
        both(&write, by, scope, event, now).await?;
        write.commit().await?;
        Ok(Some(changed))
    }

    /// Deletes an organization that has nothing; whether there was one.
    pub async fn delete_organization(
        &self,
        id: OrganizationId,
        by: &Access,
        now: Timestamp,
    ) -> Result<bool, DeleteOrganizationError> {
        if id == OrganizationId::PROVIDER {
            return Err(DeleteOrganizationError::Provider);
        }
        let scope = Scope::Organization(id);
        let write = self.write(scope).await?;
        let found = write.system().one::<Row, 1>(BY_ID, [id.0.into()]).await?;
        let Some(found) = found.map(Organization::try_from).transpose()? else {
            return Ok(false);
        };
        // Its audit and the history of its settings go with it; that it is gone stays in the audit
        // of whoever deleted it.
        write.system().run(BEGIN_PURGE, [id.0.into(), now.0.into()]).await?;
        let own = write.tenant(scope);
        lanes::close(&own, scope).await?;
        for sql in purge::statements_of(["settings_history", "audit_log", "audit_heads"]) {
            own.run(sql, [id.0.into(), i64::MAX.into()]).await?;
        }
        match write.system().run(DELETE, [id.0.into()]).await {
            Ok(_) => {
                let event = Event::done("organization.delete", found.slug.as_str())
                    .with(json!({ "name": found.name }));
                write.audit(by.scope(), by.actor(), event, now).await?;
                write.commit().await?;
                Ok(true)
            }
            Err(StoreError::Database(error)) if engine::is_foreign_key(&error) => {
                Err(DeleteOrganizationError::NotEmpty)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What the provider does to an organization is in the audits of both.
async fn both(
    write: &Write<'_>,
    by: &Access,
    organization: Scope,
    event: impl Fn() -> Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let told = [by.scope(), organization].map(|owner| (owner, event()));
    write.audit_each(told, by.actor(), now).await
}
