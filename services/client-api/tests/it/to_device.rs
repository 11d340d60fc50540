use std::collections::BTreeMap;

use banyan_core::ServiceError;
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    world::{GUEST_TOKEN, World, answer, assert_error},
};

const SEND: &str = "/_matrix/client/v3/sendToDevice";

#[tokio::test]
async fn recipients_are_told_by_shard_and_others_not_at_all() {
    let world = World::new().await;
    let users: Vec<String> = (0..20).map(|n| format!("@user{n}:two.test")).collect();
    let mut messages: BTreeMap<&str, _> = users.iter().map(|user| (user.as_str(), json!({"D": {"a": 1}, "*": {}}))).collect();
    messages.insert("@far:elsewhere.test", json!({"D": {}}));
    messages.insert("@none:one.test", json!({}));
    let (status, body) = world.put(&format!("{SEND}/m.test/t1"), json!({ "messages": messages })).await;
    assert_eq!((status.as_u16(), body), (200, json!({})));
    let mut told = Vec::new();
    let mut ids = Vec::new();
    for call in world.fakes.take() {
        let Call::SendToDevice(request) = call else { panic!("not messages: {call:?}") };
        let shard = world.context.shards.shard_of(&request.recipients[0].user_id);
        for recipient in &request.recipients {
            assert_eq!(world.context.shards.shard_of(&recipient.user_id), shard);
            assert_eq!((&recipient.messages["D"][..], &recipient.messages["*"][..]), (&b"{\"a\":1}"[..], &b"{}"[..]));
        }
        assert_eq!(request.r#type, "m.test");
        ids.push(request.message_id);
        told.extend(request.recipients.into_iter().map(|recipient| recipient.user_id));
    }
    told.sort();
    let mut expected = users.clone();
    expected.sort();
    assert_eq!(told, expected);
    assert!(ids.len() <= 4 && ids.iter().all(|id| *id == ids[0]), "one message, one command per shard");
}

#[tokio::test]
async fn a_transaction_is_told_by_sender_type_and_id() {
    let world = World::new().await;
    let body = json!({"messages": {"@bob:one.test": {"D": {}}}});
    let mut ids = Vec::new();
    for path in ["m.a/1", "m.a/1", "m.b/1", "m.a/2"] {
        assert_eq!(world.put(&format!("{SEND}/{path}"), body.clone()).await.0.as_u16(), 200);
        let Call::SendToDevice(request) = world.fakes.only() else { panic!("not a message") };
        ids.push(request.message_id);
    }
    let guest = world.request(Method::PUT, &format!("{SEND}/m.a/1"), Some(GUEST_TOKEN));
    assert_eq!(answer(guest.json(&body)).await.0.as_u16(), 200);
    let Call::SendToDevice(request) = world.fakes.only() else { panic!("not a message") };
    ids.push(request.message_id);
    assert_eq!(ids[0], ids[1]);
    assert!(ids[2..].iter().all(|id| *id != ids[0]) && ids[2] != ids[3]);
}

#[tokio::test]
async fn bodies_of_the_wrong_shape_and_refusals_are_answered() {
    let world = World::new().await;
    let path = format!("{SEND}/m.test/t1");
    for body in [
        json!({}),
        json!({"messages": []}),
        json!({"messages": {"bob": {"D": {}}}}),
        json!({"messages": {"@b:one.test": {"D": 1}}}),
    ] {
        assert_error(&world.put(&path, body).await, 400, "M_BAD_JSON");
    }
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("SendToDevice", ServiceError::too_large("no"));
    assert_error(&world.put(&path, json!({"messages": {"@b:one.test": {"D": {}}}})).await, 413, "M_TOO_LARGE");
}
