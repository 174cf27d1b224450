//! Values on their way to the server.

use postgres_protocol::IsNull;
use sea_orm::Value;
use tokio_postgres::types::{self, ToSql, Type, private::BytesMut};

/// A value of a statement.
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

    /// Writes it in the binary format.
    pub(super) fn write(&self, out: &mut BytesMut) -> Result<IsNull, Fault> {
        let kind = &self.kind();
        let written = match &self.0 {
            Value::Bool(value) => value.to_sql(kind, out),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Double(value) => value.to_sql(kind, out),
            Value::Uuid(value) => value.to_sql(kind, out),
            Value::Bytes(value) => value.as_deref().to_sql(kind, out),
            Value::BigInt(value) => value.to_sql(kind, out),
            Value::String(value) => value.as_deref().to_sql(kind, out),
            _ => Err("a kind of value that the store does not use".into()),
        };
        match written? {
            types::IsNull::Yes => Ok(IsNull::Yes),
            types::IsNull::No => Ok(IsNull::No),
        }
    }
}

type Fault = Box<dyn std::error::Error + Sync + Send>;
