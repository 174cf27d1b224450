//! Shares, against a model that plays workers and executions over a simulated clock.

use super::{Lane, MINIMUM, UNKNOWN, cost, share};
use crate::Timestamp;
use proptest::prelude::*;

/// An organization of the model.
#[derive(Clone, Debug)]
struct Player {
    lane: Lane,
    joined: bool,
    waiting: u32,
    running: u32,
    most: u32,
    /// How long each of its executions takes.
    takes: i64,
    served: u32,
    used: i64,
}

impl Player {
    fn new(weight: u32, takes: i64, waiting: u32) -> Self {
        let lane = Lane { virtual_time: 0, weight, usual_cost: UNKNOWN, room: 0 };
        let (joined, running, most, served, used) = (false, 0, 1_000, 0, 0);
        Self { lane, joined, waiting, running, most, takes, served, used }
    }

    fn eligible(&self) -> bool {
        self.waiting > 0 && self.running < self.most
    }
}

/// A number of slots in which executions run, as the store drives them.
struct Model {
    players: Vec<Player>,
    /// Who runs, what was charged, and when it began and ends.
    slots: Vec<Option<(usize, i64, i64, i64)>>,
    now: i64,
}

impl Model {
    fn new(players: Vec<Player>, slots: usize) -> Self {
        Self { players, slots: vec![None; slots], now: 0 }
    }

    fn add(&mut self, who: usize, executions: u32) {
        let player = &mut self.players[who];
        player.joined &= player.eligible();
        player.waiting += executions;
    }

    fn fill(&mut self) {
        let free = self.slots.iter().filter(|slot| slot.is_none()).count() as u32;
        let joined = self.players.iter().filter(|it| it.eligible() && it.joined);
        let least = joined.map(|it| it.lane.virtual_time).min();
        let most = self.players.iter().map(|it| it.lane.virtual_time).max();
        let level = least.or(most).unwrap_or(0);
        let mut order: Vec<usize> =
            (0..self.players.len()).filter(|at| self.players[*at].eligible()).collect();
        order.sort_by_key(|at| (self.players[*at].lane.virtual_time, *at));
        order.truncate(free as usize);
        let mut lanes: Vec<Lane> = Vec::new();
        for at in &order {
            let player = &mut self.players[*at];
            player.lane.room = player.waiting.min(player.most - player.running);
            if !player.joined {
                player.lane.join(level);
            }
            lanes.push(player.lane);
        }
        let shares = share(&mut lanes, free);
        for ((at, lane), times) in order.into_iter().zip(lanes).zip(shares) {
            let player = &mut self.players[at];
            player.lane = lane;
            player.joined |= times > 0;
            player.waiting -= times;
            player.running += times;
            for _ in 0..times {
                let slot = self.slots.iter().position(Option::is_none).unwrap();
                let ends = self.now + player.takes;
                self.slots[slot] = Some((at, player.lane.usual_cost, self.now, ends));
            }
        }
    }

    /// Fills the slots and lets the next execution end; who it was of.
    fn step(&mut self) -> Option<usize> {
        self.fill();
        let ends = |slot: &Option<(usize, i64, i64, i64)>| slot.map(|(.., ends)| ends);
        let busy = (0..self.slots.len()).filter(|at| self.slots[*at].is_some());
        let next = busy.min_by_key(|at| ends(&self.slots[*at]))?;
        let (at, charged, began, ends) = self.slots[next].take()?;
        self.now = ends;
        let player = &mut self.players[at];
        player.joined &= player.eligible();
        let cost = cost(Timestamp(began), Timestamp(ends));
        player.lane.virtual_time += (cost - charged) / i64::from(player.lane.weight);
        player.lane.usual_cost += (cost - player.lane.usual_cost) / 8;
        player.running -= 1;
        player.served += 1;
        player.used += cost;
        Some(at)
    }
}

#[test]
fn the_least_is_next_and_nobody_gets_more_than_it_has_room_for() {
    let lane = |virtual_time, room| Lane { virtual_time, weight: 1, usual_cost: 10, room };
    let mut lanes = [lane(0, 2), lane(15, 9), lane(12, 0)];
    assert_eq!(share(&mut lanes, 5), [2, 3, 0]);
    assert_eq!(lanes.map(|lane| lane.virtual_time), [20, 45, 12]);
    assert_eq!(share(&mut [], 5), Vec::<u32>::new());
    assert_eq!(share(&mut [lane(0, 1)], 5), [1]);
}

#[test]
fn clocks_that_disagree_cost_nothing_but_the_minimum() {
    assert_eq!(cost(Timestamp(10), Timestamp(5)), MINIMUM);
    assert_eq!(cost(Timestamp(10), Timestamp(15)), MINIMUM + 5);
}

