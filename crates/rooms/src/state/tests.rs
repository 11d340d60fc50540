use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use banyan_core::TimestampMicros;
use bytes::Bytes;
use futures::executor::block_on;
use proptest::prelude::*;
use ruma::{EventId, OwnedEventId, RoomId, ServerName, UserId, events::StateEventType};

use super::{MemoryNodes, Node, NodeHash, NodeSource, State, StateDelta, StateError, StateKey, States, cache::CachedNodes};

type Model = BTreeMap<StateKey, OwnedEventId>;

fn room() -> &'static RoomId {
    ruma::room_id!("!r:example.org")
}

fn states() -> States {
    States::new(Arc::new(MemoryNodes::default()))
}

fn event(n: u32) -> OwnedEventId {
    EventId::parse(format!("$event{n}")).unwrap()
}

/// Members of few servers and other keys, so that branches and leaves both come and go.
fn key(n: u16) -> StateKey {
    if n.is_multiple_of(3) {
        StateKey::new(format!("t{}", n % 7), format!("k{n}"))
    } else {
        StateKey::new(StateEventType::RoomMember, format!("@u{n}:s{}.org", n % 5))
    }
}

fn delta(key: StateKey, event_id: Option<OwnedEventId>) -> StateDelta {
    StateDelta { key, event_id }
}

/// (key, event; none removes).
fn operations(keys: u16, length: usize) -> impl Strategy<Value = Vec<(u16, Option<u32>)>> {
    prop::collection::vec((0..keys, prop::option::weighted(0.65, 0..1000_u32)), 0..length)
}

fn apply_all(states: &States, operations: &[(u16, Option<u32>)]) -> (State, Model) {
    let (mut state, mut model) = (State::empty(), Model::new());
    for (k, n) in operations {
        let change = delta(key(*k), n.map(event));
        match &change.event_id {
            Some(event) => model.insert(change.key.clone(), event.clone()),
            None => model.remove(&change.key),
        };
        state = block_on(states.apply(room(), &state, vec![change], TimestampMicros(1))).unwrap().state;
    }
    (state, model)
}

fn folded(states: &States, state: &State) -> State {
    block_on(states.fold(room(), state, TimestampMicros(1))).unwrap().state
}

