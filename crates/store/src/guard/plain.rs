//! Clauses that must be absent. Structures are taken apart field by field, so that a field added
//! by a newer parser does not compile until somebody has decided about it.

use sqlparser::ast::{
    Cte, GroupByExpr, Insert, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableFactor,
    Update, WildcardAdditionalOptions, With,
};
use sqlparser::ast::{Delete, Distinct, LimitClause, Offset, OrderByOptions};

use super::Refusal;

pub(super) const MAX_SET_OPERATIONS: usize = 50;

fn only(plain: bool, what: &'static str) -> Result<(), Refusal> {
    if plain { Ok(()) } else { Err(Refusal::Shape(what)) }
}

/// A query of the common subset of both engines; `FOR UPDATE` may lock what it reads.
pub(super) fn query(query: &Query) -> Result<(), Refusal> {
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    let absent = fetch.is_none()
        && for_clause.is_none()
        && settings.is_none()
        && format_clause.is_none()
        && pipe_operators.is_empty();
    only(absent, "this clause of a query")?;
    only(locks.iter().all(|lock| lock.of.is_none()), "a lock on a named table")?;
    only(order_by.as_ref().is_none_or(ordering), "this form of `ORDER BY`")?;
    only(limit_clause.as_ref().is_none_or(limit), "this form of `LIMIT`")?;
    if let Some(With { with_token: _, recursive: _, cte_tables }) = with {
        only(cte_tables.iter().all(cte), "this form of common table expression")?;
    }
    self::body(body, 0)
}

fn body(body: &SetExpr, depth: usize) -> Result<(), Refusal> {
    if depth > MAX_SET_OPERATIONS {
        return Err(Refusal::TooDeep);
    }
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => Ok(()),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) => Ok(()),
        SetExpr::Merge(_) | SetExpr::Table(_) => Err(Refusal::Shape("this kind of query")),
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            let quantifier = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::None);
            only(quantifier && *op != SetOperator::Minus, "this set operation")?;
            self::body(left, depth + 1)?;
            self::body(right, depth + 1)
        }
    }
}

fn cte(cte: &Cte) -> bool {
    let Cte { alias, query: _, from, materialized: _, closing_paren_token: _ } = cte;
    from.is_none() && alias.at.is_none() && alias.columns.iter().all(|c| c.data_type.is_none())
}

fn ordering(order_by: &OrderBy) -> bool {
    let OrderBy { kind, interpolate } = order_by;
    let plain = |expr: &OrderByExpr| {
        let OrderByExpr { expr: _, options, with_fill } = expr;
        let OrderByOptions { sort, nulls_first: _ } = options;
        let using = matches!(sort, Some(sqlparser::ast::OrderBySort::Using(_)));
        with_fill.is_none() && !using
    };
    matches!(kind, OrderByKind::Expressions(list) if list.iter().all(plain))
        && interpolate.is_none()
}

fn limit(limit: &LimitClause) -> bool {
    match limit {
        LimitClause::LimitOffset { limit: _, offset, limit_by } => {
            let rows =
                |Offset { value: _, rows }: &Offset| *rows == sqlparser::ast::OffsetRows::None;
            limit_by.is_empty() && offset.as_ref().is_none_or(rows)
        }
        LimitClause::OffsetCommaLimit { .. } => false,
    }
}

/// A `SELECT` of the common subset of both engines.
pub(super) fn select(select: &Select) -> Result<(), Refusal> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from: _,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    let absent = optimizer_hints.is_empty()
        && select_modifiers.is_none()
        && top.is_none()
        && exclude.is_none()
        && into.is_none()
        && lateral_views.is_empty()
        && prewhere.is_none()
        && connect_by.is_empty()
        && cluster_by.is_empty()
        && distribute_by.is_empty()
        && sort_by.is_empty()
        && qualify.is_none()
        && value_table_mode.is_none()
        && *flavor == SelectFlavor::Standard;
    only(absent, "this clause of `SELECT`")?;
    only(!matches!(distinct, Some(Distinct::On(_))), "`DISTINCT ON`")?;
    only(
        matches!(group_by, GroupByExpr::Expressions(_, with) if with.is_empty()),
        "this form of `GROUP BY`",
    )?;
    items(projection)
}

