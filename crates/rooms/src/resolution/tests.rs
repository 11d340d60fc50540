use std::collections::{HashMap, HashSet};

use banyan_core::{Entropy, SeededEntropy, TimestampMicros};
use proptest::prelude::*;
use ruma::{
    OwnedEventId,
    state_res::{self, StateMap, utils::event_id_set::EventIdSet},
};
use serde_json::{Value, json};

use crate::{
    auth_chain::AuthGraph,
    pdu::Pdu,
    placement::PlaceError,
    state::State,
    testing::{View, restart_time},
};

const A: &str = "@a:one.org";
const B: &str = "@b:two.org";
const C: &str = "@c:three.org";

/// Both views take in the other's events, in the other's order, and must agree.
async fn meet(one: &mut View, two: &mut View) {
    one.catch_up(two).await;
    two.catch_up(one).await;
    let (a, b) = (one.contents().await, two.contents().await);
    assert_eq!(a, b, "the two servers disagree about the state");
    assert_eq!(one.folded().await, two.folded().await, "the same state has two roots");
}

#[tokio::test]
async fn a_ban_wins_over_a_join_at_the_same_time() {
    for version in ["10", "11", "12"] {
        let mut one = View::with_room(version, A, &[], "public").await;
        let mut two = one.fork().await;
        two.member(B, B, "join").await.unwrap();
        one.member(A, B, "ban").await.unwrap();
        meet(&mut one, &mut two).await;
        assert_eq!(one.membership(B).await.as_deref(), Some("ban"), "version {version}");
    }
}

#[tokio::test]
async fn of_two_changes_of_power_the_mightier_one_counts_first() {
    for version in ["10", "11", "12"] {
        let levels = |b: i64, state: i64| {
            let mut users = json!({ B: b });
            if version != "12" {
                users[A] = json!(100);
            }
            json!({ "users": users, "state_default": state })
        };
        let mut one = View::with_room(version, A, &[B], "public").await;
        one.member(B, B, "join").await.unwrap();
        let mut two = one.fork().await;
        // B raises what state needs; A, at the same time, takes B's power away.
        two.send(B, "m.room.power_levels", Some(""), levels(50, 45)).await.unwrap();
        two.send(B, "m.room.topic", Some(""), json!({ "topic": "mine" })).await.unwrap();
        let demotion = one.send(A, "m.room.power_levels", Some(""), levels(0, 50)).await.unwrap();
        meet(&mut one, &mut two).await;
        assert_eq!(one.get("m.room.power_levels", "").await.as_deref(), Some(demotion.event_id()), "version {version}");
        assert_eq!(one.get("m.room.topic", "").await, None, "version {version}");
    }
}

#[tokio::test]
async fn a_closed_door_keeps_late_joins_out() {
    let mut one = View::with_room("12", A, &[], "public").await;
    let mut two = one.fork().await;
    two.member(C, C, "join").await.unwrap();
    two.send(C, "m.room.message", None, json!({ "body": "hello" })).await.unwrap();
    one.send(A, "m.room.join_rules", Some(""), json!({ "join_rule": "invite" })).await.unwrap();
    meet(&mut one, &mut two).await;
    assert_eq!(one.membership(C).await, None);
    assert_eq!((one.head.as_ref().unwrap().joined, two.head.as_ref().unwrap().joined), (1, 1));
}

/// The state that the algorithm gives for whole states and whole auth chains: what our shortcuts must not change.
async fn whole(view: &View, states: &[State]) -> StateMap<OwnedEventId> {
    let room = view.room();
    let mut graph = AuthGraph::new(&*view.events, room, view.version);
    let mut maps: Vec<StateMap<OwnedEventId>> = Vec::new();
    for state in states {
        let all = view.placer.states().all(room, state).await.unwrap();
        graph.load_chains(all.iter().map(|(_, id)| id.clone())).await.unwrap();
        maps.push(all.into_iter().map(|(key, id)| ((key.event_type, key.state_key), id)).collect());
    }
    let chains: Vec<EventIdSet<OwnedEventId>> =
        maps.iter().map(|map| graph.chain(map.values().map(|id| &**id)).into_iter().collect()).collect();
    let events: HashMap<OwnedEventId, Pdu> = view.placed.iter().map(|event| (event.event_id().to_owned(), event.clone())).collect();
    state_res::resolve(
        view.version.authorization(),
        view.version.state_resolution(),
        &maps,
        chains,
        |id| events.get(id).cloned(),
        |conflicted| {
            let ends: HashSet<OwnedEventId> = conflicted.values().flatten().cloned().collect();
            Some(graph.between(&ends).into_iter().collect())
        },
    )
    .unwrap()
}

