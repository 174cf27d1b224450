//! Imports, file reads, lists, explain, diffs and records of executions tell the same story, whatever
//! two organizations and Global write, delete, hold and let go: a naive model says which.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::{
    FilePath, ModuleName, Scope, cascade, execution::Status, file_ref::FileRef, scope::Side,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{ListFiles, ListOverrides, PinError, PinFile, Precondition, View};
use support::{Stage, failed, result, stage};
use testkit::world::NOW;

const NAMES: [&str; 3] = ["p", "q", "r"];
const PATHS: [&str; 5] = ["p.py", "p/__init__.py", "q.py", "q/__init__.py", "r.py"];

/// Tells what it gets for each name and each path: the content, and where it says it comes from.
const TELL: &str = "
import importlib
from bifrost import files
def run():
    told = {}
    for name in ('p', 'q', 'r'):
        try:
            module = importlib.import_module(name)
            told[name] = [module.WHO, module.__file__]
        except ModuleNotFoundError:
            told[name] = None
    for path in ('p.py', 'p/__init__.py', 'q.py', 'q/__init__.py', 'r.py'):
        try:
            told[path] = files.read(path)
        except FileNotFoundError:
            told[path] = None
    return told
";

/// What one scope has written of a path: its versions, `None` for a deletion.
type History = Vec<Option<String>>;

#[derive(Default)]
struct Tenant {
    files: BTreeMap<&'static str, History>,
    pins: BTreeMap<&'static str, usize>,
    /// What Global had when the file began.
    bases: BTreeMap<&'static str, Option<String>>,
}

#[derive(Default)]
struct Model {
    global: BTreeMap<&'static str, History>,
    tenants: [Tenant; 2],
}

/// A content with its scope and version.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    side: Side,
    pinned: bool,
    version: usize,
    content: String,
}

fn current(files: &BTreeMap<&'static str, History>, path: &str) -> Option<(usize, String)> {
    let history = files.get(path)?;
    Some((history.len(), history.last()?.clone()?))
}

impl Model {
    /// The three places of a path, in the order in which they are asked.
    fn layers(&self, tenant: usize, path: &str) -> [Option<Found>; 3] {
        let it = &self.tenants[tenant];
        let found =
            |side, pinned| move |(version, content)| Found { side, pinned, version, content };
        let held = it.pins.get(path).map(|&version| {
            let content = self.global[path][version - 1].clone().unwrap();
            (version, content)
        });
        [
            current(&it.files, path).map(found(Side::Own, false)),
            held.map(found(Side::Global, true)),
            current(&self.global, path).map(found(Side::Global, false)),
        ]
    }

    fn read(&self, tenant: usize, path: &str) -> Option<Found> {
        self.layers(tenant, path).into_iter().flatten().next()
    }

    fn import(&self, tenant: usize, name: &str) -> Option<(String, Found)> {
        let places = [format!("{name}/__init__.py"), format!("{name}.py")];
        (0..3).find_map(|layer| {
            let in_layer =
                |path: &String| Some((path.clone(), self.layers(tenant, path)[layer].clone()?));
            places.iter().find_map(in_layer)
        })
    }
}

/// A small generator of numbers: the same seed, the same story.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

struct Story {
    stage: Stage,
    model: Model,
    dice: Dice,
    written: u32,
}

impl Story {
    fn scope(&self, tenant: usize) -> Scope {
        [self.stage.world.acme, self.stage.world.globex][tenant]
    }

    fn content(&mut self, who: &str) -> String {
        self.written += 1;
        format!("WHO = '{who} {}'\n", self.written)
    }

    /// Something happens, and the model says how it ends.
    async fn step(&mut self) {
        let (tenant, path) = (self.dice.below(2), PATHS[self.dice.below(PATHS.len())]);
        match self.dice.below(7) {
            0 | 1 => self.write_global(path).await,
            2 => self.delete_global(path).await,
            3 => self.write_own(tenant, path).await,
            4 => self.delete_own(tenant, path).await,
            5 => self.pin(tenant, path).await,
            _ => self.unpin(tenant, path).await,
        }
    }

    async fn write_global(&mut self, path: &'static str) {
        let content = self.content("global");
        self.stage.world.write(Scope::Global, path, &content).await;
        self.model.global.entry(path).or_default().push(Some(content));
    }

