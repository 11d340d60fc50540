//! State resolution: one state from several (room versions' "State resolution", v2 and v2.1). What the states have in common is found by
//! comparing their tries and mostly never read; the algorithm itself is ruma's and runs on the blocking pool over preloaded events.

use std::collections::{BTreeMap, HashMap, HashSet};

use banyan_core::TimestampMicros;
use ruma::{
    OwnedEventId, RoomId,
    events::StateEventType,
    state_res::{self, StateMap, utils::event_id_set::EventIdSet},
};

use crate::{
    auth,
    auth_chain::AuthGraph,
    event_source::{EventSourceError, KnownEvent},
    pdu::Pdu,
    placement::Placer,
    state::{State, StateDelta, StateError, StateKey, Written},
    version::RoomVersion,
};

/// States could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum ResolutionError {
    /// The algorithm failed: an event that it needs is missing or malformed.
    #[error("state resolution failed: {0}")]
    Algorithm(#[from] state_res::Error),
    /// The computation was cancelled or panicked.
    #[error("state resolution did not finish")]
    Aborted,
    /// Events could not be read.
    #[error(transparent)]
    Events(#[from] EventSourceError),
    /// States could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The event of each state under a key that they disagree on.
type Conflicts = BTreeMap<StateKey, Vec<Option<OwnedEventId>>>;

/// Everything the algorithm needs, at hand.
struct Problem {
    version: &'static RoomVersion,
    states: Vec<StateMap<OwnedEventId>>,
    auth_chains: Vec<EventIdSet<OwnedEventId>>,
    between: EventIdSet<OwnedEventId>,
    events: HashMap<OwnedEventId, Pdu>,
}

impl Placer {
    /// Merges states of a room. The answer does not depend on their order. `new`: an event that is in one of the states and not yet
    /// in the event source. `at` is the timestamp of nodes that are written.
    ///
    /// # Errors
    ///
    /// If the algorithm lacks an event, or something cannot be read or written.
    pub async fn resolve(
        &self,
        room: &RoomId,
        version: &'static RoomVersion,
        states: &[State],
        new: Option<&KnownEvent>,
        at: TimestampMicros,
    ) -> Result<Written, ResolutionError> {
        let mut distinct: Vec<&State> = Vec::with_capacity(states.len());
        for state in states {
            if !distinct.contains(&state) {
                distinct.push(state);
            }
        }
        let first = distinct.first().copied().cloned().unwrap_or_default();
        let conflicts = self.conflicts(room, &distinct).await?;
        if conflicts.is_empty() {
            return Ok(Written { state: first, nodes: Vec::new() });
        }
        let mut graph = AuthGraph::new(&**self.events(), room, version);
        new.into_iter().for_each(|event| graph.insert(event.clone()));
        let problem = self.problem(room, graph, &first, distinct.len(), &conflicts).await?;
        let resolved = tokio::task::spawn_blocking(move || problem.solve()).await.map_err(|_| ResolutionError::Aborted)??;
        let (base, changes) = closest(&distinct, &conflicts, &resolved);
        Ok(self.states().apply(room, base, changes, at).await?)
    }

    /// The keys that the states disagree on, with every state's event.
    async fn conflicts(&self, room: &RoomId, states: &[&State]) -> Result<Conflicts, StateError> {
        let mut conflicts = Conflicts::new();
        let Some((first, others)) = states.split_first() else { return Ok(conflicts) };
        for (index, state) in others.iter().enumerate() {
            for difference in self.states().diff(room, first, state).await? {
                // Where a state does not differ from the first, it has the first one's event.
                let events = conflicts.entry(difference.key).or_insert_with(|| vec![difference.old; states.len()]);
                events[index + 1] = difference.new;
            }
        }
        Ok(conflicts)
    }

    async fn problem(
        &self,
        room: &RoomId,
        mut graph: AuthGraph<'_>,
        first: &State,
        states: usize,
        conflicts: &Conflicts,
    ) -> Result<Problem, ResolutionError> {
        let version = graph.version();
        let conflicted: HashSet<OwnedEventId> = conflicts.values().flatten().flatten().cloned().collect();
        let common = self.common_powers(room, first, conflicts).await?;
        graph.load_chains(conflicted.iter().chain(common.values()).cloned()).await?;
        let create =
            version.room_id_is_create_hash().then(|| ruma::EventId::parse(format!("${}", &room.as_str()[1..])).ok()).flatten();
        graph.load(create).await?;

        let chains: Vec<HashSet<OwnedEventId>> =
            (0..states).map(|index| graph.chain(conflicts.values().filter_map(|events| events[index].as_deref()))).collect();
        let difference = self.auth_difference(room, first, conflicts, &conflicted, &common, &chains, &mut graph).await?;
        let between =
            if version.state_resolution().consider_conflicted_state_subgraph { graph.between(&conflicted) } else { HashSet::new() };
        let full: HashSet<OwnedEventId> = conflicted.iter().chain(&difference).chain(&between).cloned().collect();
        let common = self.common_needed(room, first, conflicts, &full, common, &mut graph).await?;

        let state_map = |index: usize| {
            let own = conflicts.iter().filter_map(|(key, events)| Some((key, events[index].as_ref()?)));
            own.chain(&common).map(|(key, id)| ((key.event_type.clone(), key.state_key.clone()), id.clone())).collect()
        };
        Ok(Problem {
            version,
            states: (0..states).map(state_map).collect(),
            auth_chains: chains.iter().map(|chain| chain.intersection(&difference).cloned().collect()).collect(),
            between: between.into_iter().collect(),
            events: graph.into_events(),
        })
    }

    /// The events that decide about power and that all states share.
    async fn common_powers(
        &self,
        room: &RoomId,
        first: &State,
        conflicts: &Conflicts,
    ) -> Result<BTreeMap<StateKey, OwnedEventId>, StateError> {
        let keys =
            [StateEventType::RoomCreate, StateEventType::RoomPowerLevels, StateEventType::RoomJoinRules].map(StateKey::plain);
        self.common(room, first, conflicts, keys).await
    }

    /// Of `keys`, those that all states share, with their events.
    async fn common(
        &self,
        room: &RoomId,
        first: &State,
        conflicts: &Conflicts,
        keys: impl IntoIterator<Item = StateKey>,
    ) -> Result<BTreeMap<StateKey, OwnedEventId>, StateError> {
        let keys: Vec<StateKey> = keys.into_iter().filter(|key| !conflicts.contains_key(key)).collect();
        let events = self.states().get_many(room, first, &keys).await?;
        Ok(keys.into_iter().zip(events).filter_map(|(key, event)| Some((key, event?))).collect())
    }

    /// Adds to `common` what judging the events of the full conflicted set asks of the shared state, and reads it.
    async fn common_needed(
        &self,
        room: &RoomId,
        first: &State,
        conflicts: &Conflicts,
        full: &HashSet<OwnedEventId>,
        mut common: BTreeMap<StateKey, OwnedEventId>,
        graph: &mut AuthGraph<'_>,
    ) -> Result<BTreeMap<StateKey, OwnedEventId>, ResolutionError> {
        let needed = full.iter().filter_map(|id| graph.get(id)).filter_map(|event| auth::required_keys(event).ok()).flatten();
        let needed: HashSet<StateKey> = needed.filter(|key| !common.contains_key(key)).collect();
        common.extend(self.common(room, first, conflicts, needed).await?);
        graph.load(common.values().cloned()).await?;
        Ok(common)
    }

    /// The auth difference, but for conflicted events, which count anyway: events in the auth chain of some states and not of all.
    /// `chains` are those of the conflicted events only. What the states share adds the same to each state's chain, so an event is
    /// out of the difference as soon as the chain of one shared event leads to it.
    #[expect(clippy::too_many_arguments, reason = "one step of one computation")]
    async fn auth_difference(
        &self,
        room: &RoomId,
        first: &State,
        conflicts: &Conflicts,
        conflicted: &HashSet<OwnedEventId>,
        common: &BTreeMap<StateKey, OwnedEventId>,
        chains: &[HashSet<OwnedEventId>],
        graph: &mut AuthGraph<'_>,
    ) -> Result<HashSet<OwnedEventId>, ResolutionError> {
        let in_all = |id: &OwnedEventId| chains.iter().all(|chain| chain.contains(id));
        let shared = graph.chain(common.values().map(|id| &**id));
        let mut difference: HashSet<OwnedEventId> = chains.iter().flatten().filter(|id| !in_all(id)).cloned().collect();
        difference.retain(|id| !shared.contains(id));
        let doubtful: Vec<OwnedEventId> = difference.iter().filter(|id| !conflicted.contains(*id)).cloned().collect();
        if doubtful.is_empty() {
            return Ok(difference);
        }
        let later = self.shared_after(room, first, conflicts, &doubtful, graph).await?;
        graph.load_chains(later.iter().cloned()).await?;
        let shared = graph.chain(later.iter().map(|id| &**id));
        difference.retain(|id| !shared.contains(id));
        Ok(difference)
    }

    /// The shared state events whose auth chain may lead to one of `events`: an event that is in the state after another came before
    /// it and cannot refer to it, for its id is a hash of what it refers to.
    async fn shared_after(
        &self,
        room: &RoomId,
        first: &State,
        conflicts: &Conflicts,
        events: &[OwnedEventId],
        graph: &AuthGraph<'_>,
    ) -> Result<HashSet<OwnedEventId>, StateError> {
        let mut later = HashSet::new();
        for event in events {
            let Some(after) = graph.known(event).and_then(|known| known.state_after.as_ref()) else {
                // An outlier: nothing is known of what came before it.
                let all = self.states().all(room, first).await?;
                return Ok(all.into_iter().filter(|(key, _)| !conflicts.contains_key(key)).map(|(_, id)| id).collect());
            };
            let since = self.states().diff(room, after, first).await?;
            later.extend(since.into_iter().filter(|change| !conflicts.contains_key(&change.key)).filter_map(|change| change.new));
        }
        Ok(later)
    }
}

impl Problem {
    fn solve(self) -> Result<StateMap<OwnedEventId>, state_res::Error> {
        state_res::resolve(
            self.version.authorization(),
            self.version.state_resolution(),
            &self.states,
            self.auth_chains,
            |id| self.events.get(id).cloned(),
            |_| Some(self.between.clone()),
        )
    }
}

/// The state that the resolved one differs least from, and the changes from there.
fn closest<'a>(states: &[&'a State], conflicts: &Conflicts, resolved: &StateMap<OwnedEventId>) -> (&'a State, Vec<StateDelta>) {
    let changes = |index: usize| -> Vec<StateDelta> {
        let change = |(key, events): (&StateKey, &Vec<Option<OwnedEventId>>)| {
            let event_id = resolved.get(&(key.event_type.clone(), key.state_key.clone())).cloned();
            (event_id != events[index]).then(|| StateDelta { key: key.clone(), event_id })
        };
        conflicts.iter().filter_map(change).collect()
    };
    let mut best = (states[0], changes(0));
    for (index, state) in states.iter().enumerate().skip(1) {
        let candidate = changes(index);
        if candidate.len() < best.1.len() {
            best = (state, candidate);
        }
    }
    best
}

#[cfg(test)]
mod tests;
