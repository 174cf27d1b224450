//! What goes wrong, and when: decided by dice.

use crate::{dice::Dice, scene::Scene};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Everything that dies, until it is told to stop.
pub struct Trouble {
    over: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<&'static str, usize>>,
}

/// Between two blows.
const LEAST: Duration = Duration::from_millis(300);
const MOST: Duration = Duration::from_millis(1500);
/// How long something that died stays dead, at most.
const DEAD: Duration = Duration::from_millis(800);

impl Trouble {
    /// Begins.
    pub fn begin(scene: Arc<Scene>, dice: Dice) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = std::thread::spawn(move || strike_until(&scene, dice, &told));
        Self { over, thread }
    }

    /// Goes on until `ended`, and says what happened how often.
    pub async fn end_when(self, ended: impl Future<Output = BTreeMap<String, usize>>) -> String {
        let outcomes = ended.await;
        self.over.store(true, Ordering::SeqCst);
        let blows = tokio::task::spawn_blocking(|| self.thread.join().unwrap()).await.unwrap();
        format!("outcomes {outcomes:?}; blows {blows:?}")
    }
}

#[expect(clippy::disallowed_methods, reason = "trouble comes when it comes, not on a condition")]
fn strike_until(scene: &Scene, mut dice: Dice, over: &AtomicBool) -> BTreeMap<&'static str, usize> {
    let mut blows = BTreeMap::new();
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(dice.between(LEAST, MOST));
        let blow = strike(scene, &mut dice);
        *blows.entry(blow).or_default() += 1;
        for node in scene.apis.iter().map(|(_, node)| node).chain(&scene.workers) {
            if node.lock().unwrap().revive() {
                *blows.entry("ended by itself").or_default() += 1;
            }
        }
    }
    blows
}

#[expect(clippy::disallowed_methods, reason = "what died stays dead for a while")]
fn strike(scene: &Scene, dice: &mut Dice) -> &'static str {
    let dead = dice.between(Duration::from_millis(10), DEAD);
    match dice.roll(11) {
        0..=2 => {
            let mut worker = scene.workers[dice.roll(scene.workers.len())].lock().unwrap();
            worker.kill();
            std::thread::sleep(dead);
            worker.start_again();
            "worker killed"
        }
        3 => {
            let mut api = scene.apis[dice.roll(scene.apis.len())].1.lock().unwrap();
            api.kill();
            std::thread::sleep(dead);
            api.start_again();
            "API killed"
        }
        4 => {
            let mut postgres = scene.postgres.lock().unwrap();
            postgres.stop();
            std::thread::sleep(dead);
            postgres.start_again();
            "PostgreSQL restarted"
        }
        5 => {
            let mut postgres = scene.postgres.lock().unwrap();
            postgres.kill();
            std::thread::sleep(dead);
            postgres.start_again();
            "PostgreSQL killed"
        }
        6 => {
            let mut redis = scene.redis.lock().unwrap();
            redis.kill();
            std::thread::sleep(dead);
            redis.restart();
            "Redis killed"
        }
        7 => {
            let redis = scene.redis.lock().unwrap();
            redis.freeze();
            std::thread::sleep(dead);
            redis.thaw();
            "Redis frozen"
        }
        8 => {
            scene.redis.lock().unwrap().flush();
            "Redis flushed"
        }
        _ => {
            let some = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name = 'bifrost' AND random() < 0.5";
            scene.ask(some);
            "connections cut"
        }
    }
}