#[test]
fn a_single_execution_beside_ten_thousand_is_next() {
    for slots in [1, 4, 16] {
        let noisy = Player::new(100, 2_000_000, 10_000);
        let mut model = Model::new(vec![noisy, Player::new(1, 1_000_000, 0)], slots);
        for _ in 0..50 {
            model.step();
        }
        model.add(1, 1);
        let asked = model.now;
        while model.players[1].served == 0 {
            model.step();
        }
        // One running execution of the noisy one, and its own.
        assert!(model.now - asked <= 2_000_000 + 1_000_000, "{slots}: {}", model.now - asked);
    }
}

#[test]
fn what_was_used_while_nobody_else_wanted_it_is_no_debt_and_idling_is_no_credit() {
    let players = vec![Player::new(1, 1_000_000, 500), Player::new(1, 1_000_000, 0)];
    let mut model = Model::new(players, 1);
    for _ in 0..500 {
        model.step();
    }
    model.add(0, 200);
    model.add(1, 200);
    for _ in 0..200 {
        model.step();
    }
    let first = model.players[0].served - 500;
    assert!((99..=101).contains(&first), "{first} of 200");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shares_of_time_follow_weights(
        players in prop::collection::vec((1u32..=10, 1_000i64..2_000_000), 2..6),
        slots in 1usize..6,
    ) {
        let players = players.into_iter().map(|(weight, takes)| Player::new(weight, takes, 1_000_000));
        let mut model = Model::new(players.collect(), slots);
        for _ in 0..6_000 {
            model.step();
        }
        let weights: i64 = model.players.iter().map(|it| i64::from(it.lane.weight)).sum();
        let all: i64 = model.players.iter().map(|it| it.used).sum();
        // What runs at this moment is not counted yet, so nobody is measured finer than that.
        let longest = model.players.iter().map(|it| it.takes).max().unwrap();
        for player in &model.players {
            let due = all * i64::from(player.lane.weight) / weights;
            let off = (player.used - due).abs();
            let bound = due / 20 + longest * 2 * slots as i64;
            prop_assert!(off <= bound, "used {} of {due}: {player:?}", player.used);
        }
    }

    #[test]
    fn counts_follow_weights_within_five_percent_over_a_thousand(
        weights in prop::collection::vec(1u32..=10, 2..5), takes in 0i64..1_000_000,
    ) {
        let players = weights.iter().map(|weight| Player::new(*weight, takes, 100_000));
        let mut model = Model::new(players.collect(), 4);
        for _ in 0..1_000 {
            model.step();
        }
        let sum: u32 = weights.iter().sum();
        for player in &model.players {
            let due = f64::from(1_000 * player.lane.weight) / f64::from(sum);
            let off = (f64::from(player.served) - due).abs();
            prop_assert!(off <= 50.0, "{} of {due}", player.served);
        }
    }

    #[test]
    fn nobody_starves_whoever_comes_and_goes(
        seed in prop::collection::vec((0usize..8, 1u32..5), 400..800),
        slots in 1usize..4,
    ) {
        // Seven that come and go, and one that waits with a single execution at a time.
        let mut players: Vec<_> = (0..8).map(|at| Player::new(1 + at % 3, 50_000, 0)).collect();
        players[7].most = 1;
        let mut model = Model::new(players, slots);
        let (mut steps_waited, mut last) = (0, 0);
        for (who, executions) in seed {
            model.add(who, executions);
            if model.players[7].waiting == 0 {
                model.add(7, 1);
            }
            model.step();
            steps_waited = if model.players[7].served > last { 0 } else { steps_waited + 1 };
            last = model.players[7].served;
            // At most one of each other before it, and what runs already.
            prop_assert!(steps_waited <= 8 * 3 + slots * 2, "{steps_waited}");
        }
    }

    #[test]
    fn nothing_is_dealt_that_is_not_there(
        lanes in prop::collection::vec((0i64..1000, 1u32..10, 0i64..1000, 0u32..20), 0..10),
        limit in 0u32..40,
    ) {
        let lanes = lanes.into_iter().map(|(virtual_time, weight, usual_cost, room)| {
            Lane { virtual_time, weight, usual_cost, room }
        });
        let before: Vec<Lane> = lanes.collect();
        let mut after = before.clone();
        let shares = share(&mut after, limit);
        let room: u32 = before.iter().map(|lane| lane.room).sum();
        prop_assert_eq!(shares.iter().sum::<u32>(), limit.min(room));
        for ((before, after), times) in before.iter().zip(&after).zip(&shares) {
            prop_assert!(*times <= before.room);
            let advanced = before.virtual_time + before.step() * i64::from(*times);
            prop_assert_eq!(advanced, after.virtual_time);
        }
    }
}
