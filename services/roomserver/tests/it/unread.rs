//! What is unread: whom events notify, what reading and writing takes off, and what it costs.

use banyan_core::{LogId, LogSeq};
use banyan_proto::{
    rooms::{RoomEntry, Unread, room_entry::Kind},
    roomserver::change_membership_request::Action,
};
use banyan_rooms::reader::{RoomUnread, UnreadCounts};
use banyan_users::push_rules;
use prost::Message as _;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::{Value, json};

use crate::{
    receipts::receipt,
    world::{SHARDS, Send, World},
};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:one.test";
const CAROL: &str = "@carol:two.test";

impl World {
    /// What was noted of a room, once push rules were checked on all that is in it.
    async fn noted(&self, room: &RoomId) -> Vec<Unread> {
        let head = self.reader.head(room).await.unwrap().unwrap();
        let mut follower = self.logs().follow(LogId::rooms(SHARDS.shard_of(room.as_str())), LogSeq(0));
        let mut noted = Vec::new();
        loop {
            for entry in follower.next().await.unwrap().entries {
                let entry = RoomEntry::decode(entry.body).unwrap();
                if let Some(Kind::Notified(notified)) = entry.kind.filter(|_| entry.room_id == room.as_str()) {
                    noted.extend(notified.unread);
                    if notified.upto > head.seq {
                        return noted;
                    }
                }
            }
        }
    }

    async fn unread(&self, room: &RoomId, user: &str) -> RoomUnread {
        self.noted(room).await;
        self.reader.unread(room, &UserId::parse(user).unwrap()).await.unwrap()
    }

    async fn counts(&self, room: &RoomId, user: &str) -> (u64, u64) {
        let UnreadCounts { notifications, highlights } = self.unread(room, user).await.all();
        (notifications, highlights)
    }

    async fn say(&self, user: &str, room: &RoomId, more: Value) -> String {
        let mut content = json!({"msgtype": "m.text", "body": "text"});
        content.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.send_with(user, room, ("m.room.message", None), content, Send::default()).await.unwrap()
    }

    async fn reads(&self, user: &str, room: &RoomId, thread: &str, event: &str) {
        self.set_receipts(user, room, vec![receipt("m.read", thread, event)]).await.unwrap();
    }

    async fn rules(&self, user: &str, change: impl FnOnce(&mut Value)) {
        let mut rules = push_rules::default_content(user).unwrap();
        change(&mut rules["global"]);
        self.account_data(user, push_rules::ACCOUNT_DATA_TYPE, rules).await;
    }
}

fn mention(user: &str) -> Value {
    json!({"m.mentions": {"user_ids": [user]}})
}

fn to(rel_type: &str, event: &str) -> Value {
    json!({"m.relates_to": {"rel_type": rel_type, "event_id": event}})
}

/// A room of Alice's with Bob.
async fn room(world: &World) -> OwnedRoomId {
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &room).await;
    room
}

#[tokio::test]
async fn what_others_say_after_one_joined_is_unread_until_it_is_read() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.say(ALICE, &room, mention(BOB)).await;
    world.join(BOB, &room).await;
    assert_eq!(world.counts(&room, BOB).await, (0, 0), "what was before");
    world.say(ALICE, &room, json!({})).await;
    world.say(ALICE, &room, mention(BOB)).await;
    let third = world.say(ALICE, &room, json!({"msgtype": "m.notice"})).await;
    assert_eq!(world.counts(&room, BOB).await, (2, 1));
    assert_eq!(world.counts(&room, ALICE).await, (0, 0), "one's own");
    world.reads(BOB, &room, "", &third).await;
    assert_eq!(world.counts(&room, BOB).await, (0, 0));
    world.say(ALICE, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (1, 0));
    // Who answers has read; the other has something to read.
    world.say(BOB, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (0, 0));
    assert_eq!(world.counts(&room, ALICE).await, (1, 0));
    // Who comes back begins again.
    world.leave(BOB, &room).await;
    world.say(ALICE, &room, mention(BOB)).await;
    world.join(BOB, &room).await;
    world.say(ALICE, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (1, 0));
}

