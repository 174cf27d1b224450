//! The body of a configuration write, read so that no refusal quotes it: it may hold a secret, and
//! the words of a derived parser do quote what they do not expect.

use crate::{
    problem::{FieldError, Problem},
    said_once::SaidOnce,
};
use serde_json::Value;
use utoipa::ToSchema;

/// A configuration value to write.
#[derive(ToSchema)]
#[schema(as = PutConfig)]
pub struct ConfigBody {
    /// Any JSON of at most 64 KiB. A secret needs a text of at least four characters somewhere.
    #[schema(value_type = Value)]
    pub value: Value,
    /// Whether it is sealed, never shown again, and masked in what runs leave.
    #[schema(required = false, default = false)]
    pub secret: bool,
}

impl TryFrom<SaidOnce> for ConfigBody {
    type Error = Problem;

    fn try_from(SaidOnce(body): SaidOnce) -> Result<Self, Problem> {
        let Value::Object(mut fields) = body else {
            return Err(Problem::invalid("", "send a JSON object"));
        };
        let (value, secret) = (fields.remove("value"), fields.remove("secret"));
        let mut errors = Vec::new();
        if value.is_none() {
            errors.push(FieldError::new("/value", "is missing"));
        }
        let secret = match secret {
            None => false,
            Some(Value::Bool(secret)) => secret,
            Some(_) => {
                errors.push(FieldError::new("/secret", "use true or false"));
                false
            }
        };
        if !fields.is_empty() {
            errors.push(FieldError::new("", "there are no fields but `value` and `secret`"));
        }
        match value {
            Some(value) if errors.is_empty() => Ok(Self { value, secret }),
            _ => Err(Problem::invalid_fields(errors)),
        }
    }
}