/// One random act of a user on a view; what the rules forbid is not done.
async fn act(view: &mut View, who: &str, entropy: &SeededEntropy) {
    let others = [A, B, C];
    let target = others[usize::try_from(entropy.next_u64() % 3).unwrap()];
    let level = i64::try_from(entropy.next_u64() % 60).unwrap();
    let (kind, state_key, content): (&str, Option<&str>, Value) = match entropy.next_u64() % 9 {
        0 => ("m.room.member", Some(who), json!({ "membership": "join" })),
        1 if who != A => ("m.room.member", Some(who), json!({ "membership": "leave" })),
        2 if who != target => ("m.room.member", Some(target), json!({ "membership": "ban" })),
        3 if who != target => ("m.room.member", Some(target), json!({ "membership": "leave" })),
        4 if who != target => ("m.room.member", Some(target), json!({ "membership": "invite" })),
        5 => ("m.room.topic", Some(""), json!({ "topic": level })),
        6 => {
            let mut users = json!({ B: level, C: 60 - level });
            if !view.version.authorization().explicitly_privilege_room_creators {
                users[A] = json!(100);
            }
            ("m.room.power_levels", Some(""), json!({ "users": users, "state_default": level / 2 }))
        }
        7 => ("m.room.join_rules", Some(""), json!({ "join_rule": if level % 3 == 0 { "invite" } else { "public" } })),
        _ => ("m.room.message", None, json!({ "body": level })),
    };
    let _ = view.send(who, kind, state_key, content).await;
}

/// Three servers act at random and hear of each other at random; in the end everyone has heard everything.
async fn history(version: &str, seed: u64, steps: usize) -> Vec<View> {
    restart_time();
    let entropy = SeededEntropy::new(seed);
    let one = View::with_room(version, A, &[B], "public").await;
    let mut views = vec![one.fork().await, one.fork().await, one];
    let who = [B, C, A];
    for _ in 0..steps {
        let index = usize::try_from(entropy.next_u64() % 3).unwrap();
        if entropy.next_u64().is_multiple_of(4) {
            let other = (index + 1 + usize::try_from(entropy.next_u64() % 2).unwrap()) % 3;
            let events = views[other].placed.clone();
            hear(&mut views[index], &events).await;
        } else {
            act(&mut views[index], who[index], &entropy).await;
        }
    }
    views
}

/// Takes in events; what fails the rules here is left out, as a rejected event would be.
async fn hear(view: &mut View, events: &[Pdu]) {
    for event in events {
        if !view.placed.contains(event) {
            match view.take(event.clone()).await {
                Ok(_) | Err(PlaceError::Rejected(_)) => {}
                Err(PlaceError::MissingEvents(missing)) => {
                    assert!(!missing.contains(&event.event_id().to_owned()), "an event is asked for to place itself");
                }
                Err(error) => panic!("{event:?}: {error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Comparing tries and leaving out what all states share gives what the algorithm gives on everything.
    #[test]
    fn shortcuts_change_nothing(version in prop::sample::select(vec!["10", "11", "12"]), seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let views = history(version, seed, 30).await;
            let mut all = views[2].fork().await;
            for view in &views {
                hear(&mut all, &view.placed).await;
            }
            let entropy = SeededEntropy::new(seed ^ 1);
            for _ in 0..6 {
                let mut states = Vec::new();
                for _ in 0..2 + entropy.next_u64() % 2 {
                    let index = usize::try_from(entropy.next_u64()).unwrap_or(0) % all.placed.len();
                    let known = crate::event_source::EventSource::events(
                        &*all.events, all.room(), all.version, &[all.placed[index].event_id().to_owned()]).await.unwrap();
                    states.push(known[0].state_after.clone().unwrap());
                }
                let ours = all.placer.resolve(all.room(), all.version, &states, None, TimestampMicros(1)).await.unwrap().state;
                let ours: StateMap<OwnedEventId> = all.placer.states().all(all.room(), &ours).await.unwrap()
                    .into_iter().map(|(key, id)| ((key.event_type, key.state_key), id)).collect();
                assert_eq!(ours, whole(&all, &states).await, "version {version}, seed {seed}");
                states.reverse();
                let reversed = all.placer.resolve(all.room(), all.version, &states, None, TimestampMicros(1)).await.unwrap().state;
                let reversed: StateMap<OwnedEventId> = all.placer.states().all(all.room(), &reversed).await.unwrap()
                    .into_iter().map(|(key, id)| ((key.event_type, key.state_key), id)).collect();
                assert_eq!(ours, reversed);
            }
        });
    }

    /// The state before an event does not depend on the order in which a server heard of the room's past.
    #[test]
    fn the_order_of_arrival_does_not_matter(version in prop::sample::select(vec!["10", "11", "12"]), seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut views = history(version, seed, 40).await;
            let union = {
                let mut all = views[2].fork().await;
                for view in &views {
                    hear(&mut all, &view.placed).await;
                }
                all.placed.clone()
            };
            // Anyone who hears all of it, in whatever order, has the same state after each event.
            let mut roots: Option<HashMap<OwnedEventId, State>> = None;
            for view in &mut views {
                hear(view, &union).await;
                let mut own = HashMap::new();
                for event in &union {
                    let known = crate::event_source::EventSource::events(
                        &*view.events, view.room(), view.version, &[event.event_id().to_owned()]).await.unwrap();
                    let state = known[0].state_after.clone().unwrap();
                    let state = view.placer.states().fold(view.room(), &state, TimestampMicros(1)).await.unwrap().state;
                    own.insert(event.event_id().to_owned(), state);
                }
                match &roots {
                    None => roots = Some(own),
                    Some(roots) => assert_eq!(&own, roots, "version {version}, seed {seed}"),
                }
            }
        });
    }
}
