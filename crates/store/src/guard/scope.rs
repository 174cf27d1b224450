//! The tables of one `FROM`, and what the conditions say about their organization.

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias,
    TableFactor, TableWithJoins, Value,
};

use super::catalog::{Catalog, Table};
use super::{Refusal, plain, shape};

/// What confines a table: the placeholders its organization is one of.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub numbers: Vec<usize>,
    /// From `IN (…)`, which may admit Global.
    pub list: bool,
}

/// One item of a `FROM`. Common table expressions and sub-selects have no table: they are proven
/// where they are written, and can't prove anything about others.
struct Source {
    alias: String,
    table: Option<&'static Table>,
}

/// A condition that must hold for every row of the scope (or for `only` this source's rows).
enum Fact {
    Bound { source: usize, bound: Bound },
    Same { one: usize, other: usize, only: Option<usize> },
}

/// The sources of one `SELECT`, `UPDATE` or `DELETE` and the facts about them.
pub(super) struct Scope<'a> {
    catalog: &'a Catalog,
    visible: &'a [String],
    sources: Vec<Source>,
    facts: Vec<Fact>,
    relations: usize,
}

impl<'a> Scope<'a> {
    /// An empty scope in which the common table expressions `visible` can be named.
    pub fn new(catalog: &'a Catalog, visible: &'a [String]) -> Self {
        Self { catalog, visible, sources: Vec::new(), facts: Vec::new(), relations: 0 }
    }

    /// Adds a list of tables with their joins.
    pub fn from(&mut self, list: &[TableWithJoins]) -> Result<(), Refusal> {
        for item in list {
            self.add(&item.relation)?;
            for join in &item.joins {
                self.join(join)?;
            }
        }
        Ok(())
    }

    /// Adds a condition that filters every row: a `WHERE`, or the `ON` of an inner join.
    pub fn filter(&mut self, condition: &Expr) {
        self.condition(condition, None);
    }

    /// How many relation names this scope has read.
    pub fn relations(&self) -> usize {
        self.relations
    }

    /// The tables of the catalog in this scope, with what confines each.
    pub fn tables(&self) -> Vec<(&'static Table, Option<Bound>)> {
        let bounds = self.bounds();
        let tables = self.sources.iter().map(|source| source.table);
        tables.zip(bounds).filter_map(|(table, bound)| Some((table?, bound))).collect()
    }

    /// What confines the table whose organization column `expr` is.
    pub fn column(&self, expr: &Expr) -> Option<Bound> {
        self.bounds().swap_remove(self.key(expr)?)
    }

    fn add(&mut self, factor: &TableFactor) -> Result<(), Refusal> {
        let (table, alias) = match factor {
            TableFactor::Table { name, alias, .. } => {
                plain::table(factor)?;
                let name = relation(name)?;
                self.relations += 1;
                let known = self.catalog.table(&name);
                if known.is_none() && !self.visible.contains(&name) {
                    return Err(Refusal::UnknownTable(name));
                }
                (known, self.alias(alias.as_ref())?.unwrap_or(name))
            }
            TableFactor::Derived { lateral: false, alias, sample: None, .. } => {
                let alias = self.alias(alias.as_ref())?;
                (None, alias.ok_or(Refusal::Shape("a sub-select without a name"))?)
            }
            _ => return Err(Refusal::Shape("this kind of table")),
        };
        if self.sources.iter().any(|source| source.alias == alias) {
            return Err(Refusal::Alias(alias));
        }
        self.sources.push(Source { alias, table });
        Ok(())
    }

    fn alias(&self, alias: Option<&TableAlias>) -> Result<Option<String>, Refusal> {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else { return Ok(None) };
        if !columns.is_empty() || at.is_some() {
            return Err(Refusal::Shape("an alias that renames columns"));
        }
        honest(name, self.catalog).map(Some)
    }

    fn join(&mut self, join: &Join) -> Result<(), Refusal> {
        use JoinOperator::{CrossJoin, Inner, Join, Left, LeftOuter};
        if join.global {
            return Err(Refusal::Shape("a global join"));
        }
        self.add(&join.relation)?;
        let right = self.sources.len() - 1;
        match &join.join_operator {
            Join(JoinConstraint::On(on)) | Inner(JoinConstraint::On(on)) => {
                self.condition(on, None);
            }
            Left(JoinConstraint::On(on)) | LeftOuter(JoinConstraint::On(on)) => {
                self.condition(on, Some(right));
            }
            CrossJoin(JoinConstraint::None) => {}
            _ => return Err(Refusal::Shape("this kind of join")),
        }
        Ok(())
    }