    async fn delete_global(&mut self, path: &'static str) {
        let there = current(&self.model.global, path).is_some();
        assert_eq!(self.delete(Scope::Global, path).await, there);
        if there {
            self.model.global.entry(path).or_default().push(None);
        }
    }

    async fn write_own(&mut self, tenant: usize, path: &'static str) {
        let content = self.content(["acme", "globex"][tenant]);
        self.stage.world.write(self.scope(tenant), path, &content).await;
        let below = self.model.layers(tenant, path);
        let it = &mut self.model.tenants[tenant];
        if current(&it.files, path).is_none() {
            let base = below.into_iter().flatten().next().map(|found| found.content);
            it.bases.insert(path, base);
        }
        it.pins.remove(path);
        it.files.entry(path).or_default().push(Some(content));
    }

    async fn delete_own(&mut self, tenant: usize, path: &'static str) {
        let there = current(&self.model.tenants[tenant].files, path).is_some();
        assert_eq!(self.delete(self.scope(tenant), path).await, there);
        if there {
            self.model.tenants[tenant].files.entry(path).or_default().push(None);
        }
    }

    async fn pin(&mut self, tenant: usize, path: &'static str) {
        let versions = self.model.global.get(path).map_or(0, Vec::len);
        let version = self.dice.below(versions + 1) + 1;
        let pin = PinFile {
            path: FilePath::parse(path).unwrap(),
            version: version as u32,
            workflows: Vec::new(),
            now: NOW,
        };
        let done = self.stage.world.scoped(self.scope(tenant)).pin_file(pin).await;
        let there = self.model.global.get(path).and_then(|it| it.get(version - 1)?.clone());
        let overridden = current(&self.model.tenants[tenant].files, path).is_some();
        match done {
            Err(PinError::NotThere) => assert_eq!(there, None),
            Err(PinError::Overridden) => assert!(overridden && there.is_some()),
            Err(error) => panic!("{error:?}"),
            Ok(entry) => {
                assert!(there.is_some() && !overridden);
                assert_eq!(entry.pinned.version as usize, version);
                self.model.tenants[tenant].pins.insert(path, version);
            }
        }
    }

    async fn unpin(&mut self, tenant: usize, path: &'static str) {
        let scoped = self.stage.world.scoped(self.scope(tenant));
        let done = scoped.unpin_file(&FilePath::parse(path).unwrap(), NOW).await.unwrap();
        assert_eq!(done, self.model.tenants[tenant].pins.remove(path).is_some());
    }

    async fn delete(&self, scope: Scope, path: &str) -> bool {
        let path = FilePath::parse(path).unwrap();
        let scoped = self.stage.world.scoped(scope);
        scoped.delete_file(&path, Precondition::Any, NOW).await.is_ok()
    }

    /// Everybody who can be asked says what the model says.
    async fn check(&self, tenant: usize) {
        let request = self.stage.request(self.scope(tenant)).await;
        let report = self.stage.runner.run(request).await.unwrap();
        let told = result(&report);
        for name in NAMES {
            self.check_name(tenant, name, &told[name]).await;
            let recorded = report.modules.iter().find(|module| module.name == name);
            let recorded = recorded
                .map(|it| (it.path.clone(), it.scope, it.version as usize, it.hash.clone()));
            let expected = self.model.import(tenant, name).map(|(path, it)| {
                (path, it.side, it.version, domain::content_hash(it.content.as_bytes()))
            });
            assert_eq!(recorded, expected, "the record of {name}");
        }
        for path in PATHS {
            let found = self.model.read(tenant, path);
            assert_eq!(told[path], json!(found.map(|it| it.content)), "a read of {path}");
        }
        self.check_list(tenant).await;
        self.check_overrides(tenant).await;
    }

    async fn check_name(&self, tenant: usize, name: &str, told: &Value) {
        let expected = self.model.import(tenant, name);
        let slug = ["acme", "globex"][tenant];
        let shown = expected.as_ref().map(|(path, it)| {
            let who = it.content.trim().trim_start_matches("WHO = ").trim_matches('\'');
            let place = match (it.side, it.pinned) {
                (Side::Own, _) => slug.to_owned(),
                (Side::Global, false) => "global".to_owned(),
                (Side::Global, true) => format!("global@{}", it.version),
            };
            json!([who, format!("bifrost://{place}/{path}")])
        });
        assert_eq!(*told, json!(shown), "an import of {name}");

        let module = ModuleName::parse(name).unwrap();
        let scoped = self.stage.world.scoped(self.scope(tenant));
        let offers = scoped.module_offers(&module).await.unwrap();
        let candidates = cascade::explain(&module, &offers.files, offers.hidden);
        let winner = candidates.into_iter().find(|candidate| candidate.chosen);
        let winner = winner
            .map(|it| (it.path, it.side, it.pinned, it.file.map(|file| file.version as usize)));
        let expected = expected.map(|(path, it)| (path, it.side, it.pinned, Some(it.version)));
        assert_eq!(winner, expected, "explain {name}");
    }

