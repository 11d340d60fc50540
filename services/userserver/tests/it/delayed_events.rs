//! Events that are sent later.

use std::time::Duration;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    rooms::CurrentChange,
    roomserver::SendEventRequest,
    users::{Account, DelayedStanding, DelayedState, user_entry::Kind},
    userserver::{ScheduleEventRequest, UpdateDelayedEventRequest, update_delayed_event_request::Action},
};
use banyan_users::delayed_events::{self, due};
use serde_json::{Value, json};

use crate::{
    fan_out::set_state,
    world::{Process, World, answer, refusal},
};

const ALICE: &str = "@alice:example.org";
/// Longer than any test takes.
const LONG: u64 = 3_600_000;

async fn world() -> (World, Process) {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    (world, process)
}

fn message(world: &World, delay: u64, txn: &str) -> ScheduleEventRequest {
    ScheduleEventRequest {
        caller: world.caller(ALICE),
        room_id: "!r:example.org".to_owned(),
        r#type: "m.room.message".to_owned(),
        content: b"{\"body\":\"later\"}".to_vec().into(),
        delay,
        transaction: delayed_events::transaction("A", "send", txn),
        ..ScheduleEventRequest::default()
    }
}

fn state(world: &World, delay: u64) -> ScheduleEventRequest {
    let transaction = Vec::new().into();
    ScheduleEventRequest {
        r#type: "m.call".to_owned(),
        state_key: Some(ALICE.to_owned()),
        transaction,
        ..message(world, delay, "")
    }
}

async fn schedule(process: &Process, request: ScheduleEventRequest) -> Result<String, ServiceError> {
    answer(process.client.clone().schedule_event(request).await).map(|answer| answer.delay_id)
}

async fn update(world: &World, process: &Process, delay_id: &str, action: Action) -> Result<(), ServiceError> {
    let request = UpdateDelayedEventRequest { caller: world.caller(ALICE), delay_id: delay_id.to_owned(), action: action.into() };
    answer(process.client.clone().update_delayed_event(request).await).map(|_| ())
}

async fn standing(process: &Process, delay_id: &str) -> DelayedStanding {
    process.reader().delayed_standing(ALICE, delay_id).await.expect("read").expect("known")
}

