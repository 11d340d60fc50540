//! What is unread, over real processes: an event and its count come in the same response.

use std::time::Duration;

use banyan_tests::{Cluster, Common, Homeserver, Node, Session};
use serde_json::{Value, json};

/// Messages of each talk.
const MESSAGES: u64 = 30;
const POLL: Duration = Duration::from_secs(20);

/// The events that Alice sent, and what is told of the room's counts.
fn told(answer: &Value, room: &str, alice: &Session) -> (u64, Option<(u64, u64)>) {
    let room = &answer["rooms"]["join"][room];
    let events = room["timeline"]["events"].as_array().into_iter().flatten();
    let messages = events.filter(|event| event["type"] == "m.room.message" && event["sender"] == alice.user_id.as_str()).count();
    let counts = &room["unread_notifications"];
    let counts = counts["notification_count"].as_u64().zip(counts["highlight_count"].as_u64());
    (u64::try_from(messages).unwrap(), counts)
}

/// Every third message mentions Bob.
async fn say(alice: &Session, bob: &Session, room: &str, index: u64) {
    let mentioned = if index.is_multiple_of(3) { vec![&bob.user_id] } else { Vec::new() };
    let content = json!({"msgtype": "m.text", "body": "text", "m.mentions": {"user_ids": mentioned}});
    alice.put(&format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{index}"), &content).await.unwrap();
}

/// Alice talks through one address, Bob listens at the other.
async fn talk(one: &Homeserver, other: &Homeserver) {
    let alice = one.register("alice").await.unwrap();
    let bob = other.register("bob").await.unwrap();
    let room = alice.create_room(&json!({"preset": "public_chat"})).await.unwrap();
    bob.join(&room).await.unwrap();
    let mut since = String::new();
    let mut next = async |wanted: &dyn Fn(&Value) -> bool| loop {
        let answer = bob.sync(&since, POLL, None).await.unwrap();
        answer["next_batch"].as_str().unwrap().clone_into(&mut since);
        if wanted(&answer) {
            return answer;
        }
    };
    next(&|answer| answer["rooms"]["join"][&room].is_object()).await;
    let mut seen = 0;
    for index in 1..=MESSAGES {
        say(&alice, &bob, &room, index).await;
        let answer = next(&|answer| told(answer, &room, &alice).0 > 0).await;
        let (messages, counts) = told(&answer, &room, &alice);
        seen += messages;
        assert_eq!((seen, counts), (index, Some((index, index / 3))), "message {index} and its count: {answer}");
    }
    // Rules of Bob's own, then a receipt.
    let muted = format!("/_matrix/client/v3/pushrules/global/room/{}", banyan_tests::client::percent(&room));
    bob.put(&muted, &json!({"actions": []})).await.unwrap();
    let page = bob.get("/_matrix/client/v3/notifications?only=highlight&limit=3").await.unwrap();
    assert_eq!(page["notifications"].as_array().unwrap().len(), 3, "{page}");
    assert_eq!(page["notifications"][0]["read"], false);
    let last = page["notifications"][0]["event"]["event_id"].as_str().unwrap().to_owned();
    bob.post(&format!("/_matrix/client/v3/rooms/{room}/receipt/m.read/{last}"), &json!({})).await.unwrap();
    let answer = next(&|answer| told(answer, &room, &alice).1 != Some((MESSAGES, MESSAGES / 3))).await;
    assert_eq!(told(&answer, &room, &alice).1, Some((0, 0)), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_its_count_come_together_from_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).cheap_passwords().tenant("chat.test", true);
    let mut node = Node::new("banyan", dir.path(), &[], &common);
    node.start().await;
    talk(&node.homeserver(), &node.homeserver()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_its_count_come_together_from_a_cluster() {
    let cluster = Cluster::start(2, &["chat.test"]).await;
    let urls = cluster.client_urls();
    talk(&Homeserver::new(&urls[0]), &Homeserver::new(&urls[1])).await;
}
