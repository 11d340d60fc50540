use banyan_core::TimestampMicros;
use ruma::EventId;
use serde_json::json;

use super::{PlaceError, PlaceRequest};
use crate::{
    event_source::{EventSource, KnownEvent, Standing},
    pdu::Pdu,
    state::{State, StateDelta, StateKey},
    testing::View,
};

const A: &str = "@a:one.org";
const B: &str = "@b:two.org";
const C: &str = "@c:three.org";

#[tokio::test]
async fn a_room_grows_event_by_event() {
    let mut view = View::with_room("12", A, &[], "public").await;
    let head = view.head.clone().unwrap();
    assert_eq!((head.joined, head.invited, head.next_arrival, head.depth), (1, 0, 4, 4));
    assert_eq!(head.extremities, [view.placed[3].event_id().as_str()]);
    assert_eq!(head.heroes, [A]);

    let invite = view.make(A, "m.room.member", Some(B), json!({ "membership": "invite" })).await;
    let placement = view.take(invite.clone()).await.unwrap();
    assert_eq!((placement.head.joined, placement.head.invited), (1, 1));
    assert_eq!(placement.placed.arrival, 4);
    let change = &placement.current[0];
    assert_eq!((change.r#type.as_str(), change.state_key.as_str(), change.membership.as_str()), ("m.room.member", B, "invite"));
    assert!(change.pdu.is_empty(), "the event is the entry's own");
    let stripped: Vec<serde_json::Value> =
        change.stripped_state.iter().map(|event| serde_json::from_slice(event).unwrap()).collect();
    let kinds: Vec<&str> = stripped.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["m.room.create", "m.room.join_rules", "m.room.member"]);
    assert_eq!(stripped[2]["state_key"], A, "who invites is shown");

    let join = view.make(B, "m.room.member", Some(B), json!({ "membership": "join" })).await;
    let placement = view.take(join).await.unwrap();
    assert_eq!((placement.head.joined, placement.head.invited), (2, 0));
    assert_eq!(placement.placed.replaces_state, invite.event_id().as_str());
    assert_eq!(placement.placed.prev_sender, A);
    assert_eq!(placement.placed.prev_content, invite.content().get().as_bytes());
    assert_eq!(placement.current[0].previous_membership, "invite");

    let message = view.make(B, "m.room.message", None, json!({ "body": "x" })).await;
    let placement = view.take(message.clone()).await.unwrap();
    assert!(placement.current.is_empty());
    assert_eq!(placement.head.extremities, [message.event_id().as_str()]);
    assert!(placement.head.bump_stamp > 0);
    assert_eq!(placement.standing, Standing::Accepted);
}

#[tokio::test]
async fn a_room_with_much_state_gets_more_partitions() {
    let mut view = View::with_room("12", A, &[], "public").await;
    let key = |n: usize| StateDelta {
        key: StateKey::new("org.custom", n.to_string()),
        event_id: Some(EventId::parse(format!("$made-up-{n}")).unwrap()),
    };
    let much = (0..10_000).map(key).collect();
    let much = view.placer.states().apply(view.room(), &view.current(), much, TimestampMicros(1)).await.unwrap();
    view.head.as_mut().unwrap().current = Some(much.state.to_proto());
    view.send(A, "m.room.message", None, json!({})).await.unwrap();
    assert_eq!(view.head.as_ref().unwrap().current_buckets, 1);
    view.member(B, B, "join").await.unwrap();
    assert_eq!(view.head.as_ref().unwrap().current_buckets, 2);
    view.member(B, B, "leave").await.unwrap();
    assert_eq!(view.head.as_ref().unwrap().current_buckets, 2);
}

#[tokio::test]
async fn nodes_travel_in_the_entry_that_needs_them() {
    let mut view = View::with_room("12", A, &[], "public").await;
    let mut nodes = 0;
    for n in 0..40 {
        let event = view.make(A, "org.custom", Some(&format!("{n}")), json!({})).await;
        let placement = view.take(event).await.unwrap();
        assert!(placement.placed.state_after.as_ref().unwrap().deltas.len() <= 32);
        nodes += placement.entry_nodes().len();
    }
    assert!(nodes > 0);
    assert!(view.get("org.custom", "0").await.is_some());
}

#[tokio::test]
async fn forks_meet_again_and_both_sides_agree() {
    let mut one = View::with_room("12", A, &[B], "public").await;
    one.member(B, B, "join").await.unwrap();
    let mut two = one.fork().await;
    one.send(A, "m.room.topic", Some(""), json!({ "topic": "one" })).await.unwrap();
    one.send(A, "m.room.message", None, json!({})).await.unwrap();
    two.send(B, "m.room.name", Some(""), json!({ "name": "two" })).await.unwrap();
    two.member(C, C, "join").await.unwrap();
    let before = one.head.clone().unwrap();
    one.catch_up(&two).await;
    two.catch_up(&one).await;
    assert_eq!(one.folded().await, two.folded().await);
    for view in [&one, &two] {
        assert!(view.get("m.room.topic", "").await.is_some() && view.get("m.room.name", "").await.is_some());
        assert_eq!(view.head.as_ref().unwrap().extremities.len(), 2);
        assert_eq!(view.head.as_ref().unwrap().joined, 3);
    }
    assert_eq!(before.joined, 2);
    let merge = one.send(A, "m.room.message", None, json!({ "body": "merge" })).await.unwrap();
    assert_eq!(merge.prev_events().len(), 2);
    two.take(merge.clone()).await.unwrap();
    assert_eq!(two.head.as_ref().unwrap().extremities, [merge.event_id().as_str()]);
}

#[tokio::test]
async fn an_event_that_the_current_state_forbids_is_soft_failed() {
    let mut one = View::with_room("12", A, &[], "public").await;
    one.member(B, B, "join").await.unwrap();
    let mut two = one.fork().await;
    one.member(A, B, "ban").await.unwrap();
    let head = one.head.clone().unwrap();
    let late = two.send(B, "m.room.message", None, json!({ "body": "late" })).await.unwrap();
    let placement = one.take(late).await.unwrap();
    assert_eq!(placement.standing, Standing::SoftFailed);
    assert!(placement.placed.soft_failed && placement.current.is_empty());
    assert_eq!(placement.head.extremities, head.extremities);
    assert_eq!(placement.head.current, head.current);
    assert_eq!(placement.head.next_arrival, head.next_arrival + 1);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let mut one = View::with_room("12", A, &[], "public").await;
    let mut two = one.fork().await;
    let first = one.send(A, "m.room.message", None, json!({ "n": 1 })).await.unwrap();
    let second = one.send(A, "m.room.message", None, json!({ "n": 2 })).await.unwrap();
    let Err(PlaceError::MissingEvents(missing)) = two.take(second.clone()).await else { panic!("placed without its past") };
    assert_eq!(missing, [first.event_id()]);
    two.events.insert(KnownEvent { pdu: first.clone(), standing: Standing::Accepted, state_after: None });
    let Err(PlaceError::MissingState(missing)) = two.take(second).await else { panic!("placed without a state") };
    assert_eq!(missing, [first.event_id()]);
}

#[tokio::test]
async fn an_event_must_be_allowed_by_what_it_names() {
    let mut view = View::with_room("11", A, &[], "public").await;
    view.member(B, B, "join").await.unwrap();
    let honest = view.make(B, "m.room.message", None, json!({})).await;
    let mut object = honest.to_object();
    // Without the sender's membership among them, the auth events do not allow the message, whatever the state says.
    let kept: Vec<_> =
        honest.auth_events().iter().filter(|id| view.placed[..4].iter().any(|event| event.event_id() == &***id)).collect();
    object.insert("auth_events".to_owned(), kept.iter().map(|id| id.as_str().into()).collect::<Vec<_>>().into());
    let bad = Pdu::from_object(object, view.version).unwrap();
    assert!(matches!(view.take(bad).await, Err(PlaceError::Rejected(_))));
    let mut object = honest.to_object();
    object.insert(
        "auth_events".to_owned(),
        vec![
            honest.auth_events()[0].as_str().into(),
            view.placed.last().unwrap().event_id().as_str().into(),
            view.placed[3].event_id().as_str().into(),
        ]
        .into(),
    );
    let bad = Pdu::from_object(object, view.version).unwrap();
    let Err(PlaceError::Rejected(error)) = view.take(bad).await else { panic!("join rules authorise no message") };
    assert!(error.0.contains("unexpected auth event"), "{error}");
}

#[tokio::test]
async fn a_late_event_that_others_refer_to_is_no_end() {
    let mut view = View::with_room("12", A, &[], "public").await;
    let side = view.make(A, "m.room.message", None, json!({ "side": true })).await;
    view.send(A, "m.room.message", None, json!({})).await.unwrap();
    let head = view.head.clone().unwrap();
    let request = PlaceRequest { referenced: true, ..PlaceRequest::new(side, TimestampMicros(9)) };
    let placement = view.placer.place(Some(&head), request).await.unwrap();
    assert_eq!(placement.head.extremities, head.extremities);
}

#[tokio::test]
async fn a_room_begins_with_its_create_event_and_only_once() {
    let mut view = View::with_room("12", A, &[], "public").await;
    let create = view.placed[0].clone();
    assert!(matches!(view.take(create.clone()).await, Err(PlaceError::NotThisRoom(_))));
    let mut empty = View::new("12");
    let message = view.placed[1].clone();
    assert!(matches!(empty.take(message).await, Err(PlaceError::NotThisRoom(_))));
    let known = view.events.events(create.room_id(), view.version, &[create.event_id().to_owned()]).await.unwrap();
    assert_eq!(known[0].state_after.as_ref().map(|state| state.deltas().len()), Some(1));
    assert_ne!(known[0].state_after, Some(State::empty()));
}
