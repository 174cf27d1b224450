//! What `INSERT`, `UPDATE` and `DELETE` must satisfy beside the confinement of what they read.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, FromTable, Insert, ObjectName,
    OnConflict, OnConflictAction, OnInsert, TableObject, Update, UpdateTableFromKind,
};

use super::catalog::{Kind, Table};
use super::prove::{Feed, Prover};
use super::scope::{self, Scope};
use super::{Mode, Refusal, plain};

impl Prover<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Result<(), Refusal> {
        plain::insert(insert)?;
        let TableObject::TableName(name) = &insert.table else {
            return Err(Refusal::Shape("an `INSERT` into something else than a table"));
        };
        let table = self.target(name)?;
        self.proven += 1;
        if let Some(alias) = &insert.table_alias {
            scope::honest(&alias.alias, self.catalog)?;
        }
        let names = insert.columns.iter().map(scope::relation).collect::<Result<Vec<_>, _>>()?;
        match (table.kind(), self.mode) {
            (Kind::Organization | Kind::Platform, Mode::System) => Ok(()),
            (Kind::Tenant | Kind::Shared, Mode::Tenant) => self.feed(table, &names, insert),
            _ => Err(Refusal::Closed(table.name())),
        }?;
        match &insert.on {
            None => Ok(()),
            Some(OnInsert::OnConflict(conflict)) => upsert(table, conflict),
            Some(_) => Err(Refusal::Shape("this form of upsert")),
        }
    }

    /// Each row carries the organization as a placeholder.
    fn feed(
        &mut self,
        table: &'static Table,
        names: &[String],
        insert: &Insert,
    ) -> Result<(), Refusal> {
        let refusal = Refusal::Insert(table.name());
        let mut at = (0..names.len()).filter(|at| Some(names[*at].as_str()) == table.key());
        let (Some(at), None) = (at.next(), at.next()) else { return Err(refusal) };
        let source = insert.source.as_ref().ok_or(refusal)?;
        self.source(&source.body, Feed { table, columns: names.len(), at })
    }

    pub(super) fn update(&mut self, update: &Update) -> Result<(), Refusal> {
        plain::update(update)?;
        let visible = self.visible();
        let mut scope = Scope::new(self.catalog, &visible);
        scope.from(std::slice::from_ref(&update.table))?;
        let target = scope.tables().first().map(|(table, _)| *table);
        let target = target.ok_or(Refusal::Shape("an `UPDATE` of something else than a table"))?;
        match &update.from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(list)) => scope.from(list)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => {
                return Err(Refusal::Shape("`FROM` before `SET`"));
            }
        }
        if let Some(condition) = &update.selection {
            scope.filter(condition);
        }
        if target.never_changes() {
            return Err(Refusal::AppendOnly(target.name()));
        }
        immutable(target, &update.assignments)?;
        self.confined(&scope, true)
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Result<(), Refusal> {
        plain::delete(delete)?;
        let FromTable::WithFromKeyword(from) = &delete.from else {
            return Err(Refusal::Shape("`DELETE` without `FROM`"));
        };
        let visible = self.visible();
        let mut scope = Scope::new(self.catalog, &visible);
        scope.from(from)?;
        if let Some(condition) = &delete.selection {
            scope.filter(condition);
        }
        match scope.tables().as_slice() {
            [(table, _)] if scope.relations() == 1 => {
                if table.kind() == Kind::Organization && self.mode == Mode::Tenant {
                    return Err(Refusal::Closed(table.name()));
                }
            }
            _ => return Err(Refusal::Shape("a `DELETE` from more or less than one table")),
        }
        self.confined(&scope, true)
    }

    fn target(&self, name: &ObjectName) -> Result<&'static Table, Refusal> {
        let name = scope::relation(name)?;
        let table = self.catalog.table(&name).ok_or(Refusal::UnknownTable(name))?;
        self.open(table)?;
        Ok(table)
    }
}

fn upsert(table: &'static Table, conflict: &OnConflict) -> Result<(), Refusal> {
    let first = match &conflict.conflict_target {
        Some(ConflictTarget::Columns(columns)) => columns.first().map(scope::lower),
        Some(ConflictTarget::OnConstraint(_)) => {
            return Err(Refusal::Shape("a conflict target by constraint name"));
        }
        None => None,
    };
    let tenant = matches!(table.kind(), Kind::Tenant | Kind::Shared);
    let nothing = matches!(conflict.action, OnConflictAction::DoNothing);
    if table.never_changes() && !nothing {
        return Err(Refusal::AppendOnly(table.name()));
    }
    let aimed = first.as_deref() == table.key() || (first.is_none() && nothing);
    if tenant && !aimed {
        return Err(Refusal::Conflict(table.name()));
    }
    match &conflict.action {
        OnConflictAction::DoNothing => Ok(()),
        OnConflictAction::DoUpdate(update) => immutable(table, &update.assignments),
    }
}

/// No assignment changes whose row it is.
fn immutable(table: &'static Table, assignments: &[Assignment]) -> Result<(), Refusal> {
    let check = |name: &ObjectName| {
        if Some(scope::relation(name)?.as_str()) == table.key() {
            return Err(Refusal::Immutable(table.name()));
        }
        Ok(())
    };
    assignments.iter().try_for_each(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => check(name),
        AssignmentTarget::Tuple(names) => names.iter().try_for_each(check),
    })
}
