//! Events that do not follow the room's ends: late ones, and ones built before the head moved.

use banyan_proto::rooms as proto;
use ruma::OwnedEventId;

use super::{PlaceError, PlaceRequest, Placement, Placer, place::Judged};
use crate::{
    auth,
    event_source::{KnownEvent, Standing},
    graph,
    pdu::Pdu,
    state::{State, Written},
};

impl Placer {
    pub(super) async fn place_fork(
        &self,
        head: &proto::RoomHead,
        current: &State,
        extremities: &[OwnedEventId],
        request: PlaceRequest,
    ) -> Result<Placement, PlaceError> {
        let event = &request.event;
        let (room, now) = (event.room_id(), request.now);
        let before = self.state_before(&request).await?;
        let known = self.auth_state(event, &before.state).await?;
        self.check_auth_events(event, &known).await?;
        auth::check(event, &known)?;
        let mut after = self.state_after(event, &before.state, now).await?;
        after.nodes.extend(before.nodes);
        let now_known = self.auth_state(event, current).await?;
        let mut judged = Judged {
            before: before.state,
            after,
            standing: Standing::Accepted,
            extremities: extremities.to_vec(),
            current: current.clone(),
            nodes: Vec::new(),
            differences: Vec::new(),
        };
        if let Err(error) = auth::check(event, &now_known) {
            tracing::info!(event_id = %event.event_id(), %room, %error, "an event is soft-failed");
            judged.standing = Standing::SoftFailed;
        } else {
            judged.extremities = graph::extremities_after(extremities, event, request.referenced);
            let merged = self.current_after(&request, current, &judged).await?;
            judged.differences = self.states().diff(room, current, &merged.state).await?;
            judged.current = merged.state;
            judged.nodes = merged.nodes;
        }
        self.finish(head, request, judged).await
    }

    /// The state before an event: that after its previous events, merged.
    async fn state_before(&self, request: &PlaceRequest) -> Result<Written, PlaceError> {
        let event = &request.event;
        let mut prev_events = event.prev_events().to_vec();
        prev_events.sort_unstable();
        prev_events.dedup();
        if prev_events.is_empty() {
            return Err(PlaceError::Rejected(auth::AuthError("the event follows no other event".to_owned())));
        }
        let states = self.states_after(event, &prev_events).await?;
        Ok(self.resolve(event.room_id(), event.version(), &states, None, request.now).await?)
    }

    /// The current state once the ends are `judged.extremities`.
    async fn current_after(&self, request: &PlaceRequest, current: &State, judged: &Judged) -> Result<Written, PlaceError> {
        let event = &request.event;
        let others: Vec<OwnedEventId> = judged.extremities.iter().filter(|id| ***id != *event.event_id()).cloned().collect();
        if others.len() == judged.extremities.len() {
            // The event is no end: others built on it already.
            return Ok(Written { state: current.clone(), nodes: Vec::new() });
        }
        let mut states = self.states_after(event, &others).await?;
        states.push(judged.after.state.clone());
        let new = KnownEvent { pdu: event.clone(), standing: judged.standing, state_after: Some(judged.after.state.clone()) };
        Ok(self.resolve(event.room_id(), event.version(), &states, Some(&new), request.now).await?)
    }

    async fn states_after(&self, event: &Pdu, ids: &[OwnedEventId]) -> Result<Vec<State>, PlaceError> {
        let known: Vec<KnownEvent> =
            if ids.is_empty() { Vec::new() } else { self.known(event.room_id(), event.version(), ids).await? };
        let stateless: Vec<OwnedEventId> =
            known.iter().filter(|known| known.state_after.is_none()).map(|known| known.pdu.event_id().to_owned()).collect();
        if !stateless.is_empty() {
            return Err(PlaceError::MissingState(stateless));
        }
        Ok(known.into_iter().filter_map(|known| known.state_after).collect())
    }
}