fn built(states: &States, model: &Model) -> State {
    let changes = model.iter().map(|(key, event)| delta(key.clone(), Some(event.clone()))).collect();
    let state = block_on(states.apply(room(), &State::empty(), changes, TimestampMicros(1))).unwrap().state;
    folded(states, &state)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_state_holds_what_a_map_holds(operations in operations(400, 700)) {
        let states = states();
        let (state, model) = apply_all(&states, &operations);
        let all: Model = block_on(states.all(room(), &state)).unwrap().into_iter().collect();
        prop_assert_eq!(&all, &model);
        let keys: Vec<StateKey> = (0..400).map(key).collect();
        let found = block_on(states.get_many(room(), &state, &keys)).unwrap();
        for (key, found) in keys.iter().zip(found) {
            prop_assert_eq!(found.as_ref(), model.get(key));
        }
        let size = block_on(states.size(room(), &state)).unwrap();
        let members = model.keys().filter(|key| key.as_member().is_some()).count() as u64;
        prop_assert_eq!((size.members, size.others), (members, model.len() as u64 - members));
    }

    #[test]
    fn equal_states_have_equal_roots_however_they_were_made(operations in operations(300, 600)) {
        let states = states();
        let (state, model) = apply_all(&states, &operations);
        prop_assert_eq!(folded(&states, &state), built(&states, &model));
    }

    #[test]
    fn a_diff_is_the_naive_diff(first in operations(250, 400), second in operations(250, 60), apart in any::<bool>()) {
        let states = states();
        let (old, old_model) = apply_all(&states, &first);
        let (mut new, mut new_model) = if apart { (State::empty(), Model::new()) } else { (old.clone(), old_model.clone()) };
        for (k, n) in &second {
            let change = delta(key(*k), n.map(event));
            match &change.event_id {
                Some(event) => new_model.insert(change.key.clone(), event.clone()),
                None => new_model.remove(&change.key),
            };
            new = block_on(states.apply(room(), &new, vec![change], TimestampMicros(1))).unwrap().state;
        }
        let mut keys: Vec<&StateKey> = old_model.keys().chain(new_model.keys()).collect();
        keys.sort();
        keys.dedup();
        let naive: Vec<_> = keys
            .into_iter()
            .map(|key| (key.clone(), old_model.get(key).cloned(), new_model.get(key).cloned()))
            .filter(|(_, old, new)| old != new)
            .collect();
        let diff: Vec<_> = block_on(states.diff(room(), &old, &new)).unwrap().into_iter().map(|d| (d.key, d.old, d.new)).collect();
        prop_assert_eq!(diff, naive);
    }

    #[test]
    fn pages_of_any_size_add_up(operations in operations(300, 500), limit in 1..90_usize) {
        let states = states();
        let (state, model) = apply_all(&states, &operations);
        let mut read = Vec::new();
        let mut after = None;
        loop {
            let page = block_on(states.page(room(), &state, after.as_ref(), limit)).unwrap();
            prop_assert!(page.entries.len() <= limit);
            read.extend(page.entries);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(read.len(), model.len(), "nothing is read twice");
        prop_assert_eq!(read.into_iter().collect::<Model>(), model);
    }

    #[test]
    fn members_of_a_server_are_a_prefix(operations in operations(300, 500)) {
        let states = states();
        let (state, model) = apply_all(&states, &operations);
        let server = <&ServerName>::try_from("s1.org").unwrap();
        let mut found: Vec<String> = block_on(states.members_of(room(), &state, server)).unwrap().into_iter().map(|(user, _)| user.to_string()).collect();
        found.sort();
        let mut expected: Vec<String> =
            model.keys().filter(|key| key.as_member().is_some_and(|user| user.server_name() == server)).map(|key| key.state_key.clone()).collect();
        expected.sort();
        prop_assert_eq!(found, expected);
        let all = block_on(states.members(room(), &state)).unwrap().len();
        prop_assert_eq!(all, model.keys().filter(|key| key.as_member().is_some()).count());
    }

    #[test]
    fn nodes_and_roots_read_back(operations in operations(100, 200)) {
        let states = states();
        let (state, _) = apply_all(&states, &operations);
        prop_assert_eq!(State::from_proto(&state.to_proto()).unwrap(), state);
    }
}

/// Counts what is read below a cache.
#[derive(Default)]
struct Counting {
    nodes: MemoryNodes,
    reads: AtomicUsize,
    read: AtomicUsize,
}

#[async_trait]
impl NodeSource for Counting {
    async fn get_nodes(&self, room: &RoomId, hashes: &[NodeHash]) -> Result<Vec<Arc<Node>>, StateError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read.fetch_add(hashes.len(), Ordering::Relaxed);
        self.nodes.get_nodes(room, hashes).await
    }

    async fn put_nodes(&self, room: &RoomId, nodes: &[(NodeHash, Bytes)], at: TimestampMicros) -> Result<(), StateError> {
        self.nodes.put_nodes(room, nodes, at).await
    }
}

#[test]
fn one_change_among_many_is_found_by_reading_its_path() {
    let source = Arc::new(Counting::default());
    let states = States::new(source.clone());
    let members: Model =
        (0..20_000).map(|n| (StateKey::member(&UserId::parse(format!("@u{n}:s{}.org", n % 100)).unwrap()), event(n))).collect();
    let old = built(&states, &members);
    let change = delta(StateKey::new("m.room.member", "@u77:s77.org"), Some(event(77_777)));
    let new = block_on(states.apply(room(), &old, vec![change], TimestampMicros(1))).unwrap().state;
    let new = folded(&states, &new);
    source.read.store(0, Ordering::Relaxed);
    source.reads.store(0, Ordering::Relaxed);
    assert_eq!(block_on(states.diff(room(), &old, &new)).unwrap().len(), 1);
    assert!(source.read.load(Ordering::Relaxed) < 60, "read {} nodes", source.read.load(Ordering::Relaxed));
    assert!(source.reads.load(Ordering::Relaxed) < 24, "one read per level");
}