#[tokio::test]
async fn threads_are_counted_and_read_by_themselves() {
    let world = World::new().await;
    let room = room(&world).await;
    let a = world.say(ALICE, &room, json!({})).await;
    let b = world.say(ALICE, &room, to("m.thread", &a)).await;
    let mut both = to("m.thread", &a);
    both["m.mentions"] = json!({"user_ids": [BOB]});
    world.say(ALICE, &room, both).await;
    let d = world.say(ALICE, &room, mention(BOB)).await;
    world.say(ALICE, &room, to("m.thread", &a)).await;
    let f = world.say(ALICE, &room, to("m.reference", &a)).await;
    let in_thread = world.say(ALICE, &room, to("m.reference", &b)).await;
    let state = async || {
        let unread = world.unread(&room, BOB).await;
        let pair = |counts: UnreadCounts| (counts.notifications, counts.highlights);
        (pair(unread.main), unread.threads.get(&a).copied().map(pair))
    };
    assert_eq!(state().await, ((3, 1), Some((4, 1))));
    world.reads(BOB, &room, "main", &a).await;
    assert_eq!(state().await, ((2, 1), Some((4, 1))));
    world.reads(BOB, &room, &a, &b).await;
    assert_eq!(state().await, ((2, 1), Some((3, 1))));
    // Without a thread all of them are read up to there; private receipts count as well.
    world.set_receipts(BOB, &room, vec![receipt("m.read.private", "", &d)]).await.unwrap();
    assert_eq!(state().await, ((1, 0), Some((2, 0))));
    world.reads(BOB, &room, &a, &in_thread).await;
    assert_eq!(state().await, ((1, 0), None));
    world.reads(BOB, &room, "main", &f).await;
    assert_eq!(state().await, ((0, 0), None));
    // Writing in a thread reads that thread.
    world.say(ALICE, &room, to("m.thread", &a)).await;
    world.say(ALICE, &room, json!({})).await;
    world.say(BOB, &room, to("m.thread", &a)).await;
    assert_eq!(state().await, ((1, 0), None));
}

#[tokio::test]
async fn rules_of_one_s_own_and_ignored_people_count() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let muted = json!([{"rule_id": room.as_str(), "default": false, "enabled": true, "actions": []}]);
    world.rules(BOB, |rules| rules["room"] = muted).await;
    let words = json!([{"rule_id": "w", "default": false, "enabled": true, "pattern": "cake",
        "actions": ["notify", {"set_tweak": "highlight"}]}]);
    world.rules(CAROL, |rules| rules["content"] = words).await;
    world.account_data("@dave:one.test", "m.ignored_user_list", json!({"ignored_users": {ALICE: {}}})).await;
    for user in [BOB, CAROL, "@dave:one.test", "@eve:one.test"] {
        world.join(user, &room).await;
    }
    world.say(ALICE, &room, json!({"body": "no sweets"})).await;
    world.say(ALICE, &room, json!({"body": "Cake!"})).await;
    assert_eq!(world.counts(&room, BOB).await, (0, 0));
    world.say(ALICE, &room, mention(BOB)).await;
    assert_eq!(world.counts(&room, BOB).await, (1, 1), "mentions come before rooms");
    assert_eq!(world.counts(&room, CAROL).await, (3, 1));
    assert_eq!(world.counts(&room, "@dave:one.test").await, (0, 0));
    assert_eq!(world.counts(&room, "@eve:one.test").await, (3, 0));
    let bobs = world.say(BOB, &room, json!({})).await;
    assert_eq!(world.counts(&room, "@dave:one.test").await, (1, 0));
    // What changes, changes for what comes.
    world.rules(BOB, |_| ()).await;
    loop {
        world.say(ALICE, &room, json!({})).await;
        if world.counts(&room, BOB).await != (0, 0) {
            break;
        }
    }
    world.say(ALICE, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (2, 0));
    world.reads(CAROL, &room, "", &bobs).await;
    let (carols, eves) = (world.counts(&room, CAROL).await, world.counts(&room, "@eve:one.test").await);
    assert_eq!(carols.0 + 4, eves.0, "the three and Bob's are read");
}

