//! Schedules: what is due starts once, what does not count never, and every change is seen.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, ExecutionId, FilePath, OrganizationId, Scope, Timestamp, analysis::Workflow};
use serde_json::json;
use store::{
    ListAudit, ListExecutions, OrganizationChange, OrganizationStatus, PassedOver, Precondition,
    Reason, ScheduleEntry, ScheduleTick, System, TickOutcome, UpdateSettings, WriteFile,
};
use testkit::{
    World,
    peek::Peek,
    world::{scheduled, workflow},
};
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// A Tuesday, 2023-11-14, 06:30 in UTC.
const HALF_PAST_SIX: Timestamp = Timestamp(1_699_943_400 * SECOND);
const SEVEN: Timestamp = Timestamp(HALF_PAST_SIX.0 + 30 * MINUTE);
const DAILY: &str = "0 7 * * *";

fn later(moment: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(moment.0 + seconds * SECOND)
}

struct Scene {
    world: World,
}

impl Scene {
    async fn new() -> Self {
        Self { world: World::new().await }
    }

    fn system(&self) -> System {
        self.world.store.system(Reason::Schedule)
    }

    async fn write(&self, owner: Scope, path: &str, workflows: Vec<Workflow>, now: Timestamp) {
        let content = format!("# {}\n", Uuid::now_v7());
        let write = WriteFile {
            path: FilePath::parse(path).unwrap(),
            content: content.as_bytes(),
            message: None,
            source: "operator",
            precondition: Precondition::Any,
            workflows,
            now,
        };
        self.world.scoped(owner).write_file(write).await.unwrap();
    }

    /// A workflow `report` of Acme's at seven, planned at half past six.
    async fn report(missed: &str) -> Self {
        let scene = Self::new().await;
        let acme = scene.world.acme;
        scene.write(acme, "a.py", vec![scheduled("report", DAILY, missed)], HALF_PAST_SIX).await;
        scene.plan().await;
        scene
    }

    async fn plan(&self) {
        while self.system().plan_schedules(100).await.unwrap() > 0 {}
    }

    /// Everything that is due at `now`, one after the other.
    async fn due(&self, now: Timestamp) -> Vec<TickOutcome> {
        let mut all = Vec::new();
        while let Some(tick) = self.start(now).await {
            all.push(tick.outcome);
        }
        assert!(self.system().next_tick().await.unwrap().is_none_or(|next| next > now));
        all
    }

    async fn start(&self, now: Timestamp) -> Option<ScheduleTick> {
        self.system().start_scheduled(ExecutionId(Uuid::now_v7()), now).await.unwrap()
    }

    async fn started(&self, now: Timestamp) -> usize {
        let due = self.due(now).await;
        due.iter().filter(|outcome| matches!(outcome, TickOutcome::Started(_))).count()
    }

    async fn entry(&self, owner: Scope, now: Timestamp) -> Option<ScheduleEntry> {
        self.world.scoped(owner).schedule("report", now).await.unwrap()
    }

    async fn switch(&self, owner: Scope, enabled: bool, now: Timestamp) -> ScheduleEntry {
        let scoped = self.world.scoped(owner);
        scoped.switch_schedule("report", enabled, now).await.unwrap().unwrap()
    }

    async fn executions(&self, owner: Scope, workflow: &str) -> usize {
        let list = ListExecutions {
            status: None,
            workflow: Some(workflow.to_owned()),
            options: false,
            before: None,
            limit: 10_000,
        };
        self.world.scoped(owner).executions(list).await.unwrap().len()
    }

    async fn set(&self, owner: Scope, patch: serde_json::Value, now: Timestamp) {
        let update = UpdateSettings {
            patch: &patch,
            precondition: Precondition::Any,
            may_set_weight: false,
            now,
        };
        self.world.scoped(owner).update_settings(update).await.unwrap();
    }

