//! The JSON Schema of the settings, made of their types, and the check against it.

use super::{Settings, faults::Fault, faults::of_error};
use jsonschema::{Draft, PatternOptions, Validator};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::{collections::BTreeMap, sync::LazyLock};

/// JSON Schema 2020-12 of a whole settings document, with defaults, ranges and descriptions.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<Settings>().to_value()
    });
    &SCHEMA
}

/// Every fault of `document`, one for each place, in the order of the places. The order of parts
/// in a document says nothing, so none of it is told.
pub(super) fn faults(document: &Value) -> Vec<Fault> {
    let mut found = BTreeMap::new();
    for error in validator().iter_errors(document) {
        for fault in of_error(&error) {
            found.entry(fault.pointer).or_insert(fault.detail);
        }
    }
    found.into_iter().map(|(pointer, detail)| Fault { pointer, detail }).collect()
}

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex());
        let built = options.build(schema());
        built.unwrap_or_else(|error| unreachable!("our own schema is one: {error}"))
    });
    &VALIDATOR
}

/// The part of the schema that speaks of the value at `pointer`.
pub(super) fn at(pointer: &str) -> Option<&'static Value> {
    pointer.split('/').skip(1).try_fold(schema(), |schema, key| {
        let property = schema.get("properties").and_then(|properties| properties.get(key));
        property.or_else(|| schema.get("items"))
    })
}