#[tokio::test]
async fn the_default_rules_take_messages_and_calls_and_leave_the_rest() {
    let world = World::new().await;
    let room = room(&world).await;
    world.join(CAROL, &room).await;
    let first = world.say(ALICE, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (1, 0));
    let mut edit = to("m.replace", &first);
    edit["m.new_content"] = json!({"msgtype": "m.text", "body": "other"});
    world.say(ALICE, &room, edit).await;
    let reaction = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "x"}});
    for (kind, key, content) in [
        ("m.reaction", None, reaction),
        ("m.room.topic", Some(""), json!({"topic": "t"})),
        ("m.room.server_acl", Some(""), json!({"allow": ["*"]})),
        ("m.room.encrypted", None, json!({"ciphertext": "x", "m.relates_to": {"rel_type": "m.replace", "event_id": first}})),
    ] {
        world.send_with(ALICE, &room, (kind, key), content, Send::default()).await.unwrap();
        assert_eq!(world.counts(&room, BOB).await, (1, 0), "{kind}");
    }
    for (kind, key, highlights) in [("m.room.encrypted", None, 0), ("m.call.invite", None, 0), ("m.room.tombstone", Some(""), 1)] {
        let before = world.counts(&room, BOB).await;
        let content = json!({"ciphertext": "x", "body": "gone", "replacement_room": "!other:one.test"});
        world.send_with(ALICE, &room, (kind, key), content, Send::default()).await.unwrap();
        assert_eq!(world.counts(&room, BOB).await, (before.0 + 1, before.1 + highlights), "{kind}");
    }
}

#[tokio::test]
async fn mentions_are_of_those_who_are_in_the_room() {
    let world = World::new().await;
    let room = room(&world).await;
    world.join(CAROL, &room).await;
    world.leave(CAROL, &room).await;
    let before = world.noted(&room).await.len();
    let many = json!({"m.mentions": {"user_ids": [CAROL, "@:anybody.invalid", "nobody", "@remote:elsewhere.test", ALICE]}});
    world.say(ALICE, &room, many).await;
    let noted = world.noted(&room).await;
    let users: Vec<&str> = noted[before..].iter().map(|unread| unread.user_id.as_str()).collect();
    assert_eq!(users, [ALICE, "", ""], "nobody is notified otherwise than everybody");
    assert_eq!(world.counts(&room, BOB).await, (1, 0));
    world.join(CAROL, &room).await;
    assert_eq!(world.counts(&room, CAROL).await, (0, 0));
}

#[tokio::test]
async fn only_who_may_notifies_the_room() {
    let world = World::new().await;
    let room = room(&world).await;
    world.join(CAROL, &room).await;
    let everybody = || json!({"m.mentions": {"room": true}});
    world.say(BOB, &room, everybody()).await;
    assert_eq!(world.counts(&room, CAROL).await, (1, 0));
    world.say(ALICE, &room, everybody()).await;
    assert_eq!(world.counts(&room, CAROL).await, (2, 1));
}

#[tokio::test]
async fn a_message_costs_the_same_whoever_is_in_the_room() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    for index in 0..20 {
        world.join(&format!("@u{index}:one.test"), &room).await;
    }
    let before = world.noted(&room).await.len();
    world.say(ALICE, &room, json!({})).await;
    let after = world.noted(&room).await;
    let users: Vec<&str> = after[before..].iter().map(|unread| unread.user_id.as_str()).collect();
    assert_eq!(users, [ALICE, "", ""], "where the sender has read to, the total of the thread, and up to where it was looked");
    assert_eq!(world.counts(&room, "@u7:one.test").await, (1, 0));
}

#[tokio::test]
async fn who_takes_over_goes_on_and_counts_nothing_twice() {
    let mut world = World::new().await;
    let room = room(&world).await;
    for _ in 0..3 {
        world.say(ALICE, &room, mention(BOB)).await;
    }
    assert_eq!(world.counts(&room, BOB).await, (3, 3));
    world.restart().await;
    world.say(ALICE, &room, json!({})).await;
    assert_eq!(world.counts(&room, BOB).await, (4, 3));
}

#[tokio::test]
async fn an_invite_is_noted_of_whom_it_invites() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    world.act(ALICE, Action::Invite, BOB, &room).await.unwrap();
    let noted = world.noted(&room).await;
    let bobs: Vec<&Unread> = noted.iter().filter(|unread| unread.user_id == BOB).collect();
    assert_eq!(bobs.len(), 1);
    assert!(bobs[0].event.as_ref().unwrap().actions.contains("notify"));
    world.act(BOB, Action::Join, BOB, &room).await.unwrap();
    assert_eq!(world.counts(&room, BOB).await, (0, 0));
}

#[tokio::test]
async fn another_name_is_no_sign_of_having_read() {
    let world = World::new().await;
    let room = room(&world).await;
    world.say(ALICE, &room, json!({})).await;
    let renamed = json!({"membership": "join", "displayname": "Robert"});
    world.set(BOB, &room, "m.room.member", BOB, renamed).await.unwrap();
    assert_eq!(world.counts(&room, BOB).await, (1, 0));
}