    async fn suspend(&self, status: OrganizationStatus) {
        let Scope::Organization(id) = self.world.acme else { unreachable!() };
        let change = OrganizationChange { name: None, status: Some(status) };
        let system = self.world.store.system(Reason::Organizations);
        let by = Access::for_operator(Scope::Organization(OrganizationId::PROVIDER));
        system.update_organization(id, change, &by, HALF_PAST_SIX).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_workflow_starts_at_its_tick_and_not_before_and_once() {
    let scene = Scene::report("skip").await;
    let acme = scene.world.acme;
    let before = scene.entry(acme, HALF_PAST_SIX).await.unwrap();
    assert_eq!((before.enabled, before.next_at, before.last_at), (true, Some(SEVEN), None));
    assert_eq!(scene.due(later(SEVEN, -1)).await, []);
    let now = later(SEVEN, 1);
    let [TickOutcome::Started(id)] = scene.due(now).await[..] else { panic!("not started") };
    let execution = scene.world.scoped(acme).execution(id).await.unwrap().unwrap();
    assert_eq!((execution.requested_by.as_str(), execution.created_at), ("schedule", now));
    assert_eq!(execution.inputs.get(), "{}");
    let after = scene.entry(acme, now).await.unwrap();
    assert_eq!((after.last_at, after.last_execution), (Some(now), Some(id)));
    assert_eq!(after.next_at, Some(later(SEVEN, 24 * 3600)));
    assert_eq!((after.problem, scene.due(later(now, 600)).await), (None, vec![]));
    assert_eq!(scene.entry(scene.world.globex, now).await, None);
}

#[tokio::test]
async fn a_tick_that_never_was_committed_is_due_again() {
    let scene = Scene::report("skip").await;
    for _ in 0..20 {
        let id = ExecutionId(Uuid::now_v7());
        let system = scene.system();
        let starting = system.start_scheduled(id, SEVEN);
        // A server that dies in the middle of it: the transaction is never committed.
        let _died = tokio::time::timeout(std::time::Duration::from_micros(300), starting).await;
    }
    // The database notices each death in its own time, and until then others pass the row by.
    let peek = Peek::new(scene.world.directory.path()).await;
    let over = async || peek.nobody_is_at_it().await.then_some(());
    testkit::eventually("the dead are gone", over).await;
    scene.due(SEVEN).await;
    assert_eq!(scene.executions(scene.world.acme, "report").await, 1);
}

#[tokio::test]
async fn what_is_paused_does_not_start_even_before_anybody_has_planned() {
    let scene = Scene::report("once").await;
    let acme = scene.world.acme;
    let paused = scene.switch(acme, false, later(SEVEN, -1)).await;
    assert_eq!((paused.enabled, paused.next_at), (false, None));
    assert_eq!(scene.due(SEVEN).await, [TickOutcome::Void]);
    scene.plan().await;
    // Files come and go, the switch stays.
    scene
        .world
        .scoped(acme)
        .delete_file(&FilePath::parse("a.py").unwrap(), Precondition::Any, SEVEN)
        .await
        .unwrap();
    scene.plan().await;
    scene.write(acme, "b.py", vec![scheduled("report", DAILY, "once")], SEVEN).await;
    scene.plan().await;
    assert_eq!(scene.due(later(SEVEN, 24 * 3600)).await, []);
    // Back on, it does not make up for the time it was off.
    let on = scene.switch(acme, true, later(SEVEN, 25 * 3600)).await;
    assert_eq!(on.next_at, Some(later(SEVEN, 48 * 3600)));
    scene.plan().await;
    assert_eq!(scene.due(later(SEVEN, 26 * 3600)).await, []);
    assert_eq!(scene.started(later(SEVEN, 48 * 3600)).await, 1);
    let list = ListAudit { action: Some("schedule.".to_owned()), limit: 10, ..Default::default() };
    let told = scene.world.scoped(acme).audit_entries(list).await.unwrap();
    let told: Vec<_> =
        told.iter().map(|it| (it.entry.action.as_str(), it.entry.object.as_str())).collect();
    assert_eq!(told, [("schedule.resume", "report"), ("schedule.pause", "report")]);
}

#[tokio::test]
async fn globals_schedule_starts_where_it_was_switched_on_and_nowhere_else() {
    let scene = Scene::new().await;
    let World { acme, globex, .. } = scene.world;
    scene
        .write(Scope::Global, "g.py", vec![scheduled("report", DAILY, "skip")], HALF_PAST_SIX)
        .await;
    scene.plan().await;
    let entry = scene.entry(acme, HALF_PAST_SIX).await.unwrap();
    assert_eq!((entry.enabled, entry.next_at), (false, None));
    assert_eq!(scene.started(SEVEN).await, 0);
    let entry = scene.switch(acme, true, later(SEVEN, 60)).await;
    assert_eq!((entry.enabled, entry.next_at), (true, Some(later(SEVEN, 24 * 3600))));
    scene.plan().await;
    assert_eq!(scene.started(later(SEVEN, 24 * 3600)).await, 1);
    for (owner, count) in [(acme, 1), (globex, 0), (Scope::Global, 0)] {
        assert_eq!(scene.executions(owner, "report").await, count);
    }
    // A new pattern of Global's reaches those who follow it.
    let eight = later(SEVEN, 25 * 3600);
    scene
        .write(
            Scope::Global,
            "g.py",
            vec![scheduled("report", "0 8 * * *", "skip")],
            later(eight, -600),
        )
        .await;
    scene.plan().await;
    assert_eq!(scene.entry(acme, eight).await.unwrap().next_at, Some(eight));
    assert_eq!(scene.started(eight).await, 1);
}

#[tokio::test]
async fn an_own_workflow_takes_the_place_of_globals_and_gives_it_back() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    scene
        .write(Scope::Global, "g.py", vec![scheduled("report", DAILY, "skip")], HALF_PAST_SIX)
        .await;
    scene.switch(acme, true, HALF_PAST_SIX).await;
    scene.plan().await;
    // One of the same name without a schedule, elsewhere: nothing starts.
    scene.write(acme, "own.py", vec![workflow("report")], HALF_PAST_SIX).await;
    assert_eq!(scene.entry(acme, SEVEN).await, None);
    scene.plan().await;
    assert_eq!(scene.due(SEVEN).await, []);
    let own = FilePath::parse("own.py").unwrap();
    scene.world.scoped(acme).delete_file(&own, Precondition::Any, later(SEVEN, 60)).await.unwrap();
    scene.plan().await;
    assert_eq!(scene.started(later(SEVEN, 24 * 3600)).await, 1);
    // The very file, with the function dropped.
    scene.write(acme, "g.py", vec![], later(SEVEN, 25 * 3600)).await;
    assert_eq!(scene.due(later(SEVEN, 48 * 3600)).await, [TickOutcome::Void]);
}

#[tokio::test]
async fn a_module_of_globals_hides_an_own_schedule_for_as_long_as_it_is_there() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    scene
        .write(acme, "shared/own.py", vec![scheduled("report", DAILY, "skip")], HALF_PAST_SIX)
        .await;
    scene.plan().await;
    scene.write(Scope::Global, "shared.py", vec![], HALF_PAST_SIX).await;
    scene.plan().await;
    assert_eq!((scene.entry(acme, SEVEN).await, scene.due(SEVEN).await), (None, vec![]));
    let hiding = FilePath::parse("shared.py").unwrap();
    let global = scene.world.scoped(Scope::Global);
    global.delete_file(&hiding, Precondition::Any, later(SEVEN, 60)).await.unwrap();
    scene.plan().await;
    assert_eq!(scene.started(later(SEVEN, 24 * 3600)).await, 1);
}

