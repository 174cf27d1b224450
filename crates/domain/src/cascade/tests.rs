//! The cascade against a naive model that lays one tree over the other.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Tree = BTreeMap<String, u32>;

const PATHS: [&str; 8] = [
    "a.py",
    "a/__init__.py",
    "a/b.py",
    "a/b/__init__.py",
    "a/b/c.py",
    "a/data.txt",
    "b.py",
    "b/c/d.py",
];
const NAMES: [&str; 8] = ["a", "a.b", "a.b.c", "b", "b.c", "b.c.d", "a.data", "x"];

fn tree() -> impl Strategy<Value = Tree> {
    proptest::collection::vec(proptest::option::of(0..1000u32), PATHS.len()).prop_map(|values| {
        let files = PATHS.iter().zip(values);
        files.filter_map(|(path, value)| Some(((*path).to_owned(), value?))).collect()
    })
}

fn offer(tree: &Tree, name: &ModuleName) -> Offer<u32> {
    let places = name.places();
    let below = format!("{}/", places.directory);
    Offer {
        package: tree.get(&places.package).copied(),
        module: tree.get(&places.module).copied(),
        directory: tree.keys().any(|path| path.starts_with(&below)),
    }
}

/// What modules.md says, word for word: ask own, then Global, then look for directories.
fn model(own: &Tree, global: &Tree, name: &str) -> Option<(Option<(Side, u32)>, &'static str)> {
    let stem = name.replace('.', "/");
    for (side, tree) in [(Side::Own, own), (Side::Global, global)] {
        for (path, form) in
            [(format!("{stem}/__init__.py"), "package"), (format!("{stem}.py"), "module")]
        {
            if let Some(content) = tree.get(&path) {
                return Some((Some((side, *content)), form));
            }
        }
    }
    let mut all = own.keys().chain(global.keys());
    all.any(|path| path.starts_with(&format!("{stem}/"))).then_some((None, "namespace"))
}

proptest! {
    #[test]
    fn agrees_with_the_naive_model(own in tree(), global in tree()) {
        for text in NAMES {
            let name = ModuleName::parse(text).unwrap();
            let got = match resolve_module(offer(&own, &name), offer(&global, &name)) {
                Resolution::File { side, form: Form::Package, file } => Some((Some((side, file)), "package")),
                Resolution::File { side, file, .. } => Some((Some((side, file)), "module")),
                Resolution::Namespace => Some((None, "namespace")),
                Resolution::None => None,
            };
            prop_assert_eq!(got, model(&own, &global, text), "{}", text);
        }
    }

    /// Somebody who holds files sees a Global in which each name that they hold is as it was.
    #[test]
    fn what_is_held_stands_where_global_s_would(
        own in tree(), pinned in tree(), global in tree(),
    ) {
        for text in NAMES {
            let name = ModuleName::parse(text).unwrap();
            let offers = Offers {
                own: offer(&own, &name),
                pinned: offer(&pinned, &name),
                global: offer(&global, &name),
            };
            let got = match offers.resolve() {
                Resolution::File { side, form: Form::Package, file } => Some((Some((side, file)), "package")),
                Resolution::File { side, file, .. } => Some((Some((side, file)), "module")),
                Resolution::Namespace => Some((None, "namespace")),
                Resolution::None => None,
            };
            let of_both = model(&own, &pinned, text).filter(|(file, _)| file.is_some());
            let expected = of_both
                .or_else(|| model(&Tree::new(), &global, text))
                .or_else(|| model(&own, &pinned, text));
            prop_assert_eq!(got, expected, "{}", text);
        }
    }

    #[test]
    fn explain_chooses_what_resolve_chooses(own in tree(), pinned in tree(), global in tree()) {
        for text in NAMES {
            let name = ModuleName::parse(text).unwrap();
            let offers = Offers {
                own: offer(&own, &name),
                pinned: offer(&pinned, &name),
                global: offer(&global, &name),
            };
            let explained = explain(&name, &offers, false);
            let chosen: Vec<_> = explained.iter().filter(|candidate| candidate.chosen).collect();
            match offers.resolve() {
                Resolution::File { side, form, file } => {
                    prop_assert_eq!(chosen.len(), 1);
                    prop_assert_eq!((chosen[0].side, chosen[0].form, chosen[0].file), (side, form, Some(file)));
                }
                Resolution::Namespace => {
                    prop_assert!(!chosen.is_empty());
                    prop_assert!(chosen.iter().all(|candidate| candidate.form == Form::Namespace));
                }
                Resolution::None => prop_assert!(explained.is_empty()),
            }
            let hidden = explain(&name, &offers, true);
            prop_assert!(hidden.iter().all(|candidate| !candidate.chosen));
            prop_assert_eq!(hidden.len(), explained.len());
        }
    }
}

