//! Settings as the database keeps them: what differs from the defaults, and what this version
//! cannot read but another one wrote.

use super::{
    Settings,
    faults::{Fault, NO_SETTING, child},
    schema,
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The settings of one organization, and the text they are kept as.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// As they count.
    pub settings: Settings,
    /// What of the text could not be read and counts as its default.
    pub faults: Vec<Fault>,
    /// Whether the text was no settings document of any version.
    pub damaged: bool,
    /// The document that was kept.
    kept: Value,
}

impl Stored {
    /// Reads what was kept, whoever wrote it.
    ///
    /// A key that is missing means its default. So does a value that this version does not know:
    /// an organization must not stand still because a newer server once served it. Only
    /// `network.allowed_hosts` goes the other way: what cannot be read of it allows nobody.
    pub fn read(text: &str) -> Self {
        let kept = serde_json::from_str(text).ok().filter(Value::is_object);
        let damaged = kept.is_none();
        // Kept closed, so that the next change does not open it.
        let kept = kept.unwrap_or_else(|| json!({ "network": { "allowed_hosts": [] } }));
        Self { damaged, ..Self::of(kept) }
    }

    /// The text to keep.
    pub fn text(&self) -> String {
        self.kept.to_string()
    }

    /// The settings after a JSON Merge Patch (RFC 7396): `null` returns a key, or a section, to
    /// its default.
    ///
    /// # Errors
    ///
    /// Every fault of the patch, in the order of their pointers.
    pub fn patched(&self, patch: &Value) -> Result<Self, Vec<Fault>> {
        let patch = whole_numbers(patch);
        let mut after = as_value(&self.settings);
        json_patch::merge(&mut after, &patch);
        let mut faults = schema::faults(&after);
        faults.extend(unknown_nulls(&patch));
        if !faults.is_empty() {
            faults.sort_by(|one, other| one.pointer.cmp(&other.pointer));
            return Err(faults);
        }
        let mut kept = self.kept.clone();
        json_patch::merge(&mut kept, &patch);
        prune(&mut kept);
        Ok(Self::of(kept))
    }

    fn of(kept: Value) -> Self {
        let mut readable = whole_numbers(&kept);
        let faults = schema::faults(&readable);
        if !faults.is_empty() {
            make_readable(&mut readable, &faults);
        }
        let settings = serde_json::from_value(readable).unwrap_or_else(|_| closed());
        Self { settings, faults, damaged: false, kept }
    }
}

/// The defaults with nobody to reach.
fn closed() -> Settings {
    let mut settings = Settings::default();
    settings.network.allowed_hosts.clear();
    settings
}

fn as_value(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// The same with `300.0` written as `300`: one number in JSON Schema, two in Rust.
fn whole_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float)
                if number.is_f64() && float.fract() == 0.0 && (0.0..1e15).contains(&float) =>
            {
                Value::from(float as u64)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole_numbers).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), whole_numbers(value))).collect()
        }
        value => value.clone(),
    }
}

/// A `null` vanishes in the merge, so an unknown key that has one must be found in the patch.
fn unknown_nulls(patch: &Value) -> Vec<Fault> {
    let known = defaults();
    let mut faults = Vec::new();
    for (section, fields) in patch.as_object().into_iter().flatten() {
        let pointer = child("", section);
        match (known.get(section), fields) {
            (None, Value::Null) => faults.push(pointer),
            (Some(section), Value::Object(fields)) => {
                let unknown = fields
                    .iter()
                    .filter(|(key, value)| value.is_null() && section.get(key.as_str()).is_none());
                faults.extend(unknown.map(|(key, _)| child(&pointer, key)));
            }
            _ => {}
        }
    }
    let fault = |pointer| Fault { pointer, detail: NO_SETTING.to_owned() };
    faults.into_iter().map(fault).collect()
}

/// Takes out what equals its default, and sections that have nothing left.
fn prune(kept: &mut Value) {
    let Value::Object(sections) = kept else { return };
    for (section, defaults) in defaults() {
        let Some(Value::Object(fields)) = sections.get_mut(section) else { continue };
        fields.retain(|key, value| defaults.get(key) != Some(value));
        if fields.is_empty() {
            sections.remove(section);
        }
    }
}

/// Takes out what is at fault, and leaves of the hosts those that can be read.
fn make_readable(document: &mut Value, faults: &[Fault]) {
    let hosts = document.pointer("/network/allowed_hosts").and_then(Value::as_array);
    let hosts: Vec<Value> =
        hosts.into_iter().flatten().filter(|host| is_host(host)).cloned().collect();
    for fault in faults {
        let mut keys = fault.pointer.split('/').skip(1).take(2);
        match (keys.next(), keys.next()) {
            (Some("network"), None | Some("allowed_hosts")) => {
                document["network"] = json!({ "allowed_hosts": hosts });
            }
            (Some(section), Some(key)) => {
                let fields = document.get_mut(unescaped(section)).and_then(Value::as_object_mut);
                fields.and_then(|fields| fields.remove(&unescaped(key)));
            }
            (Some(section), None) => {
                let sections = document.as_object_mut();
                sections.and_then(|sections| sections.remove(&unescaped(section)));
            }
            (None, _) => {}
        }
    }
}

fn is_host(host: &Value) -> bool {
    schema::faults(&json!({ "network": { "allowed_hosts": [host] } })).is_empty()
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn defaults() -> &'static Map<String, Value> {
    static DEFAULTS: LazyLock<Map<String, Value>> =
        LazyLock::new(|| as_value(&Settings::default()).as_object().cloned().unwrap_or_default());
    &DEFAULTS
}