/// A select list or `RETURNING` without wildcards that pick or rename.
pub(super) fn items(items: &[SelectItem]) -> Result<(), Refusal> {
    // The token that the parser attaches compares as equal whatever it is.
    let bare =
        |options: &WildcardAdditionalOptions| *options == WildcardAdditionalOptions::default();
    let plain = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => true,
        SelectItem::Wildcard(options) => bare(options),
        SelectItem::QualifiedWildcard(kind, options) => {
            let name =
                matches!(kind, SelectItemQualifiedWildcardKind::ObjectName(n) if n.0.len() == 1);
            name && bare(options)
        }
        SelectItem::ExprWithAliases { .. } => false,
    };
    only(items.iter().all(plain), "this item of a select list")
}

/// A table by name and nothing else.
pub(super) fn table(factor: &TableFactor) -> Result<(), Refusal> {
    let TableFactor::Table {
        name: _,
        alias: _,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Err(Refusal::Shape("this kind of table"));
    };
    let absent = args.is_none()
        && with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty();
    only(absent, "a table with arguments or hints")
}

/// An `INSERT INTO … (…) VALUES | SELECT … [ON CONFLICT …] [RETURNING …]`.
pub(super) fn insert(insert: &Insert) -> Result<(), Refusal> {
    let Insert {
        insert_token: _,
        optimizer_hints,
        or,
        ignore,
        into,
        table: _,
        table_alias: _,
        columns: _,
        overwrite,
        source: _,
        assignments,
        partitioned,
        after_columns,
        has_table_keyword,
        on: _,
        returning,
        output,
        replace_into,
        priority,
        insert_alias,
        settings,
        format_clause,
        multi_table_insert_type,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause,
    } = insert;
    let single = multi_table_insert_type.is_none()
        && multi_table_into_clauses.is_empty()
        && multi_table_when_clauses.is_empty()
        && multi_table_else_clause.is_none();
    let absent = optimizer_hints.is_empty()
        && or.is_none()
        && !ignore
        && !overwrite
        && assignments.is_empty()
        && partitioned.is_none()
        && after_columns.is_empty()
        && !has_table_keyword
        && output.is_none()
        && !replace_into
        && priority.is_none()
        && insert_alias.is_none()
        && settings.is_none()
        && format_clause.is_none();
    only(*into && single && absent, "this form of `INSERT`")?;
    items(returning.as_deref().unwrap_or_default())
}

/// An `UPDATE … SET … [FROM …] [WHERE …] [RETURNING …]`.
pub(super) fn update(update: &Update) -> Result<(), Refusal> {
    let Update {
        update_token: _,
        optimizer_hints,
        table,
        assignments: _,
        from: _,
        selection: _,
        returning,
        output,
        or,
        order_by,
        limit,
    } = update;
    let absent = optimizer_hints.is_empty()
        && table.joins.is_empty()
        && output.is_none()
        && or.is_none()
        && order_by.is_empty()
        && limit.is_none();
    only(absent, "this form of `UPDATE`")?;
    items(returning.as_deref().unwrap_or_default())
}

/// A `DELETE FROM … [WHERE …] [RETURNING …]`; SQLite has no `USING`.
pub(super) fn delete(delete: &Delete) -> Result<(), Refusal> {
    let Delete {
        delete_token: _,
        optimizer_hints,
        tables,
        from: _,
        using,
        selection: _,
        returning,
        output,
        order_by,
        limit,
    } = delete;
    let absent = optimizer_hints.is_empty()
        && tables.is_empty()
        && using.is_none()
        && output.is_none()
        && order_by.is_empty()
        && limit.is_none();
    only(absent, "this form of `DELETE`")?;
    items(returning.as_deref().unwrap_or_default())
}
