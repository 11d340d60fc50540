//! Pushers.

use banyan_core::ServiceError;
use banyan_proto::userserver::{NewPusher, SetPusherRequest, SetPusherResponse};
use banyan_users::PusherKey;

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

fn request(world: &World, pushkey: &str, lang: Option<&str>) -> SetPusherRequest {
    let pusher = lang.map(|lang| NewPusher {
        kind: "http".to_owned(),
        lang: lang.to_owned(),
        data: r#"{"url":"https://push.example.org/_matrix/push/v1/notify"}"#.into(),
        ..NewPusher::default()
    });
    SetPusherRequest { caller: world.caller(ALICE), app_id: "app".to_owned(), pushkey: pushkey.to_owned(), pusher, before: 0 }
}

async fn set(process: &Process, request: SetPusherRequest) -> Result<SetPusherResponse, ServiceError> {
    answer(process.client.clone().set_pusher(request).await)
}

/// Keys and languages.
async fn pushers(process: &Process) -> Vec<(String, String)> {
    let pushers = process.reader().pushers(ALICE).await.expect("read");
    pushers.into_iter().map(|(key, pusher)| (key.pushkey, pusher.lang)).collect()
}

fn pair(pushkey: &str, lang: &str) -> (String, String) {
    (pushkey.to_owned(), lang.to_owned())
}

#[tokio::test]
async fn one_replaces_what_has_its_key_and_a_retry_undoes_nothing() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let first = request(&world, "k", Some("en"));
    let at = set(&process, first.clone()).await.expect("set").at;
    set(&process, request(&world, "l", Some("fr"))).await.expect("set");
    assert!(set(&process, request(&world, "k", Some("de"))).await.expect("set").at > at);
    set(&process, first).await.expect("told that it happened");
    assert_eq!(pushers(&process).await, [pair("k", "de"), pair("l", "fr")]);
    let key = PusherKey { app_id: "app".to_owned(), pushkey: "k".to_owned() };
    let users = process.reader().users_with_pusher(&key).await.expect("read");
    assert_eq!(users.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(), [ALICE]);
    // Only what was there before another's goes for it.
    set(&process, SetPusherRequest { before: at, ..request(&world, "k", None) }).await.expect("nothing to do");
    assert_eq!(pushers(&process).await.len(), 2);
    set(&process, request(&world, "k", None)).await.expect("removed");
    assert_eq!(pushers(&process).await, [pair("l", "fr")]);
    assert!(process.reader().users_with_pusher(&key).await.expect("read").is_empty());
}

#[tokio::test]
async fn there_is_an_end_to_them() {
    let world = World::new();
    let process = world.owner("a").await;
    assert_eq!(refusal(set(&process, request(&world, "k", Some("en"))).await).0, "M_NOT_FOUND");
    process.register(world.registration(ALICE)).await.expect("registered");
    for index in 0..100 {
        set(&process, request(&world, &index.to_string(), Some("en"))).await.expect("set");
    }
    assert_eq!(refusal(set(&process, request(&world, "k", Some("en"))).await).0, "M_TOO_LARGE");
    set(&process, request(&world, "7", Some("fr"))).await.expect("replaced");
    let url = r#"{"url":"http://push.example.org/_matrix/push/v1/notify"}"#;
    let mut bad = request(&world, "7", Some("fr"));
    bad.pusher = bad.pusher.map(|pusher| NewPusher { data: url.into(), ..pusher });
    assert_eq!(refusal(set(&process, bad).await).0, "M_INVALID_PARAM");
    let bad = SetPusherRequest { app_id: String::new(), ..request(&world, "k", None) };
    assert_eq!(refusal(set(&process, bad).await).0, "M_INVALID_PARAM");
}
