//! The settings as they travel, and their schema in the OpenAPI document: the one of the domain.

use domain::{Settings, settings};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// All settings of an organization.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct SettingsDocument(pub Settings);

impl ToSchema for SettingsDocument {
    fn name() -> Cow<'static, str> {
        "Settings".into()
    }
}

impl PartialSchema for SettingsDocument {
    fn schema() -> RefOr<Schema> {
        let mut schema = settings::schema().clone();
        without_lists(&mut schema);
        let schema = serde_json::from_value::<Schema>(schema);
        RefOr::T(schema.unwrap_or_else(|error| unreachable!("a schema is one here too: {error}")))
    }
}

/// The names of all time zones and currencies are in the served schema; a client made from the
/// document does not need them as types.
fn without_lists(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        for gone in ["$schema", "enum", "title"] {
            // `title` may also be the name of a property, whose schema is an object.
            if fields.get(gone).is_some_and(|value| !value.is_object()) {
                fields.remove(gone);
            }
        }
        fields.values_mut().for_each(without_lists);
    }
}
