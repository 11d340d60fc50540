//! Sessions over the memory store.

use banyan_core::{ManualClock, SeededEntropy, TimestampMicros};
use banyan_store::memory::MemoryStore;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const TENANT: &str = "one.test";

fn sessions() -> (ValidationSessions, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(TimestampMicros(1_000_000)));
    let store = MemoryStore::new(&[&VALIDATION_SESSION], clock.clone(), 1).expect("a store");
    (ValidationSessions::new(Arc::new(store), clock.clone(), Arc::new(SeededEntropy::new(1))), clock)
}

const fn wanted(send_attempt: u64) -> Wanted<'static> {
    Wanted {
        tenant: TENANT,
        purpose: Purpose::Reset,
        address: "a@b.c",
        client_secret: "secret",
        send_attempt,
        next_link: Some("https://app.test/"),
        lifetime: HOUR,
        with_link: true,
    }
}

async fn begun(sessions: &ValidationSessions, wanted: &Wanted<'_>) -> (String, String) {
    let begun = sessions.begin(wanted).await.expect("begun");
    sessions.sent(TENANT, &begun.sid, wanted.send_attempt).await.expect("noted");
    (begun.sid, begun.token.expect("a mail to send"))
}

fn code<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    result.expect_err("a refusal").errcode.expect("a code").into_owned()
}

#[tokio::test]
async fn a_link_that_is_confirmed_proves_the_address_once() {
    let (sessions, _) = sessions();
    let (sid, token) = begun(&sessions, &wanted(1)).await;
    let proved = |secret: &'static str, by: &'static str| sessions.proved(TENANT, Purpose::Reset, &sid, secret, by);
    assert_eq!(code(proved("secret", "uia").await), "M_THREEPID_AUTH_FAILED");
    assert_eq!(sessions.find(TENANT, &sid, "wrong").await.expect("read"), None);
    assert_eq!(sessions.confirm(TENANT, &sid, "wrong", HOUR).await.expect("read"), None);
    assert_eq!(sessions.confirm("two.test", &sid, &token, HOUR).await.expect("read"), None);
    let found = sessions.find(TENANT, &sid, &token).await.expect("read").expect("a link");
    assert_eq!((found.confirmed, found.address.as_str(), found.purpose), (false, "a@b.c", Purpose::Reset));
    assert!(proved("secret", "uia").await.is_err(), "looking is not confirming");
    for _ in 0..2 {
        let confirmed = sessions.confirm(TENANT, &sid, &token, HOUR).await.expect("read").expect("a link");
        assert_eq!((confirmed.confirmed, confirmed.next_link.as_str()), (true, "https://app.test/"));
    }
    assert_eq!(proved("secret", "uia").await.expect("proved").address, "a@b.c");
    assert_eq!(code(proved("guess", "uia").await), "M_THREEPID_AUTH_FAILED");
    let other = sessions.proved(TENANT, Purpose::Add, &sid, "secret", "uia").await;
    assert_eq!(code(other), "M_THREEPID_AUTH_FAILED", "a proof for one thing is none for another");

    let take = |by: &'static str| sessions.take(TENANT, Purpose::Reset, &sid, by);
    let outcomes = futures::future::join_all(["one", "two", "three"].map(take)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = ["one", "two", "three"][outcomes.iter().position(Result::is_ok).expect("one")];
    assert!(take(winner).await.is_ok(), "again by the same");
    sessions.give_back(TENANT, &sid, "nobody").await.expect("read");
    assert!(take("late").await.is_err());
    sessions.give_back(TENANT, &sid, winner).await.expect("given back");
    assert!(take("late").await.is_ok());
}

#[tokio::test]
async fn an_attempt_is_sent_once_and_every_mail_works() {
    let (sessions, _) = sessions();
    let first = sessions.begin(&wanted(1)).await.expect("begun");
    let again = sessions.begin(&wanted(1)).await.expect("begun");
    assert!(again.token.is_some(), "the mail was not sent yet");
    sessions.sent(TENANT, &first.sid, 1).await.expect("noted");
    assert_eq!(sessions.begin(&wanted(1)).await.expect("begun"), Begun { sid: first.sid.clone(), token: None });
    let (sid, _) = begun(&sessions, &wanted(2)).await;
    assert_eq!(sid, first.sid);
    let token = first.token.expect("a mail to send");
    assert!(sessions.find(TENANT, &sid, &token).await.expect("read").is_some());
    for attempt in 3..9 {
        begun(&sessions, &wanted(attempt)).await;
    }
    assert!(sessions.find(TENANT, &sid, &token).await.expect("read").is_none(), "the oldest no longer do");
    let other = begun(&sessions, &Wanted { client_secret: "other", ..wanted(1) }).await;
    assert_ne!(other.0, sid);
}

#[tokio::test]
async fn what_is_over_or_used_begins_anew() {
    let (sessions, clock) = sessions();
    let (sid, token) = begun(&sessions, &wanted(1)).await;
    clock.advance(HOUR);
    assert!(sessions.confirm(TENANT, &sid, &token, HOUR).await.expect("read").is_none());
    let (again, token) = begun(&sessions, &wanted(1)).await;
    assert_eq!(again, sid);
    sessions.confirm(TENANT, &sid, &token, HOUR).await.expect("read").expect("a link");
    sessions.take(TENANT, Purpose::Reset, &sid, "uia").await.expect("taken");
    begun(&sessions, &wanted(1)).await;
    assert!(sessions.take(TENANT, Purpose::Reset, &sid, "uia").await.is_err(), "it has to be confirmed again");
}

#[tokio::test]
async fn a_mail_without_a_link_proves_nothing() {
    let (sessions, _) = sessions();
    let (sid, token) = begun(&sessions, &Wanted { with_link: false, ..wanted(1) }).await;
    assert!(token.is_empty());
    assert!(sessions.confirm(TENANT, &sid, &token, HOUR).await.expect("read").is_none());
    assert_eq!(sessions.begin(&wanted(1)).await.expect("begun").token, None);
}

#[tokio::test]
async fn secrets_have_the_characters_that_are_allowed() {
    let (sessions, _) = sessions();
    let long = "a".repeat(256);
    for secret in ["", "a b", "é", "a/b", long.as_str()] {
        assert_eq!(code(sessions.begin(&Wanted { client_secret: secret, ..wanted(1) }).await), "M_INVALID_PARAM");
    }
    let link = "x".repeat(MAX_NEXT_LINK + 1);
    assert_eq!(code(sessions.begin(&Wanted { next_link: Some(&link), ..wanted(1) }).await), "M_INVALID_PARAM");
}
