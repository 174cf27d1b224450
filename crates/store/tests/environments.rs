//! What is remembered of each `requirements.txt`, and who may read and tell it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{FilePath, Scope, Timestamp, content_hash, scope::Side};
use store::{
    EnvironmentLock, EnvironmentNews, EnvironmentStatus, ListAudit, Precondition, Reason, System,
};
use testkit::{World, world::NOW};

const PATH: &str = "requirements.txt";

fn hash(text: &str) -> String {
    content_hash(text.as_bytes())
}

fn system(world: &World) -> System {
    world.store.system(Reason::Environments)
}

async fn row(world: &World, owner: Scope, text: &str) -> Option<EnvironmentLock> {
    system(world).environment(owner, &hash(text)).await.unwrap()
}

async fn tell(world: &World, text: &str, news: EnvironmentNews, now: Timestamp) {
    system(world).tell_environment(world.acme, &hash(text), news, now).await.unwrap();
}

#[tokio::test]
async fn writing_the_file_says_which_content_is_current_and_deleting_it_that_none_is() {
    let world = World::new().await;
    world.write(world.acme, PATH, "a").await;
    let first = row(&world, world.acme, "a").await.unwrap();
    assert_eq!((first.status, first.current), (EnvironmentStatus::Waiting, true));
    assert_eq!((first.version, first.lock, first.built_at), (1, None, None));
    world.write(world.acme, PATH, "b").await;
    world.write(world.acme, "shared/requirements.txt", "c").await;
    assert!(!row(&world, world.acme, "a").await.unwrap().current);
    let second = row(&world, world.acme, "b").await.unwrap();
    assert_eq!((second.current, second.version), (true, 2));
    assert_eq!(row(&world, world.acme, "c").await, None);
    let path = FilePath::parse(PATH).unwrap();
    world.scoped(world.acme).delete_file(&path, Precondition::Any, NOW).await.unwrap();
    assert!(!row(&world, world.acme, "b").await.unwrap().current);
}

#[tokio::test]
async fn the_lock_that_is_kept_first_is_everybody_s() {
    let world = World::new().await;
    world.write(world.acme, PATH, "a").await;
    let keep = async |lock: &str| system(&world).keep_lock(world.acme, &hash("a"), lock).await;
    assert_eq!(keep("one").await.unwrap().as_deref(), Some("one"));
    assert_eq!(keep("two").await.unwrap().as_deref(), Some("one"));
    let nowhere = system(&world).keep_lock(world.acme, &hash("b"), "one").await.unwrap();
    assert_eq!(nowhere, None);
}

#[tokio::test]
async fn the_last_good_one_is_the_one_the_file_had_last_of_those_that_were_built() {
    let world = World::new().await;
    let system = system(&world);
    let last = async || {
        let last = system.last_environment(world.acme, &hash("c")).await.unwrap();
        last.map(|row| row.requirements_hash)
    };
    for (number, text) in (0..).zip(["a", "b", "c"]) {
        world.write(world.acme, PATH, text).await;
        let later = Timestamp(NOW.0 + number);
        let news = match text {
            "c" => EnvironmentNews::Failed("it is not there".to_owned()),
            _ => EnvironmentNews::Ready,
        };
        tell(&world, text, news, later).await;
        tell(&world, text, EnvironmentNews::Used, later).await;
    }
    assert_eq!(last().await, Some(hash("b")));
    tell(&world, "a", EnvironmentNews::Used, Timestamp(NOW.0 + 9)).await;
    assert_eq!(last().await, Some(hash("a")));
    let failed = row(&world, world.acme, "c").await.unwrap();
    assert_eq!(failed.error.as_deref(), Some("it is not there"));
    assert_eq!(failed.status, EnvironmentStatus::Failed);
    assert_eq!(system.last_environment(world.globex, "").await.unwrap(), None);
}

#[tokio::test]
async fn asking_again_forgets_the_failure_and_is_in_the_audit() {
    let world = World::new().await;
    world.write(world.acme, PATH, "a").await;
    tell(&world, "a", EnvironmentNews::Failed("no".to_owned()), NOW).await;
    let scoped = world.scoped(world.acme);
    scoped.build_environment(&hash("a"), 1, NOW).await.unwrap();
    let again = scoped.environment(Side::Own, &hash("a")).await.unwrap().unwrap();
    assert_eq!((again.status, again.error), (EnvironmentStatus::Waiting, None));
    let list = ListAudit { limit: 1, ..ListAudit::default() };
    let entry = scoped.audit_entries(list).await.unwrap().remove(0).entry;
    assert_eq!((entry.action.as_str(), entry.object.as_str()), ("environment.build", PATH));
    tell(&world, "a", EnvironmentNews::Ready, NOW).await;
    scoped.build_environment(&hash("a"), 1, NOW).await.unwrap();
    let ready = scoped.environment(Side::Own, &hash("a")).await.unwrap().unwrap();
    assert_eq!(ready.status, EnvironmentStatus::Ready);
}

#[tokio::test]
async fn an_organization_reads_its_own_and_global_s_and_nobody_else_s() {
    let world = World::new().await;
    world.write(world.acme, PATH, "a").await;
    world.write(Scope::Global, PATH, "g").await;
    let globex = world.scoped(world.globex);
    tell(&world, "a", EnvironmentNews::Ready, NOW).await;
    assert!(globex.environment(Side::Global, &hash("g")).await.unwrap().is_some());
    for side in [Side::Own, Side::Global] {
        assert_eq!(globex.environment(side, &hash("a")).await.unwrap(), None);
        assert_eq!(globex.last_environment(side, "").await.unwrap(), None);
    }
    let acme = world.scoped(world.acme);
    assert!(acme.last_environment(Side::Own, "").await.unwrap().is_some());
}

#[tokio::test]
async fn what_the_file_had_long_ago_is_forgotten_and_what_it_has_never() {
    let world = World::new().await;
    for text in ["a", "b", "c"] {
        world.write(world.acme, PATH, text).await;
    }
    let before = Timestamp(NOW.0 + 1);
    let gone = system(&world).forget_environments(world.acme, before, &hash("b")).await.unwrap();
    assert_eq!(gone, 1);
    let left = system(&world).environments(world.acme).await.unwrap();
    let mut left: Vec<_> = left.into_iter().map(|row| row.requirements_hash).collect();
    left.sort();
    let mut expected = vec![hash("b"), hash("c")];
    expected.sort();
    assert_eq!(left, expected);
}