#[tokio::test]
async fn a_new_pattern_counts_from_the_moment_it_was_written() {
    let scene = Scene::report("skip").await;
    let acme = scene.world.acme;
    // Written just before the tick and looked at just after it.
    let write = |pattern| vec![scheduled("report", pattern, "skip")];
    scene.write(acme, "a.py", write("0,30 7 * * *"), later(SEVEN, -1)).await;
    assert_eq!(scene.started(SEVEN).await, 1);
    scene.plan().await;
    assert_eq!(scene.due(later(SEVEN, 5)).await, []);
    assert_eq!(scene.executions(acme, "report").await, 1);
    scene.write(acme, "a.py", write("45 7 * * *"), later(SEVEN, 60)).await;
    assert_eq!(scene.due(later(SEVEN, 30 * 60)).await, [TickOutcome::Void]);
    scene.plan().await;
    assert_eq!(scene.started(later(SEVEN, 45 * 60)).await, 1);
    // Planned late, its first tick is due at once.
    scene.write(acme, "a.py", write("50 7 * * *"), later(SEVEN, 50 * 60 - 1)).await;
    scene.plan().await;
    assert_eq!(scene.started(later(SEVEN, 50 * 60 + 1)).await, 1);
    assert_eq!(scene.executions(acme, "report").await, 3);
}

#[tokio::test]
async fn the_organizations_clocks_count_as_soon_as_they_are_set() {
    let scene = Scene::report("skip").await;
    let acme = scene.world.acme;
    let vienna = json!({"regional": {"timezone": "Europe/Vienna"}});
    scene.set(acme, vienna, HALF_PAST_SIX).await;
    // Six in UTC is seven in Vienna, and over for today.
    let next = later(SEVEN, 23 * 3600);
    assert_eq!(scene.entry(acme, HALF_PAST_SIX).await.unwrap().next_at, Some(next));
    scene.plan().await;
    assert_eq!(scene.due(SEVEN).await, []);
    assert_eq!(scene.started(next).await, 1);
}

