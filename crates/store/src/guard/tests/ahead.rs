//! Trees that today's parser makes of no text in this dialect: refused, for a later one may.

use sqlparser::ast::{
    Expr, Insert, Interpolate, MultiTableInsertIntoClause, MultiTableInsertType,
    MultiTableInsertWhenClause, ObjectName, OrderBy, OrderByExpr, OrderByKind, OrderByOptions,
    OrderBySort, Query, Statement, Value, WithFill,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::super::plain;
use super::Refusal;

fn statement(sql: &str) -> Statement {
    Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0)
}

fn query() -> Query {
    match statement("SELECT id FROM users ORDER BY id") {
        Statement::Query(query) => *query,
        other => panic!("{other}"),
    }
}

fn insert() -> Insert {
    match statement("INSERT INTO users (id) VALUES ($1)") {
        Statement::Insert(insert) => insert,
        other => panic!("{other}"),
    }
}

fn first(order_by: &mut OrderBy) -> &mut OrderByExpr {
    match &mut order_by.kind {
        OrderByKind::Expressions(list) => &mut list[0],
        OrderByKind::All(_) => panic!("a list was written"),
    }
}

#[test]
fn orders_of_other_engines() {
    let changes: [fn(&mut OrderBy); 4] = [
        |it| it.kind = OrderByKind::All(OrderByOptions::default()),
        |it| it.interpolate = Some(Interpolate { exprs: None }),
        |it| first(it).with_fill = Some(WithFill { from: None, to: None, step: None }),
        |it| first(it).options.sort = Some(OrderBySort::Using(ObjectName(Vec::new()))),
    ];
    assert_eq!(plain::query(&query()), Ok(()));
    for change in changes {
        let mut query = query();
        change(query.order_by.as_mut().expect("it was written"));
        assert_eq!(plain::query(&query), Err(Refusal::Shape("this form of `ORDER BY`")), "{query}");
    }
}

#[test]
fn inserts_into_several_tables() {
    fn into() -> MultiTableInsertIntoClause {
        let table_name = ObjectName(Vec::new());
        MultiTableInsertIntoClause { table_name, columns: Vec::new(), values: None }
    }
    let changes: [fn(&mut Insert); 4] = [
        |it| it.multi_table_insert_type = Some(MultiTableInsertType::All),
        |it| it.multi_table_into_clauses = vec![into()],
        |it| {
            let condition = Expr::Value(Value::Boolean(true).into());
            let when = MultiTableInsertWhenClause { condition, into_clauses: vec![into()] };
            it.multi_table_when_clauses = vec![when];
        },
        |it| it.multi_table_else_clause = Some(vec![into()]),
    ];
    assert_eq!(plain::insert(&insert()), Ok(()));
    for change in changes {
        let mut insert = insert();
        change(&mut insert);
        assert_eq!(plain::insert(&insert), Err(Refusal::Shape("this form of `INSERT`")));
    }
}
