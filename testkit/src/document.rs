//! The operations of an OpenAPI document, with every parameter and every field of a body, so that
//! generated tests reach a new route without naming it.

use reqwest::Method;
use serde_json::{Map, Value, json};

/// One operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `operationId`
    pub id: String,
    /// `GET`, …
    pub method: Method,
    /// With `{name}` where a parameter goes.
    pub path: String,
    /// In path, query, headers and body.
    pub parameters: Vec<Parameter>,
    /// Whether it takes a body of JSON.
    pub has_body: bool,
}

/// Something that a caller chooses.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name; a field inside an object of a body is `/outer/inner`.
    pub name: String,
    /// Where it is said.
    pub place: Place,
    /// Whether it has to be said.
    pub required: bool,
    /// Its JSON Schema, references resolved.
    pub schema: Value,
}

/// Where a parameter is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the URL's path.
    Path,
    /// In the URL's query.
    Query,
    /// In a header.
    Header,
    /// In the body.
    Body,
}

/// Every operation of `document`.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            operations.push(read_operation(document, path, method, operation));
        }
    }
    operations
}

fn read_operation(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let id = operation["operationId"].as_str().expect("an operation has a name").to_owned();
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let listed = operation["parameters"].as_array().cloned().unwrap_or_default();
    let mut parameters: Vec<_> = listed.iter().map(|it| read_parameter(document, it)).collect();
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !schema.is_null() {
        add_fields(document, schema, "", true, &mut parameters);
    }
    Operation { id, method, path: path.to_owned(), parameters, has_body: !schema.is_null() }
}

fn read_parameter(document: &Value, parameter: &Value) -> Parameter {
    let place = match parameter["in"].as_str() {
        Some("path") => Place::Path,
        Some("query") => Place::Query,
        Some("header") => Place::Header,
        other => panic!("a parameter in {other:?}: teach testkit::document"),
    };
    Parameter {
        name: parameter["name"].as_str().expect("a name").to_owned(),
        place,
        required: parameter["required"] == json!(true),
        schema: resolved(document, &parameter["schema"]),
    }
}

fn add_fields(
    document: &Value,
    schema: &Value,
    pointer: &str,
    required: bool,
    into: &mut Vec<Parameter>,
) {
    let schema = resolved(document, schema);
    let Some(fields) = schema["properties"].as_object() else {
        let name = pointer.to_owned();
        into.push(Parameter { name, place: Place::Body, required, schema });
        return;
    };
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in fields {
        let required = required && needed.contains(&json!(name));
        add_fields(document, field, &format!("{pointer}/{name}"), required, into);
    }
}

/// The schema behind references and behind "this or null".
fn resolved(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return resolved(document, document.pointer(pointer).expect("a reference leads somewhere"));
    }
    for choice in ["oneOf", "anyOf"] {
        let real = schema[choice].as_array().and_then(|all| all.iter().find(|it| !is_null(it)));
        if let Some(real) = real {
            return resolved(document, real);
        }
    }
    schema.clone()
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == json!("null")
}

impl Parameter {
    /// Its type: the first that is not null.
    pub fn kind(&self) -> &str {
        match &self.schema["type"] {
            Value::String(kind) => kind,
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|it| *it != "null").unwrap_or("any")
            }
            _ => "any",
        }
    }

    /// A value that the schema alone tells; none for a text that could be anything.
    pub fn plain(&self) -> Option<Value> {
        let first = self.schema["enum"].as_array().and_then(|words| words.first());
        match (first, self.kind()) {
            (Some(word), _) => Some(word.clone()),
            (None, "integer") => Some(json!(self.schema["minimum"].as_i64().unwrap_or(1).max(1))),
            (None, "number") => Some(json!(self.schema["minimum"].as_f64().unwrap_or(0.0))),
            (None, "boolean") => Some(json!(false)),
            (None, "array") => Some(json!([])),
            (None, "object" | "any") => Some(json!({})),
            (None, _) => None,
        }
    }
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers beside the token.
    pub headers: Vec<(String, String)>,
    /// The body's text.
    pub body: Option<String>,
}

impl Operation {
    /// The request that says `values`, each for the parameter of the same place in the list;
    /// texts go into URLs as they are, so that they can be malformed.
    pub fn draft(&self, values: &[Option<Value>]) -> Draft {
        let (mut path, mut query, mut headers) = (self.path.clone(), Vec::new(), Vec::new());
        let mut body = Value::Object(Map::new());
        for (parameter, value) in self.parameters.iter().zip(values) {
            let Some(value) = value else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match parameter.place {
                Place::Path => path = path.replace(&format!("{{{}}}", parameter.name), &text),
                Place::Query => query.push(format!("{}={text}", parameter.name)),
                Place::Header => headers.push((parameter.name.to_lowercase(), text)),
                Place::Body => set(&mut body, &parameter.name, value.clone()),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = self.has_body.then(|| body.to_string());
        Draft { method: self.method.clone(), target: path, headers, body }
    }
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    let mut place = body;
    for name in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = value;
}
