//! Two lists, the organization's and Global's, laid side by side by name for the cascade.

use std::collections::BTreeMap;

/// For each name what either side has.
pub(crate) type Sides<T> = BTreeMap<String, (Option<T>, Option<T>)>;

/// Pairs the entries of two lists by name.
pub(crate) fn pair<T>(own: Vec<T>, global: Vec<T>, name: fn(&T) -> &String) -> Sides<T> {
    let mut sides = Sides::new();
    for entry in own {
        let slot = sides.entry(name(&entry).clone()).or_insert((None, None));
        slot.0 = Some(entry);
    }
    for entry in global {
        let slot = sides.entry(name(&entry).clone()).or_insert((None, None));
        slot.1 = Some(entry);
    }
    sides
}