#[tokio::test]
async fn missed_ticks_are_passed_over_or_made_up_for_once() {
    let week = 7 * 24 * 3600;
    let skip = Scene::report("skip").await;
    assert_eq!(
        skip.due(later(SEVEN, week + 600)).await,
        [TickOutcome::PassedOver(PassedOver::Missed)]
    );
    let entry = skip.entry(skip.world.acme, later(SEVEN, week + 600)).await.unwrap();
    assert_eq!(entry.next_at, Some(later(SEVEN, week + 24 * 3600)));
    assert_eq!(
        entry.problem.unwrap().to_string(),
        "the tick of 2023-11-14T07:00:00.000000Z started nothing: no server was there in time"
    );
    assert_eq!(skip.started(entry.next_at.unwrap()).await, 1);
    assert_eq!(skip.entry(skip.world.acme, SEVEN).await.unwrap().problem, None);
    // Of those that were missed none, and the one of a moment ago.
    let skip = Scene::report("skip").await;
    assert_eq!(skip.started(later(SEVEN, week + 50)).await, 1);
    let once = Scene::report("once").await;
    assert_eq!(once.started(later(SEVEN, week + 600)).await, 1);
    assert_eq!(once.due(later(SEVEN, week + 24 * 3600 - 1)).await, []);
    assert_eq!(once.started(later(SEVEN, week + 24 * 3600)).await, 1);
}

#[tokio::test]
async fn a_full_queue_is_a_missed_tick_or_waits_for_a_place() {
    for (missed, first) in
        [("skip", TickOutcome::PassedOver(PassedOver::QueueFull)), ("once", TickOutcome::Waits)]
    {
        let scene = Scene::report(missed).await;
        let acme = scene.world.acme;
        scene
            .set(acme, json!({"executions": {"max_queued": 1, "max_concurrent": 1}}), HALF_PAST_SIX)
            .await;
        scene.plan().await;
        scene
            .write(acme, "b.py", vec![scheduled("early", "59 6 * * *", "skip")], HALF_PAST_SIX)
            .await;
        scene.plan().await;
        assert_eq!(scene.started(later(SEVEN, -60)).await, 1);
        assert_eq!(scene.due(SEVEN).await, [first]);
        assert_eq!(scene.due(later(SEVEN, 9)).await, []);
        let problem = scene.entry(acme, SEVEN).await.unwrap().problem.unwrap().to_string();
        assert!(problem.contains("as many executions were waiting"), "{problem}");
        let claim = scene.world.store.system(Reason::Claim);
        let lease = std::time::Duration::from_secs(60);
        assert_eq!(claim.claim(Uuid::now_v7(), 10, lease, SEVEN).await.unwrap().claims.len(), 1);
        let expected = usize::from(missed == "once");
        assert_eq!(scene.started(later(SEVEN, 10)).await, expected, "{missed}");
        assert_eq!(scene.executions(acme, "report").await, expected);
    }
}

#[tokio::test]
async fn nothing_of_a_suspended_organization_starts_and_nothing_is_made_up_for() {
    let scene = Scene::report("once").await;
    scene.suspend(OrganizationStatus::Suspended).await;
    assert_eq!(scene.due(SEVEN).await, [TickOutcome::Void]);
    scene.suspend(OrganizationStatus::Active).await;
    assert_eq!(scene.due(later(SEVEN, 600)).await, []);
    assert_eq!(scene.started(later(SEVEN, 24 * 3600)).await, 1);
}

#[tokio::test]
async fn a_schedule_that_is_none_says_so_and_starts_nothing() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    scene.write(acme, "a.py", vec![scheduled("report", "0 0 30 2 *", "skip")], HALF_PAST_SIX).await;
    scene.plan().await;
    let entry = scene.entry(acme, HALF_PAST_SIX).await.unwrap();
    assert_eq!((entry.next_at, entry.enabled), (None, true));
    assert!(entry.problem.unwrap().to_string().starts_with("no day fits"));
    assert_eq!(scene.system().next_tick().await.unwrap(), None);
}

#[tokio::test]
async fn the_list_has_what_the_cascade_has_page_by_page() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    let three = ["b", "d", "e"].map(|name| scheduled(name, DAILY, "skip")).to_vec();
    scene.write(Scope::Global, "g.py", three, HALF_PAST_SIX).await;
    let own = vec![scheduled("a", DAILY, "once"), workflow("b"), scheduled("d", DAILY, "skip")];
    scene.write(acme, "own.py", own, HALF_PAST_SIX).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = scene.world.scoped(acme).schedules(after, 1, HALF_PAST_SIX).await.unwrap();
        let Some(entry) = page.into_iter().next() else { break };
        after = Some(entry.workflow.clone());
        seen.push((entry.workflow, entry.enabled));
    }
    let names = |name: &str, enabled| (name.to_owned(), enabled);
    assert_eq!(seen, [names("a", true), names("d", true), names("e", false)]);
}
