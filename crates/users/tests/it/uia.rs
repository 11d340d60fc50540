//! User-interactive authentication across replicas.

use std::{sync::Arc, time::Duration};

use banyan_core::ServiceError;
use banyan_store::memory::{Target, WriteFault};
use banyan_users::{Operation, UiaSession, UiaSessions};
use futures::future::join_all;
use serde_json::{Map, Value, json};

use crate::World;

const TOKEN: &str = "m.login.registration_token";
const DUMMY: &str = "m.login.dummy";

fn sessions(world: &World) -> UiaSessions {
    let (store, clock) = (Arc::new(world.store.clone()), Arc::new(world.clock.clone()));
    UiaSessions::new(store, clock, world.entropy.clone(), Duration::from_secs(600))
}

fn body(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// A request to register, with the given flows.
struct Request {
    parameters: Map<String, Value>,
    flows: Vec<Vec<&'static str>>,
    endpoint: &'static str,
    user_id: Option<&'static str>,
}

impl Request {
    fn new(flows: &[&[&'static str]], parameters: &Value) -> Self {
        let flows = flows.iter().map(|flow| flow.to_vec()).collect();
        Self { parameters: body(parameters), flows, endpoint: "POST /register", user_id: None }
    }

    async fn open(&self, sessions: &UiaSessions, id: Option<&str>) -> Result<UiaSession, ServiceError> {
        let operation = Operation {
            tenant: "example.org",
            endpoint: self.endpoint,
            user_id: self.user_id,
            parameters: &self.parameters,
            flows: &self.flows,
        };
        sessions.open(&operation, id).await
    }
}

#[tokio::test]
async fn the_answer_asks_for_what_is_missing_as_the_specification_says() {
    let world = World::new();
    let sessions = sessions(&world);
    let request = Request::new(&[&[TOKEN, DUMMY], &["org.example.other"]], &json!({}));
    let mut session = request.open(&sessions, None).await.expect("a session");
    let id = session.id().to_owned();
    let flows = json!([{"stages": [TOKEN, DUMMY]}, {"stages": ["org.example.other"]}]);
    let first = sessions.challenge(&mut session, None).await.expect("a body");
    assert_eq!(first, json!({"flows": flows, "params": {}, "session": id}));

    let mut session = request.open(&sessions, Some(&id)).await.expect("the session");
    assert_eq!(session.id(), id);
    let wrong = ServiceError::forbidden("Invalid token");
    let refused = sessions.challenge(&mut session, Some(&wrong)).await.expect("a body");
    assert_eq!(refused, json!({"errcode": "M_FORBIDDEN", "error": "Invalid token", "flows": flows, "params": {}, "session": id}));

    assert!(session.is_next(TOKEN) && session.is_next("org.example.other") && !session.is_next(DUMMY));
    assert!(sessions.pass(&mut session, DUMMY, "").await.is_err(), "stages have an order");
    sessions.pass(&mut session, TOKEN, "sesame").await.expect("passed");
    sessions.pass(&mut session, TOKEN, "another").await.expect("passing again changes nothing");
    let second = sessions.challenge(&mut session, None).await.expect("a body");
    assert_eq!(second, json!({"completed": [TOKEN], "flows": flows, "params": {}, "session": id}));

    let mut session = request.open(&sessions, Some(&id)).await.expect("the session");
    assert_eq!(session.subject(TOKEN), Some("sesame"));
    assert!(!session.is_complete() && !session.is_next("org.example.other"));
    assert!(sessions.authorise(&mut session).await.is_err());
    sessions.pass(&mut session, DUMMY, "").await.expect("passed");
    assert!(session.is_complete());
    assert_eq!(sessions.authorise(&mut session).await.ok(), session.request_id().ok());
}

#[tokio::test]
async fn one_step_without_a_session_needs_no_row() {
    let world = World::new();
    let sessions = sessions(&world);
    let request = Request::new(&[&[DUMMY]], &json!({"username": "alice"}));
    let mut session = request.open(&sessions, None).await.expect("a session");
    // Any write would fail.
    world.store.control().inject(Target::Table("uia_session"), WriteFault::Unavailable);
    sessions.pass(&mut session, DUMMY, "").await.expect("passed");
    assert!(sessions.authorise(&mut session).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_session_allows_one_request_whatever_replicas_are_asked() {
    let world = World::new();
    world.slow_store();
    let request = Request::new(&[&[DUMMY]], &json!({"username": "alice"}));
    let first = sessions(&world);
    let mut session = request.open(&first, None).await.expect("a session");
    first.challenge(&mut session, None).await.expect("stored");
    let id = session.id().to_owned();
    let attempts = join_all((0..10).map(|_| async {
        let replica = sessions(&world);
        let mut session = request.open(&replica, Some(&id)).await?;
        replica.pass(&mut session, DUMMY, "").await?;
        if session.id() != id {
            return Err(ServiceError::internal("opened after it was used: a new session"));
        }
        replica.authorise(&mut session).await
    }))
    .await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 1, "{attempts:?}");
    let raced = attempts.iter().filter_map(|attempt| attempt.as_ref().err()).any(|error| error.message.contains("used"));
    assert!(raced, "some came after the first had read and before it wrote: {attempts:?}");
}

#[tokio::test]
async fn a_used_session_begins_anew_and_a_restored_one_keeps_its_request() {
    let world = World::new();
    let sessions = sessions(&world);
    let request = Request::new(&[&[DUMMY]], &json!({"username": "alice"}));
    let mut session = request.open(&sessions, None).await.expect("a session");
    sessions.challenge(&mut session, None).await.expect("stored");
    let id = session.id().to_owned();
    sessions.pass(&mut session, DUMMY, "").await.expect("passed");
    let request_id = sessions.authorise(&mut session).await.expect("authorised");
    assert_ne!(request.open(&sessions, Some(&id)).await.expect("a session").id(), id);

    sessions.restore(&mut session).await.expect("restored");
    let mut session = request.open(&sessions, Some(&id)).await.expect("the session");
    assert_eq!(session.id(), id);
    assert!(session.is_complete());
    assert_eq!(sessions.authorise(&mut session).await, Ok(request_id));
}

#[tokio::test]
async fn what_was_authenticated_cannot_be_swapped() {
    let world = World::new();
    let sessions = sessions(&world);
    // Clients probe for the flows with an empty body, then say what they want.
    let probe = Request::new(&[&[TOKEN, DUMMY]], &json!({}));
    let mut session = probe.open(&sessions, None).await.expect("a session");
    sessions.challenge(&mut session, None).await.expect("stored");
    let id = session.id().to_owned();
    let alice = Request::new(&[&[TOKEN, DUMMY]], &json!({"username": "alice", "password": "x", "auth": {"type": TOKEN}}));
    let mut session = alice.open(&sessions, Some(&id)).await.expect("nothing was passed yet");
    sessions.pass(&mut session, TOKEN, "sesame").await.expect("passed");

    let same = Request::new(&[&[TOKEN, DUMMY]], &json!({"password": "x", "username": "alice", "auth": {"type": DUMMY}}));
    assert!(same.open(&sessions, Some(&id)).await.is_ok());
    for other in [json!({"username": "mallory", "password": "x"}), json!({"username": "alice", "password": "y"}), json!({})] {
        let other = Request::new(&[&[TOKEN, DUMMY]], &other);
        let error = other.open(&sessions, Some(&id)).await.expect_err("other parameters");
        assert_eq!(error.errcode.as_deref(), Some("M_FORBIDDEN"));
    }
    let elsewhere = Request { endpoint: "POST /delete_devices", ..Request::new(&[], &json!({})) };
    assert!(elsewhere.open(&sessions, Some(&id)).await.is_err());
    let someone = Request { user_id: Some("@bob:example.org"), ..Request::new(&[], &json!({})) };
    assert!(someone.open(&sessions, Some(&id)).await.is_err());
}

#[tokio::test]
async fn what_a_browser_passes_counts_for_what_was_asked_for() {
    let world = World::new();
    let sessions = sessions(&world);
    for (first, free) in [(json!({"username": "alice"}), false), (json!({"auth": {}}), true)] {
        let request = Request { user_id: Some("@a:example.org"), ..Request::new(&[&[DUMMY]], &first) };
        let mut session = request.open(&sessions, None).await.expect("a session");
        sessions.challenge(&mut session, None).await.expect("stored");
        let id = session.id().to_owned();
        assert!(sessions.find("example.com", &id).await.expect("read").is_none(), "a session belongs to its tenant");
        let mut found = sessions.find("example.org", &id).await.expect("read").expect("the session");
        assert_eq!((found.user_id(), found.offers(DUMMY), found.offers(TOKEN)), (Some("@a:example.org"), true, false));
        sessions.pass(&mut found, DUMMY, "").await.expect("passed");
        let other = Request { parameters: body(&json!({"username": "mallory"})), ..Request::new(&[&[DUMMY]], &json!({})) };
        let other = Request { user_id: request.user_id, ..other };
        assert_eq!(other.open(&sessions, Some(&id)).await.is_ok(), free);
        let mut session = request.open(&sessions, Some(&id)).await.expect("the session");
        sessions.authorise(&mut session).await.expect("authorised");
        assert!(sessions.find("example.org", &id).await.expect("read").is_none(), "it is used");
        sessions.restore(&mut session).await.expect("restored");
        assert!(other.open(&sessions, Some(&id)).await.is_err(), "from then on it is bound");
    }
}

#[tokio::test]
async fn sessions_end_and_unknown_ones_begin_anew() {
    let world = World::new();
    let sessions = sessions(&world);
    let request = Request::new(&[&[DUMMY]], &json!({}));
    let mut session = request.open(&sessions, None).await.expect("a session");
    sessions.challenge(&mut session, None).await.expect("stored");
    let id = session.id().to_owned();
    assert_eq!(request.open(&sessions, Some(&id)).await.expect("a session").id(), id);
    world.clock.advance(Duration::from_secs(601));
    let late = request.open(&sessions, Some(&id)).await.expect("a session");
    assert!(late.id() != id && !late.is_complete());
    assert_ne!(request.open(&sessions, Some("made-up")).await.expect("a session").id(), "made-up");
}

#[tokio::test]
async fn a_lost_answer_of_the_store_does_not_lose_the_session() {
    for fault in [WriteFault::UnknownApplied, WriteFault::UnknownLost] {
        let world = World::new();
        let sessions = sessions(&world);
        let request = Request::new(&[&[DUMMY]], &json!({}));
        let control = world.store.control();
        let mut session = request.open(&sessions, None).await.expect("a session");
        control.inject(Target::Table("uia_session"), fault);
        sessions.challenge(&mut session, None).await.expect("stored");
        control.inject(Target::Table("uia_session"), fault);
        sessions.pass(&mut session, DUMMY, "").await.expect("passed");
        control.inject(Target::Table("uia_session"), fault);
        sessions.authorise(&mut session).await.expect("authorised");
        let again = request.open(&sessions, Some(session.id())).await.expect("a session");
        assert_ne!(again.id(), session.id(), "{fault:?}: the session was used");
    }
}