    async fn check_list(&self, tenant: usize) {
        let scoped = self.stage.world.scoped(self.scope(tenant));
        let list =
            ListFiles { prefix: String::new(), view: View::Effective, after: None, limit: 50 };
        let listed = scoped.files(list).await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .filter(|entry| PATHS.contains(&entry.path.as_str()))
            .map(|it| (it.path.as_str(), it.side, it.pinned, it.version as usize, it.overrides))
            .collect();
        let mut paths = PATHS;
        paths.sort_unstable();
        let expected: Vec<_> = paths
            .into_iter()
            .filter_map(|path| {
                let it = self.model.read(tenant, path)?;
                let global = current(&self.model.global, path).is_some();
                let overrides = it.side == Side::Own && global;
                Some((path, it.side, it.pinned, it.version, overrides))
            })
            .collect();
        assert_eq!(listed, expected, "the list");
        let held = scoped.pins("", None, 50).await.unwrap();
        let held: Vec<_> =
            held.iter().map(|it| (it.path.as_str(), it.pinned.version as usize)).collect();
        let expected: Vec<_> =
            self.model.tenants[tenant].pins.iter().map(|(p, v)| (*p, *v)).collect();
        assert_eq!(held, expected, "the pins");
    }

    async fn check_overrides(&self, tenant: usize) {
        let scoped = self.stage.world.scoped(self.scope(tenant));
        let list = ListOverrides { prefix: String::new(), after: None, limit: 50 };
        let listed = scoped.overrides(list).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|it| (it.path.as_str(), it.drift())).collect();
        let (it, mut expected) = (&self.model.tenants[tenant], Vec::new());
        for path in it.files.keys() {
            let both = current(&it.files, path).zip(current(&self.model.global, path));
            if let Some((_, (_, global))) = both {
                let drift = it.bases[path].as_ref() != Some(&global);
                expected.push((*path, drift));
                let path = FilePath::parse(path).unwrap();
                let base = scoped.named_content(&path, FileRef::Base).await.unwrap();
                let base = base.map(|it| String::from_utf8(it.content).unwrap());
                assert_eq!(base, it.bases[path.as_str()], "the base of {path}");
            }
        }
        assert_eq!(listed, expected, "the overrides");
    }
}

#[tokio::test]
async fn everything_tells_the_same_story() {
    let full = std::env::var_os("BIFROST_FULL").is_some();
    let (stories, steps) = if full { (20, 100) } else { (2, 30) };
    for seed in 1..=stories {
        println!("seed {seed}");
        let stage = stage().await;
        stage.world.write(Scope::Global, "main.py", TELL).await;
        let mut story = Story { stage, model: Model::default(), dice: Dice(seed), written: 0 };
        for _ in 0..steps {
            for _ in 0..=story.dice.below(3) {
                story.step().await;
            }
            let tenant = story.dice.below(2);
            Box::pin(story.check(tenant)).await;
        }
    }
}

#[tokio::test]
async fn a_traceback_names_the_version_that_is_held() {
    let stage = stage().await;
    let (world, path) = (&stage.world, "shared/deep.py");
    world.write(Scope::Global, path, "def fail():\n    raise KeyError('x')\n").await;
    world.write(Scope::Global, path, "def fail():\n    return 1\n").await;
    let pin = PinFile {
        path: FilePath::parse(path).unwrap(),
        version: 1,
        workflows: Vec::new(),
        now: NOW,
    };
    world.scoped(world.acme).pin_file(pin).await.unwrap();
    let report = stage.run("from shared.deep import fail\ndef run():\n    fail()\n").await;
    let traceback = &failed(&report, Status::Failed).traceback;
    let place = "File \"bifrost://global@1/shared/deep.py\", line 2, in fail";
    assert!(traceback.contains(place) && traceback.contains("raise KeyError('x')"), "{traceback}");
}
