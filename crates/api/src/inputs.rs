//! Inputs of an execution, checked against the JSON Schema of its workflow.

use crate::problem::FieldError;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use moka::sync::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::HashSet, sync::Arc};

/// Beyond these the rest is not told.
const MAX_ERRORS: usize = 50;

/// Deeper inputs would not fit into the frames in which they travel to the workflow.
const MAX_DEPTH: usize = 90;

/// Compiled schemas, by the hash of their text.
pub struct Inputs {
    compiled: Cache<[u8; 32], Arc<Validator>>,
}

impl Default for Inputs {
    fn default() -> Self {
        Self { compiled: Cache::new(1000) }
    }
}

/// The workflow's own schema is no schema, so that nothing can be checked against it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the workflow's parameters are not a valid schema: {0}")]
pub struct BadSchema(String);

impl Inputs {
    /// All faults of `inputs`, with pointers into the request's body.
    pub fn faults(&self, schema: &Value, inputs: &Value) -> Result<Vec<FieldError>, BadSchema> {
        let validator = self.compile(schema)?;
        if depth(inputs) > MAX_DEPTH {
            let detail = format!("is nested more than {MAX_DEPTH} deep");
            return Ok(vec![FieldError::new("/inputs", detail)]);
        }
        let errors = validator.iter_errors(inputs).flat_map(field_errors);
        let mut seen = HashSet::new();
        let fresh =
            errors.filter(|error| seen.insert((error.pointer.clone(), error.detail.clone())));
        Ok(fresh.take(MAX_ERRORS).collect())
    }

    fn compile(&self, schema: &Value) -> Result<Arc<Validator>, BadSchema> {
        let hash = Sha256::digest(schema.to_string()).into();
        self.compiled.try_get_with(hash, || compile(schema)).map_err(|error| (*error).clone())
    }
}

fn compile(schema: &Value) -> Result<Arc<Validator>, BadSchema> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        // An author's pattern may not hold the server up.
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(100_000))
        .build(schema)
        .map(Arc::new)
        .map_err(|error| BadSchema(error.to_string()))
}

fn field_errors(error: ValidationError<'_>) -> Vec<FieldError> {
    let at = format!("/inputs{}", error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![FieldError::new(child(&at, name), "is required")]
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|name| FieldError::new(child(&at, name), "is not a parameter of this workflow"))
            .collect(),
        // The value is not repeated: it may be long, or a secret.
        _ => vec![FieldError::new(at, error.masked().to_string())],
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(schema: Value, inputs: Value) -> Vec<(String, String)> {
        let faults = Inputs::default().faults(&schema, &inputs).unwrap();
        faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn every_fault_has_its_pointer() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["count", "a/b"],
            "properties": {
                "count": {"type": "integer"}, "a/b": {}, "when": {"format": "date-time"},
                "list": {"type": "array", "items": {"type": "string"}},
            },
        });
        let inputs = json!({"count": "3", "more": 1, "when": "yesterday", "list": ["x", 4]});
        let mut found = faults(schema, inputs);
        found.sort();
        let expected = [
            ("/inputs/a~1b", "is required"),
            ("/inputs/count", "value is not of type \"integer\""),
            ("/inputs/list/1", "value is not of type \"string\""),
            ("/inputs/more", "is not a parameter of this workflow"),
            ("/inputs/when", "value is not a \"date-time\""),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn inputs_do_not_nest_without_end() {
        let nested = |levels: usize| {
            let inner = (1..levels).fold(json!(1), |value, _| json!([value]));
            faults(json!({}), json!({"x": inner}))
        };
        assert_eq!(nested(MAX_DEPTH), []);
        assert_eq!(nested(MAX_DEPTH + 1)[0].0, "/inputs");
    }

    #[test]
    fn good_inputs_pass_and_bad_schemas_are_said() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        assert_eq!(faults(schema, json!({"n": 3})), []);
        assert!(Inputs::default().faults(&json!({"type": 7}), &json!({})).is_err());
    }

    #[test]
    fn a_schema_elsewhere_is_never_fetched() {
        let schema = json!({"$ref": "http://169.254.169.254/schema.json"});
        assert!(Inputs::default().faults(&schema, &json!({})).is_err());
        let schema = json!({"$ref": "file:///etc/passwd"});
        assert!(Inputs::default().faults(&schema, &json!({})).is_err());
    }
}