/// The same table that the Python side's `test_module_index` reads.
#[test]
fn agrees_with_the_table_that_the_python_side_reads() {
    let table = include_str!("../../../../python/tests/fixtures/cascade.json");
    let rows: Vec<serde_json::Value> = serde_json::from_str(table).unwrap();
    assert_eq!(rows.len(), 64);
    let name = ModuleName::parse("a").unwrap();
    for row in rows {
        let tree = |side: &str| {
            let files = row[side].as_array().unwrap().iter();
            files.map(|path| (path.as_str().unwrap().to_owned(), 1)).collect::<Tree>()
        };
        let resolution = resolve_module(offer(&tree("own"), &name), offer(&tree("global"), &name));
        let got = match resolution {
            Resolution::File { side, form, .. } => {
                serde_json::json!({ "scope": side, "form": form })
            }
            Resolution::Namespace => serde_json::json!({ "scope": null, "form": Form::Namespace }),
            Resolution::None => serde_json::Value::Null,
        };
        assert_eq!(got, row["a"], "{row}");
    }
}

#[test]
fn only_a_plain_module_hides_what_is_below() {
    let file = |form| Resolution::File { side: Side::Own, form, file: 1 };
    assert!(file(Form::Module).hides_what_is_below());
    assert!(!file(Form::Package).hides_what_is_below());
    assert!(!Resolution::<u32>::Namespace.hides_what_is_below());
    assert!(!Resolution::<u32>::None.hides_what_is_below());
}

/// Each candidate's scope, form, whether it is chosen, and why, of what two scopes offer.
fn told(own: [bool; 3], global: [bool; 3]) -> Vec<(Side, Form, bool, &'static str)> {
    told_with(own, [false; 3], global)
}

/// The same with what the organization holds of Global.
fn told_with(
    own: [bool; 3],
    pinned: [bool; 3],
    global: [bool; 3],
) -> Vec<(Side, Form, bool, &'static str)> {
    let offer = |[package, module, directory]: [bool; 3]| Offer {
        package: package.then_some(1),
        module: module.then_some(2),
        directory,
    };
    let name = ModuleName::parse("a.b").unwrap();
    let offers = Offers { own: offer(own), pinned: offer(pinned), global: offer(global) };
    let candidates = explain(&name, &offers, false);
    candidates.into_iter().map(|it| (it.side, it.form, it.chosen, it.reason)).collect()
}

#[test]
fn each_candidate_is_told_why() {
    use Form::{Module, Namespace, Package};
    use Side::{Global, Own};
    const NONE: [bool; 3] = [false; 3];
    const PACKAGE: [bool; 3] = [true, false, true];
    const BOTH: [bool; 3] = [true, true, true];
    const MODULE: [bool; 3] = [false, true, false];
    const DIRECTORY: [bool; 3] = [false, false, true];
    let wins = "the organization's own file wins";
    let inherited = "the organization has no file of this name";
    let hides = "a package hides a module of the same name";
    let never = "a directory never hides a file";
    let spread = "a namespace package over both scopes";
    assert_eq!(told(MODULE, MODULE), [(Own, Module, true, wins), (Global, Module, false, wins)]);
    assert_eq!(told(NONE, MODULE), [(Global, Module, true, inherited)]);
    assert_eq!(told(BOTH, NONE), [(Own, Package, true, wins), (Own, Module, false, hides)]);
    assert_eq!(
        told(DIRECTORY, PACKAGE),
        [(Own, Namespace, false, never), (Global, Package, true, inherited)]
    );
    let (holds, another) =
        ("the organization holds this version", "the organization holds another version");
    assert_eq!(
        told_with(NONE, MODULE, PACKAGE),
        [(Global, Module, true, holds), (Global, Package, false, another)]
    );
    assert_eq!(
        told_with(MODULE, PACKAGE, NONE),
        [(Own, Module, true, wins), (Global, Package, false, wins)]
    );
    assert_eq!(
        told_with(NONE, DIRECTORY, MODULE),
        [(Global, Namespace, false, never), (Global, Module, true, inherited)]
    );
    assert_eq!(
        told(DIRECTORY, DIRECTORY),
        [(Own, Namespace, true, spread), (Global, Namespace, true, spread)]
    );
}

#[test]
fn a_path_has_what_is_asked_first() {
    for (own, pinned, global) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
        let offers = PathOffers {
            own: own.then_some(1),
            pinned: pinned.then_some(2),
            global: global.then_some(3),
        };
        let expected = resolve(offers.own, offers.pinned.or(offers.global));
        let explained = explain_path(offers);
        assert_eq!(explained.len(), usize::from(own) + usize::from(pinned) + usize::from(global));
        let chosen: Vec<_> = explained.iter().filter(|it| it.chosen).collect();
        assert_eq!(chosen.first().map(|it| (it.side, it.file)), expected);
        assert!(chosen.len() <= 1 && explained.iter().all(|it| it.pinned == (it.file == 2)));
    }
}
