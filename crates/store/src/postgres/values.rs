//! Values on their way to the server.

use sea_orm::Value;
use std::fmt;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

/// A value of a statement. It shows nothing of itself: the driver would write it into its log.
pub(super) struct Parameter(Value);

impl Parameter {
    /// PostgreSQL keeps no NUL in a text, which a workflow may print and a client may ask for: it is
    /// kept, and looked for, as the sign for what cannot be shown.
    pub(super) fn new(mut value: Value) -> Self {
        if let Value::String(Some(text)) = &mut value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{fffd}");
        }
        Self(value)
    }

    /// What the server is told that it is, rather than to guess.
    pub(super) fn kind(&self) -> Type {
        match &self.0 {
            Value::Bool(_) => Type::BOOL,
            Value::Int(_) => Type::INT4,
            Value::Double(_) => Type::FLOAT8,
            Value::Uuid(_) => Type::UUID,
            Value::Bytes(_) => Type::BYTEA,
            Value::BigInt(_) => Type::INT8,
            Value::String(_) => Type::TEXT,
            _ => Type::UNKNOWN,
        }
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

impl ToSql for Parameter {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Value::Bool(value) => value.to_sql_checked(kind, out),
            Value::Int(value) => value.to_sql_checked(kind, out),
            Value::Double(value) => value.to_sql_checked(kind, out),
            Value::Uuid(value) => value.to_sql_checked(kind, out),
            Value::Bytes(value) => value.as_deref().to_sql_checked(kind, out),
            Value::BigInt(value) => value.to_sql_checked(kind, out),
            Value::String(value) => value.as_deref().to_sql_checked(kind, out),
            _ => Err("a kind of value that the store does not use".into()),
        }
    }

    /// Each kind of value says so for itself.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
