//! What the caller was notified of.

use banyan_core::LogId;
use banyan_proto::rooms::{Notified, NotifyingEvent, Receipt, Receipts, RoomEntry, Unread, UnreadTotal, room_entry::Kind};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    room::Room,
    world::{ALICE, World, answer, assert_error},
};

const BOB: &str = "@bob:one.test";
const NOTIFY: &str = r#"["notify"]"#;
const HIGHLIGHT: &str = r#"["notify",{"set_tweak":"highlight"}]"#;

/// A room with what its events notified of.
struct Counted {
    room: Room,
    id: String,
    everybody: UnreadTotal,
    own: UnreadTotal,
}

impl Counted {
    async fn new(world: &World, id: &str) -> Self {
        let room = Room::with_id(world, id, &[ALICE, BOB], json!({"room_version": "11"})).await;
        let own = UnreadTotal { own: Some(1), ..UnreadTotal::default() };
        let counted = Self { room, id: id.to_owned(), everybody: UnreadTotal::default(), own: UnreadTotal::default() };
        let came = Unread { user_id: ALICE.to_owned(), thread_id: String::new(), total: Some(own), event: None };
        counted.append(world, Kind::Notified(Notified { upto: 1, unread: vec![came] })).await;
        counted
    }

    async fn append(&self, world: &World, kind: Kind) {
        let entry = RoomEntry { room_id: self.id.clone(), kind: Some(kind), ..RoomEntry::default() };
        world.append(LogId::rooms(world.context.shards.shard_of(&self.id)), entry.encode_to_vec()).await;
    }

    /// Somebody says something, at a time: what everybody is notified of, and Alice if that is another thing.
    async fn say(&mut self, world: &World, sender: &str, at: i64, everybody: &str, own: Option<&str>) -> String {
        let event_id = self.room.add(world, "m.room.message", None, sender, json!({"body": at})).await;
        let arrival = event_id[2..].parse().unwrap();
        let mut unread = Vec::new();
        let totals = [("", Some(everybody), &mut self.everybody), (ALICE, own, &mut self.own)];
        for (user, actions, total) in totals {
            let Some(actions) = actions else { continue };
            if total.events == 0 {
                total.first = arrival;
            }
            (total.events, total.last) = (total.events + 1, arrival);
            let event = NotifyingEvent { event_id: event_id.clone(), actions: actions.to_owned(), at: at * 1_000 };
            let (user_id, thread_id) = (user.to_owned(), "main".to_owned());
            unread.push(Unread { user_id, thread_id, total: Some(*total), event: Some(event) });
        }
        self.append(world, Kind::Notified(Notified { upto: 1, unread })).await;
        event_id
    }
}

async fn page(world: &World, query: &str) -> (Vec<(String, bool)>, Option<String>) {
    let (status, body) = world.get(&format!("/_matrix/client/v3/notifications{query}")).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    let one = |one: &Value| (one["event"]["event_id"].as_str().unwrap().to_owned(), one["read"].as_bool().unwrap());
    let notifications = body["notifications"].as_array().unwrap().iter().map(one).collect();
    (notifications, body["next_token"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn all_rooms_are_told_newest_first_but_what_is_one_s_own_or_muted() {
    let world = World::new().await;
    let mut one = Counted::new(&world, "!one:one.test").await;
    let mut two = Counted::new(&world, "!two:one.test").await;
    let first = one.say(&world, BOB, 10, NOTIFY, None).await;
    two.say(&world, BOB, 20, NOTIFY, None).await;
    one.say(&world, ALICE, 30, NOTIFY, None).await;
    two.say(&world, BOB, 40, NOTIFY, Some("")).await;
    let highlight = one.say(&world, BOB, 50, NOTIFY, Some(HIGHLIGHT)).await;
    let read = Receipt { user_id: ALICE.to_owned(), receipt_type: "m.read".to_owned(), arrival: 3, ..Receipt::default() };
    one.append(&world, Kind::Receipts(Receipts { receipts: vec![read] })).await;
    let (_, body) = world.get("/_matrix/client/v3/notifications").await;
    let told = body["notifications"].as_array().unwrap();
    let brief: Vec<(i64, &str, bool)> = told
        .iter()
        .map(|one| (one["ts"].as_i64().unwrap(), one["room_id"].as_str().unwrap(), one["read"].as_bool().unwrap()))
        .collect();
    assert_eq!(brief, [(50, "!one:one.test", false), (20, "!two:one.test", false), (10, "!one:one.test", true)]);
    assert_eq!((&told[0]["event"]["event_id"], &told[2]["event"]["event_id"]), (&json!(highlight), &json!(first)));
    assert_eq!((&told[0]["actions"][1]["set_tweak"], &told[1]["actions"]), (&json!("highlight"), &json!(["notify"])));
    assert!(told[0]["event"].get("room_id").is_none() && body.get("next_token").is_none());
    assert_eq!(page(&world, "?only=highlight").await, (vec![(highlight, false)], None));
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let world = World::new().await;
    let mut rooms = [Counted::new(&world, "!one:one.test").await, Counted::new(&world, "!two:one.test").await];
    let mut expected = Vec::new();
    for at in 1..=45 {
        let own = (at % 5 == 0).then_some(if at % 10 == 0 { "" } else { HIGHLIGHT });
        let event = rooms[usize::from(at % 3 == 0)].say(&world, BOB, at, NOTIFY, own).await;
        if own != Some("") {
            expected.push((event, false));
        }
    }
    expected.reverse();
    for limit in [1, 2, 7, 100] {
        let (mut seen, mut next) = page(&world, &format!("?limit={limit}")).await;
        while let Some(from) = next {
            let (more, following) = page(&world, &format!("?limit={limit}&from={from}")).await;
            assert!(more.len() <= limit);
            seen.extend(more);
            next = following;
        }
        assert_eq!(seen, expected, "by {limit}");
    }
}

#[tokio::test]
async fn refused() {
    let world = World::new().await;
    assert_error(&world.get("/_matrix/client/v3/notifications?from=there").await, 400, "M_INVALID_PARAM");
    let nobody = answer(world.request(http::Method::GET, "/_matrix/client/v3/notifications", None)).await;
    assert_error(&nobody, 401, "M_MISSING_TOKEN");
}