#[test]
fn a_cache_reads_a_node_once() {
    let source = Arc::new(Counting::default());
    let plain = States::new(source.clone());
    let members: Model = (0..500).map(|n| (key(n), event(n.into()))).collect();
    let state = built(&plain, &members);
    let cached = States::new(Arc::new(CachedNodes::new(source.clone(), 1 << 20)));
    assert_eq!(block_on(cached.all(room(), &state)).unwrap().len(), members.len());
    let read = source.read.load(Ordering::Relaxed);
    assert_eq!(block_on(cached.all(room(), &state)).unwrap().len(), members.len());
    assert_eq!(source.read.load(Ordering::Relaxed), read);
}

#[test]
fn a_missing_node_is_an_error_and_not_an_empty_state() {
    let states = states();
    let state = built(&states, &(0..100).map(|n| (key(n), event(n.into()))).collect());
    let elsewhere = States::new(Arc::new(MemoryNodes::default()));
    assert!(matches!(block_on(elsewhere.get(room(), &state, &key(1))), Err(StateError::Missing(_))));
    assert!(matches!(block_on(elsewhere.all(room(), &state)), Err(StateError::Missing(_))));
}

#[test]
fn changes_wait_beside_the_root_and_move_in_when_they_cost_too_much() {
    let states = states();
    let mut state = State::empty();
    for n in 0..32_u16 {
        state = block_on(states.apply(room(), &state, vec![delta(key(n), Some(event(1)))], TimestampMicros(1))).unwrap().state;
    }
    assert_eq!((state.deltas().len(), state.root()), (32, None));
    let folded = block_on(states.apply(room(), &state, vec![delta(key(40), Some(event(1)))], TimestampMicros(1))).unwrap();
    assert_eq!(folded.state.deltas().len(), 0);
    assert!(!folded.nodes.is_empty());

    let mut repeated =
        block_on(states.apply(room(), &folded.state, vec![delta(key(1), Some(event(2)))], TimestampMicros(1))).unwrap().state;
    let mut messages = 0;
    while !repeated.deltas().is_empty() {
        repeated = block_on(states.repeat(room(), &repeated, TimestampMicros(1))).unwrap().state;
        messages += 1;
    }
    assert_eq!(messages, 64);
}

#[test]
fn keys_that_collide_are_kept_apart() {
    use super::{
        key::TrieKey,
        node::{Entry, LEAF_KEYS, Leaf},
    };
    // More entries of one place than a leaf holds: they stay one leaf at the bottom, and are told apart by the key itself.
    let place = TrieKey([9; 16]);
    let entries: Vec<Entry> = (0..LEAF_KEYS as u32 + 8)
        .map(|n| Entry { place, key: StateKey::new("t", format!("{n:03}")), event_id: event(n) })
        .collect();
    let node = Node::Leaf(Leaf { entries });
    assert_eq!(Node::decode(&node.encode()).unwrap(), node);
}

#[test]
fn states_live_in_the_store() {
    use banyan_core::ManualClock;
    use banyan_store::memory::MemoryStore;
    let clock = Arc::new(ManualClock::new(TimestampMicros(1)));
    let store = Arc::new(MemoryStore::new(&[&super::store::STATE_NODE], clock, 7).unwrap());
    let states = States::new(Arc::new(super::store::StoredNodes::new(store.clone())));
    let model: Model = (0..2_000).map(|n| (key(n), event(n.into()))).collect();
    let state = built(&states, &model);
    // Another process reads what this one wrote.
    let reader = States::new(Arc::new(super::store::StoredNodes::new(store)));
    let read: Model = block_on(reader.all(room(), &state)).unwrap().into_iter().collect();
    assert_eq!(read, model);
    let elsewhere = ruma::room_id!("!other:example.org");
    assert!(matches!(block_on(reader.all(elsewhere, &state)), Err(StateError::Missing(_))), "nodes belong to their room");
}