    /// Collects the facts among the conjuncts of `condition`.
    fn condition(&mut self, condition: &Expr, only: Option<usize>) {
        let mut rest = vec![condition];
        while let Some(expr) = rest.pop() {
            match expr {
                Expr::Nested(inner) => rest.push(inner),
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                    rest.push(right);
                    rest.push(left);
                }
                _ => self.facts.extend(self.fact(expr, only)),
            }
        }
    }

    fn fact(&self, expr: &Expr, only: Option<usize>) -> Option<Fact> {
        let fact = match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => self.equality(left, right)?,
            Expr::InList { expr, list, negated: false } => {
                let numbers = list.iter().map(number).collect::<Option<Vec<_>>>()?;
                if numbers.len() > 2 {
                    return None;
                }
                Fact::Bound { source: self.key(expr)?, bound: Bound { numbers, list: true } }
            }
            _ => return None,
        };
        match (fact, only) {
            (Fact::Bound { source, .. }, Some(only)) if source != only => None,
            (Fact::Same { one, other, .. }, only) => Some(Fact::Same { one, other, only }),
            (fact, _) => Some(fact),
        }
    }

    fn equality(&self, left: &Expr, right: &Expr) -> Option<Fact> {
        let bound = |number| Bound { numbers: vec![number], list: false };
        match (self.key(left), self.key(right)) {
            (Some(one), Some(other)) => Some(Fact::Same { one, other, only: None }),
            (Some(source), None) => Some(Fact::Bound { source, bound: bound(number(right)?) }),
            (None, Some(source)) => Some(Fact::Bound { source, bound: bound(number(left)?) }),
            (None, None) => None,
        }
    }

    /// The source whose organization column `expr` is.
    fn key(&self, expr: &Expr) -> Option<usize> {
        let (alias, column) = match expr {
            Expr::Identifier(column) => (None, lower(column)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [alias, column] => (Some(lower(alias)), lower(column)),
                _ => return None,
            },
            _ => return None,
        };
        let is_key = |source: &Source| source.table.and_then(Table::key) == Some(column.as_str());
        let meant = |source: &Source| match &alias {
            Some(alias) => source.alias == *alias,
            // A sub-select may have a column of any name, and any table one called `id`.
            None => is_key(source) || source.table.is_none() || column != "organization_id",
        };
        let mut meant = (0..self.sources.len()).filter(|at| meant(&self.sources[*at]));
        let source = meant.next()?;
        (meant.next().is_none() && is_key(&self.sources[source])).then_some(source)
    }

    /// What confines each source, following equalities between organization columns.
    fn bounds(&self) -> Vec<Option<Bound>> {
        let mut bounds: Vec<Option<Bound>> = vec![None; self.sources.len()];
        // What may admit Global comes second and fills what is left.
        for list in [false, true] {
            for fact in &self.facts {
                if let Fact::Bound { source, bound } = fact
                    && bound.list == list
                {
                    bounds[*source].get_or_insert_with(|| bound.clone());
                }
            }
            for _ in 0..self.sources.len() {
                self.follow(&mut bounds);
            }
        }
        bounds
    }

    fn follow(&self, bounds: &mut [Option<Bound>]) {
        for fact in &self.facts {
            if let Fact::Same { one, other, only } = fact {
                spread(bounds, *one, *other, *only);
                spread(bounds, *other, *one, *only);
            }
        }
    }
}

/// `to` is confined by what confines `from`, if nothing else does.
fn spread(bounds: &mut [Option<Bound>], from: usize, to: usize, only: Option<usize>) {
    if bounds[to].is_none() && only.is_none_or(|only| only == to) {
        bounds[to] = bounds[from].clone();
    }
}

/// The placeholder that `expr` is.
pub(super) fn number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) => shape::placeholder(text),
            _ => None,
        },
        _ => None,
    }
}

/// A name as both engines compare it; `shape` has refused those on which they differ.
pub(super) fn lower(ident: &Ident) -> String {
    ident.value.to_ascii_lowercase()
}

/// The name of a relation, which `shape` has found to be unqualified.
pub(super) fn relation(name: &ObjectName) -> Result<String, Refusal> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(lower).ok_or(Refusal::Shape("a computed table name")),
        _ => Err(Refusal::Qualified(name.to_string())),
    }
}

/// A name given in the statement, if no table or organization column is called the same.
pub(super) fn honest(name: &Ident, catalog: &Catalog) -> Result<String, Refusal> {
    let name = lower(name);
    let reserved = ["organization_id", "excluded"].contains(&name.as_str());
    if reserved || catalog.table(&name).is_some() { Err(Refusal::Alias(name)) } else { Ok(name) }
}