/// How it stands, once it stands so.
async fn once(process: &Process, delay_id: &str, state: DelayedState) -> DelayedStanding {
    let wait = async {
        loop {
            let standing = standing(process, delay_id).await;
            if standing.state() == state {
                return standing;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it comes to stand so")
}

fn asked(world: &World) -> Vec<SendEventRequest> {
    world.told.3.lock().expect("not poisoned").asked.clone()
}

fn refuse(world: &World, error: Option<ServiceError>) {
    world.told.3.lock().expect("not poisoned").error = error;
}

fn error_of(standing: &DelayedStanding) -> Value {
    serde_json::from_slice(&standing.error).expect("JSON")
}

#[tokio::test]
async fn what_is_due_is_sent_once_in_order_under_its_delay_id() {
    let (world, process) = world().await;
    let first = schedule(&process, message(&world, 60, "1")).await.expect("scheduled");
    let second = schedule(&process, state(&world, 30)).await.expect("scheduled");
    assert_eq!(schedule(&process, message(&world, 60, "1")).await.expect("the same"), first, "a transaction makes one");
    let later = schedule(&process, message(&world, LONG, "2")).await.expect("scheduled");
    let sent = once(&process, &first, DelayedState::Sent).await;
    assert_eq!((sent.event_id.as_str(), sent.by_action), (format!("${first}").as_str(), false));
    assert!(sent.finalised >= due(&sent), "never too early");
    once(&process, &second, DelayedState::Sent).await;
    assert_eq!(standing(&process, &later).await.state(), DelayedState::Scheduled);
    let asked = asked(&world);
    let ids: Vec<_> = asked.iter().map(|request| request.txn_id.as_str()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    assert_eq!((asked[0].state_key.as_deref(), asked[1].state_key.as_deref()), (Some(ALICE), None));
    assert_eq!((&asked[1].content[..], asked[1].txn_scope.as_str()), (&b"{\"body\":\"later\"}"[..], "delayed"));
    assert_eq!(process.reader().delayed_due(world.shards.shard_of(ALICE)).await.expect("read").len(), 1, "only one waits");
}

#[tokio::test]
async fn it_is_cancelled_restarted_and_sent_by_whoever_knows_it() {
    let (world, process) = world().await;
    let (cancelled, sent) = (
        schedule(&process, message(&world, LONG, "1")).await.expect("scheduled"),
        schedule(&process, message(&world, LONG, "2")).await.expect("scheduled"),
    );
    let before = standing(&process, &sent).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    update(&world, &process, &sent, Action::Restart).await.expect("restarted");
    assert!(due(&standing(&process, &sent).await) > due(&before));
    for _ in 0..2 {
        update(&world, &process, &cancelled, Action::Cancel).await.expect("cancelled, also twice");
        update(&world, &process, &sent, Action::Send).await.expect("sent, also twice");
    }
    assert_eq!(asked(&world).len(), 1);
    let end = standing(&process, &sent).await;
    assert_eq!((end.state(), end.by_action, end.event_id), (DelayedState::Sent, true, format!("${sent}")));
    let conflict = ("M_UNKNOWN".to_owned(), ErrorCode::Conflict);
    let unknown = ("M_NOT_FOUND".to_owned(), ErrorCode::NotFound);
    assert_eq!(refusal(update(&world, &process, &cancelled, Action::Restart).await), conflict);
    assert_eq!(refusal(update(&world, &process, &cancelled, Action::Send).await), conflict);
    assert_eq!(refusal(update(&world, &process, &sent, Action::Cancel).await), conflict);
    assert_eq!(refusal(update(&world, &process, &sent, Action::Restart).await), unknown);
    for action in [Action::Cancel, Action::Restart, Action::Send] {
        assert_eq!(refusal(update(&world, &process, "abc", action).await), unknown);
    }
}

#[tokio::test]
async fn what_prevents_it_is_answered_to_who_wants_it_now_and_kept_for_later() {
    let (world, process) = world().await;
    refuse(&world, Some(ServiceError::forbidden("you have not joined this room")));
    let later = schedule(&process, message(&world, LONG, "1")).await.expect("scheduled");
    assert_eq!(refusal(update(&world, &process, &later, Action::Send).await).0, "M_FORBIDDEN");
    assert_eq!(standing(&process, &later).await.state(), DelayedState::Scheduled, "its cause may pass");
    let now = schedule(&process, message(&world, 1, "2")).await.expect("scheduled");
    let failed = once(&process, &now, DelayedState::Failed).await;
    assert_eq!(error_of(&failed), json!({"errcode": "M_FORBIDDEN", "error": "you have not joined this room"}));
    refuse(&world, None);
    update(&world, &process, &later, Action::Send).await.expect("sent");
    let account = process.reader().account(ALICE).await.expect("read").expect("the account");
    process.append(&world, ALICE, Kind::Account(Account { suspended: true, ..account })).await;
    let suspended = schedule(&process, message(&world, 1, "3")).await.expect("scheduled");
    let failed = once(&process, &suspended, DelayedState::Failed).await;
    assert_eq!(error_of(&failed)["errcode"], "M_USER_SUSPENDED");
}

#[tokio::test]
async fn of_what_is_asked_at_once_one_wins_and_the_others_hear_so() {
    let (world, process) = world().await;
    for round in 0..30 {
        let before = asked(&world).len();
        let delay_id = schedule(&process, message(&world, 1 + round % 4, &round.to_string())).await.expect("scheduled");
        let (cancelled, sent, restarted) = tokio::join!(
            update(&world, &process, &delay_id, Action::Cancel),
            update(&world, &process, &delay_id, Action::Send),
            update(&world, &process, &delay_id, Action::Restart),
        );
        // Restarted or not, it is sent in the end unless it was cancelled.
        let state = if cancelled.is_ok() { DelayedState::Cancelled } else { DelayedState::Sent };
        once(&process, &delay_id, state).await;
        let asked: Vec<SendEventRequest> = asked(&world).split_off(before);
        let sent_it = sent.is_ok();
        assert_eq!((sent_it, !asked.is_empty()), (cancelled.is_err(), cancelled.is_err()), "round {round}: {restarted:?}");
        assert!(asked.iter().all(|request| *request == asked[0]), "one command, however often the room heard it");
    }
}

#[tokio::test]
async fn another_owner_goes_on_and_sends_nothing_twice() {
    let (world, first) = world().await;
    refuse(&world, Some(ServiceError::unavailable("away")));
    let sending = schedule(&first, message(&world, 1, "1")).await.expect("scheduled");
    let waiting = schedule(&first, message(&world, 200, "2")).await.expect("scheduled");
    once(&first, &sending, DelayedState::Sending).await;
    assert_eq!(refusal(update(&world, &first, &sending, Action::Cancel).await).1, ErrorCode::Conflict, "it is decided");
    first.kill();
    world.store.control().crash();
    refuse(&world, None);
    let second = world.owner("b").await;
    once(&second, &sending, DelayedState::Sent).await;
    once(&second, &waiting, DelayedState::Sent).await;
    let asked = asked(&world);
    let of_sending: Vec<_> = asked.iter().filter(|request| request.txn_id == sending).collect();
    assert!(of_sending.len() >= 2 && of_sending.iter().all(|request| *request == of_sending[0]), "the same command");
    assert_eq!(asked.iter().filter(|request| request.txn_id == waiting).count(), 1);
}

#[tokio::test]
async fn a_user_has_so_many_at_a_time() {
    let (world, process) = world().await;
    let again = message(&world, LONG, "0");
    let first = schedule(&process, again.clone()).await.expect("scheduled");
    for n in 1..100 {
        schedule(&process, message(&world, LONG, &n.to_string())).await.expect("scheduled");
    }
    let error = schedule(&process, message(&world, 5, "100")).await.expect_err("too many");
    assert_eq!((error.errcode.as_deref(), error.code), (Some("M_LIMIT_EXCEEDED"), ErrorCode::Overloaded));
    assert!(error.retry_after.expect("a time") <= Duration::from_millis(LONG));
    assert_eq!(schedule(&process, again).await.expect("the same"), first, "a repeated request makes none");
    update(&world, &process, &first, Action::Cancel).await.expect("cancelled");
    schedule(&process, message(&world, LONG, "100")).await.expect("room for one");
    let large = ScheduleEventRequest { content: vec![b' '; delayed_events::MAX_CONTENT + 1].into(), ..message(&world, 5, "101") };
    assert_eq!(refusal(schedule(&process, large).await).0, "M_TOO_LARGE");
}

#[tokio::test]
async fn state_that_somebody_else_sets_meanwhile_stays() {
    let (world, process) = world().await;
    set_call(&world, "$before", 1).await;
    let mine = schedule(&process, state(&world, 1)).await.expect("scheduled");
    once(&process, &mine, DelayedState::Sent).await;
    let overtaken = schedule(&process, state(&world, LONG)).await.expect("scheduled");
    set_call(&world, "$after", 2).await;
    assert_eq!(refusal(update(&world, &process, &overtaken, Action::Send).await).1, ErrorCode::Conflict);
    let failed = standing(&process, &overtaken).await;
    assert_eq!(error_of(&failed)["org.matrix.msc4140.errcode"], "M_CANCELLED_BY_STATE_UPDATE");
    assert_eq!(asked(&world).len(), 1);
}

/// Bob sets the state of Alice's call, at some microsecond.
async fn set_call(world: &World, event_id: &str, at: i64) {
    let pdu = json!({"sender": "@bob:example.org", "type": "m.call", "state_key": ALICE, "content": {}});
    let change = CurrentChange {
        r#type: "m.call".to_owned(),
        state_key: ALICE.to_owned(),
        event_id: event_id.to_owned(),
        pdu: pdu.to_string().into(),
        ..CurrentChange::default()
    };
    set_state(world, "!r:example.org", change, at).await;
}

#[tokio::test]
async fn who_is_gone_sends_nothing_any_more() {
    let (world, process) = world().await;
    let delay_id = schedule(&process, message(&world, LONG, "1")).await.expect("scheduled");
    let request = banyan_proto::userserver::DeactivateRequest { caller: world.caller(ALICE), erase: false };
    process.deactivate_account(request).await.expect("deactivated");
    assert_eq!(process.reader().delayed_event(&delay_id).await.expect("read"), None);
    assert!(process.reader().delayed_standings(ALICE).await.expect("read").is_empty());
    assert_eq!(refusal(update(&world, &process, &delay_id, Action::Send).await).0, "M_NOT_FOUND");
    assert_eq!(refusal(schedule(&process, message(&world, 1, "2")).await).0, "M_USER_DEACTIVATED");
    assert!(asked(&world).is_empty());
}
