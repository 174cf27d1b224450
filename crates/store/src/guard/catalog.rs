//! The tables that the guard knows; a new table is one line.

/// Every table of the product.
pub const CATALOG: Catalog = Catalog {
    tables: &[
        Table::new("organizations", Kind::Organization).for_caretakers(),
        Table::new("seaql_migrations", Kind::Platform).for_caretakers(),
        Table::new("users", Kind::Tenant),
        Table::new("refresh_tokens", Kind::Tenant),
        Table::new("workspace_files", Kind::Shared),
        Table::new("workspace_file_versions", Kind::Shared),
        Table::new("workflows", Kind::Shared),
        Table::new("file_pins", Kind::Tenant),
        Table::new("pinned_workflows", Kind::Tenant),
        Table::new("executions", Kind::Tenant),
        Table::new("execution_logs", Kind::Tenant),
        Table::new("execution_files", Kind::Tenant),
        Table::new("workflow_state", Kind::Tenant),
        Table::new("job_queue", Kind::Tenant).for_caretakers(),
        Table::new("queue_lanes", Kind::Tenant).for_caretakers(),
        Table::new("api_keys", Kind::Tenant),
        Table::new("console_sessions", Kind::Tenant),
        Table::new("setup_links", Kind::Tenant),
        Table::new("audit_log", Kind::Tenant).append_only(),
        Table::new("audit_heads", Kind::Tenant),
        Table::new("settings_history", Kind::Tenant).append_only(),
        Table::new("config_values", Kind::Shared),
        Table::new("data_keys", Kind::Shared).for_caretakers(),
        Table::new("schedules", Kind::Tenant),
        Table::new("schedule_ticks", Kind::Tenant).for_caretakers(),
        Table::new("schedule_checks", Kind::Tenant).for_caretakers(),
        Table::new("master_key_check", Kind::Platform).for_caretakers(),
        Table::new("environment_locks", Kind::Shared),
        Table::new("imports", Kind::Platform).for_caretakers(),
    ],
};

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub struct Catalog {
    /// The tables, in any order, names in lower case.
    pub tables: &'static [Table],
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name: &'static str,
    kind: Kind,
    caretakers: bool,
    append_only: bool,
}

/// To whom a table's rows belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To the organization in `organization_id`.
    Tenant,
    /// As [`Kind::Tenant`], and those of Global may be read by everyone.
    Shared,
    /// The organizations themselves: `id` says which. A tenant can read and update its own.
    Organization,
    /// To the platform: no tenant reads or writes it.
    Platform,
}

impl Catalog {
    /// The table called `name`, in lower case.
    pub fn table(&self, name: &str) -> Option<&'static Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    /// A table that caretakers can't touch.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, caretakers: false, append_only: false }
    }

    /// The same table, open to [`super::Mode::System`].
    pub const fn for_caretakers(self) -> Self {
        Self { caretakers: true, ..self }
    }

    /// The same table, whose rows nobody changes.
    pub const fn append_only(self) -> Self {
        Self { append_only: true, ..self }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// To whom its rows belong.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether [`super::Mode::System`] may name it.
    pub const fn caretakers(&self) -> bool {
        self.caretakers
    }

    /// Whether no row of it may be changed.
    pub(crate) const fn never_changes(&self) -> bool {
        self.append_only
    }

    /// The column that says whose a row is.
    pub(crate) const fn key(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Tenant | Kind::Shared => Some("organization_id"),
            Kind::Organization => Some("id"),
            Kind::Platform => None,
        }
    }

    /// Whether rows of Global may be read beside the organization's own.
    pub(crate) const fn reads_global(&self) -> bool {
        matches!(self.kind, Kind::Shared | Kind::Organization)
    }
}
