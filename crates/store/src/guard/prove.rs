//! Walks every query of a statement, however deep, and proves each table where it is named.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, SelectItem, SetExpr, Statement, Visit, Visitor,
};

use super::catalog::{Catalog, Kind, Table};
use super::scope::{self, Bound, Scope};
use super::{Mode, Proof, Refusal, plain};

/// Proves a statement whose shape has been found to be on the allow-list.
pub(super) fn statement(
    statement: &Statement,
    catalog: &Catalog,
    mode: Mode,
) -> Result<Proof, Refusal> {
    let mut prover = Prover {
        catalog,
        mode,
        proof: Proof::default(),
        seen: 0,
        proven: 0,
        visible: vec![Vec::new()],
        bodies: HashMap::new(),
        inserts: HashMap::new(),
    };
    if let ControlFlow::Break(refusal) = statement.visit(&mut prover) {
        return Err(refusal);
    }
    if prover.seen != prover.proven {
        return Err(Refusal::Incomplete { seen: prover.seen, proven: prover.proven });
    }
    let Proof { mut organization, mut readable } = prover.proof;
    for list in [&mut organization, &mut readable] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Proof { organization, readable })
}

/// What a `SELECT` must give when it feeds an `INSERT`: so many columns, the organization at `at`.
#[derive(Clone, Copy)]
pub(super) struct Feed {
    pub table: &'static Table,
    pub columns: usize,
    pub at: usize,
}

/// The state of the walk. Nodes met later are recognised by their address.
pub(super) struct Prover<'a> {
    pub catalog: &'a Catalog,
    pub mode: Mode,
    proof: Proof,
    /// Relation names the visitor met, anywhere.
    seen: usize,
    /// Relation names that a scope or a write has accounted for.
    pub proven: usize,
    /// The common table expressions that can be named in each query around here.
    visible: Vec<Vec<String>>,
    /// The same for the bodies of common table expressions, which see fewer than their query.
    bodies: HashMap<usize, Vec<String>>,
    inserts: HashMap<usize, Feed>,
}

fn address<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

fn flow(result: Result<(), Refusal>) -> ControlFlow<Refusal> {
    result.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

impl Visitor for Prover<'_> {
    type Break = Refusal;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Refusal> {
        flow(match statement {
            Statement::Query(_) => Ok(()),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            _ => Err(Refusal::Shape("this kind of statement")),
        })
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        flow(self.query(query))
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Refusal> {
        self.visible.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Refusal> {
        flow(self.select(select))
    }

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<Refusal> {
        self.seen += 1;
        ControlFlow::Continue(())
    }
}

impl Prover<'_> {
    /// The common table expressions that can be named here.
    pub fn visible(&self) -> Vec<String> {
        self.visible.last().cloned().unwrap_or_default()
    }

    fn query(&mut self, query: &Query) -> Result<(), Refusal> {
        plain::query(query)?;
        let inherited = self.bodies.remove(&address(query));
        let mut visible = inherited.unwrap_or_else(|| self.visible());
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = scope::honest(&cte.alias.name, self.catalog)?;
            let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
            let mut inside = visible.clone();
            inside.extend(recursive.then(|| name.clone()));
            self.bodies.insert(address(&*cte.query), inside);
            visible.push(name);
        }
        self.visible.push(visible);
        Ok(())
    }

    fn select(&mut self, select: &Select) -> Result<(), Refusal> {
        plain::select(select)?;
        let visible = self.visible();
        let mut scope = Scope::new(self.catalog, &visible);
        scope.from(&select.from)?;
        if let Some(condition) = &select.selection {
            scope.filter(condition);
        }
        self.confined(&scope, false)?;
        match self.inserts.remove(&address(select)) {
            Some(feed) => self.feeds(&scope, &select.projection, feed),
            None => Ok(()),
        }
    }

    /// Every table of `scope` is open to the caller and confined to one organization.
    pub fn confined(&mut self, scope: &Scope<'_>, write: bool) -> Result<(), Refusal> {
        self.proven += scope.relations();
        for (table, bound) in scope.tables() {
            self.open(table)?;
            if self.mode == Mode::System {
                continue;
            }
            let lenient = table.reads_global() && !write;
            match bound {
                Some(bound) if lenient => self.proof.readable.extend(bound.numbers),
                Some(bound) => self.strict(bound).ok_or(Refusal::Unproven(table.name()))?,
                None => return Err(Refusal::Unproven(table.name())),
            }
        }
        Ok(())
    }

    /// The caller may name this table at all.
    pub fn open(&self, table: &Table) -> Result<(), Refusal> {
        let open = match self.mode {
            Mode::System => table.caretakers(),
            Mode::Tenant => table.kind() != Kind::Platform,
        };
        if open { Ok(()) } else { Err(Refusal::Closed(table.name())) }
    }

    /// Demands that what confines a table is the organization itself, never Global.
    fn strict(&mut self, bound: Bound) -> Option<()> {
        if bound.list {
            return None;
        }
        self.proof.organization.extend(bound.numbers);
        Some(())
    }

    /// Remembers what each `SELECT` of an `INSERT`'s source must give, and checks its `VALUES`.
    pub fn source(&mut self, body: &SetExpr, feed: Feed) -> Result<(), Refusal> {
        match body {
            SetExpr::Select(select) => {
                self.inserts.insert(address(&**select), feed);
                Ok(())
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.source(left, feed)?;
                self.source(right, feed)
            }
            SetExpr::Values(values) => values.rows.iter().try_for_each(|row| {
                let cells = &row.content;
                let number = cells.get(feed.at).and_then(scope::number);
                let number = number.filter(|_| cells.len() == feed.columns);
                self.proof.organization.push(number.ok_or(Refusal::Insert(feed.table.name()))?);
                Ok(())
            }),
            _ => Err(Refusal::Insert(feed.table.name())),
        }
    }

    fn feeds(
        &mut self,
        scope: &Scope<'_>,
        items: &[SelectItem],
        feed: Feed,
    ) -> Result<(), Refusal> {
        let cells: Option<Vec<&Expr>> = items
            .iter()
            .map(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    Some(expr)
                }
                _ => None,
            })
            .collect();
        let cell = cells.filter(|cells| cells.len() == feed.columns).map(|cells| cells[feed.at]);
        let bound = cell.and_then(|cell| match scope::number(cell) {
            Some(number) => Some(Bound { numbers: vec![number], list: false }),
            None => scope.column(cell),
        });
        bound.and_then(|bound| self.strict(bound)).ok_or(Refusal::Insert(feed.table.name()))
    }
}
