//! Entries become rows, and readers see them.

use std::sync::Arc;

use banyan_core::{LogId, LogSeq, ShardId, TimestampMicros};
use banyan_log::{Applier, Entry};
use banyan_proto::users::{
    AccessToken, AccessTokenIssued, AccessTokensRevoked, Account, AccountDataChanged, Departure, DepartureChanged, Device,
    DeviceChanged, FilterStored, ProfileChanged, RefreshToken, RefreshTokenIssued, RegistrationTokenRow, RegistrationTokenUsed,
    UserEntry, account, user_entry::Kind,
};
use banyan_store::{TableStore, WriteBatch};
use banyan_users::{TokenHash, UserApplier, UserReader};
use prost::Message;
use serde_json::json;

use crate::World;

const ALICE: &str = "@alice:example.org";

fn entry(seq: u64, body: Vec<u8>) -> Entry {
    Entry {
        log: LogId::users(ShardId(0)),
        seq: LogSeq(seq),
        timestamp: TimestampMicros(1_800_000_000_000_000 + i64::try_from(seq).expect("small") * 2),
        request: None,
        targets: Vec::new(),
        source: None,
        traceparent: String::new(),
        body: body.into(),
    }
}

async fn apply(world: &World, seq: u64, user_id: &str, kind: Kind) {
    let entry = entry(seq, UserEntry { user_id: user_id.to_owned(), kind: Some(kind) }.encode_to_vec());
    for row in UserApplier.derive(&entry).expect("an entry that can be read") {
        let batch = WriteBatch { table: row.table, partition: row.partition, writes: vec![row.write], at: entry.timestamp };
        world.store.write(batch).await.expect("written");
    }
}

fn reader(world: &World) -> UserReader {
    UserReader::new(Arc::new(world.store.clone()))
}

fn data(room_id: &str, kind: &str, content: &str) -> Kind {
    Kind::AccountData(AccountDataChanged {
        room_id: room_id.to_owned(),
        r#type: kind.to_owned(),
        content: content.as_bytes().to_vec().into(),
    })
}

#[tokio::test]
async fn every_kind_of_entry_is_seen_by_readers() {
    let world = World::new();
    let reader = reader(&world);
    let hash = TokenHash::of("byn_x");
    let token_hash = hash.as_bytes().to_vec();
    assert_eq!(reader.account(ALICE).await.expect("read"), None);

    apply(&world, 1, ALICE, Kind::Account(Account { created: 5, ..Account::default() })).await;
    let device = Device { display_name: "Phone".to_owned(), ..Device::default() };
    apply(&world, 2, ALICE, Kind::Device(DeviceChanged { device_id: "PHONE".to_owned(), device: Some(device) })).await;
    let token = AccessToken { user_id: ALICE.to_owned(), device_id: "PHONE".to_owned(), ..AccessToken::default() };
    let issued = AccessTokenIssued { token_hash: token_hash.clone().into(), token: Some(token.clone()) };
    apply(&world, 3, ALICE, Kind::TokenIssued(issued)).await;
    let name = ProfileChanged { field: "displayname".to_owned(), value: b"\"Alice\"".to_vec().into(), ..ProfileChanged::default() };
    apply(&world, 4, ALICE, Kind::Profile(name)).await;
    apply(&world, 5, ALICE, Kind::Filter(FilterStored { filter_id: "f".to_owned(), filter: b"{}".to_vec().into() })).await;
    let row = RegistrationTokenRow { completed: 2, ..RegistrationTokenRow::default() };
    let used = RegistrationTokenUsed { tenant: "example.org".to_owned(), token: "t".to_owned(), row: Some(row) };
    apply(&world, 6, "", Kind::RegistrationToken(used)).await;

    let refresh = RefreshToken { user_id: ALICE.to_owned(), device_id: "PHONE".to_owned(), created: 3, ..RefreshToken::default() };
    let issued = RefreshTokenIssued { token_hash: token_hash.clone().into(), token: Some(refresh.clone()) };
    apply(&world, 6, ALICE, Kind::RefreshIssued(issued)).await;
    let departure = Departure { tenant: "example.org".to_owned(), since: 6 };
    apply(&world, 6, ALICE, Kind::Departure(DepartureChanged { departure: Some(departure.clone()) })).await;

    assert_eq!(reader.refresh_token(&hash).await.expect("read"), Some(refresh));
    assert_eq!(reader.departures(ShardId(0)).await.expect("read").get(ALICE), Some(&departure));
    let account = reader.account(ALICE).await.expect("read").expect("the account");
    assert_eq!((account.seq, account.created, account.kind()), (1, 5, account::Kind::User));
    assert_eq!(reader.devices(ALICE).await.expect("read")["PHONE"].seq, 2);
    assert_eq!(reader.device(ALICE, "PHONE").await.expect("read").expect("the device").display_name, "Phone");
    assert_eq!(reader.access_token(&hash).await.expect("read"), Some(token));
    assert_eq!(reader.profile(ALICE).await.expect("read")["displayname"], json!("Alice"));
    assert_eq!(reader.filter(ALICE, "f").await.expect("read").as_deref(), Some(b"{}".as_slice()));
    assert_eq!(reader.registration_token("example.org", "t").await.expect("read").expect("the row").completed, 2);

    apply(
        &world,
        7,
        ALICE,
        Kind::TokensRevoked(AccessTokensRevoked {
            token_hashes: vec![token_hash.clone().into()],
            refresh_hashes: vec![token_hash.into()],
        }),
    )
    .await;
    apply(&world, 8, ALICE, Kind::Device(DeviceChanged { device_id: "PHONE".to_owned(), device: None })).await;
    let unnamed = ProfileChanged { field: "displayname".to_owned(), ..ProfileChanged::default() };
    apply(&world, 9, ALICE, Kind::Profile(unnamed)).await;
    apply(&world, 10, ALICE, Kind::Departure(DepartureChanged { departure: None })).await;
    assert!(reader.departures(ShardId(0)).await.expect("read").is_empty());
    assert_eq!(reader.refresh_token(&hash).await.expect("read"), None);
    assert_eq!(reader.access_token(&hash).await.expect("read"), None);
    assert!(reader.devices(ALICE).await.expect("read").is_empty());
    assert_eq!(reader.profile_field(ALICE, "displayname").await.expect("read"), None);
}

#[tokio::test]
async fn replaying_old_entries_changes_nothing() {
    let world = World::new();
    let reader = reader(&world);
    for _ in 0..2 {
        for (seq, content) in [(1, r#"{"n":1}"#), (2, r#"{"n":2}"#)] {
            apply(&world, seq, ALICE, data("", "a", content)).await;
            if seq == 2 {
                let found = reader.account_data(ALICE, None, "a").await.expect("read").expect("the data");
                assert_eq!((found.content.as_ref(), found.seq), (br#"{"n":2}"#.as_slice(), 2));
            }
        }
    }
    apply(&world, 1, ALICE, data("", "a", r#"{"n":1}"#)).await;
    assert_eq!(reader.account_data(ALICE, None, "a").await.expect("read").expect("the data").seq, 2);
}

#[tokio::test]
async fn account_data_is_listed_by_room_and_always_has_push_rules() {
    let world = World::new();
    let reader = reader(&world);
    apply(&world, 1, ALICE, data("", "m.direct", "{}")).await;
    apply(&world, 2, ALICE, data("", "z", "{}")).await;
    apply(&world, 3, ALICE, data("!a:x", "m.tag", "{}")).await;
    apply(&world, 4, ALICE, data("!ab:x", "m.tag", "{}")).await;
    let kinds = |data: Vec<banyan_users::AccountData>| -> Vec<(Option<String>, String, u64)> {
        data.into_iter().map(|item| (item.room_id, item.kind, item.seq)).collect()
    };
    let global = kinds(reader.global_account_data(ALICE).await.expect("read"));
    let item = |room: Option<&str>, kind: &str, seq| (room.map(str::to_owned), kind.to_owned(), seq);
    assert_eq!(global, [item(None, "m.direct", 1), item(None, "m.push_rules", 0), item(None, "z", 2)]);
    assert_eq!(kinds(reader.room_account_data(ALICE, "!a:x").await.expect("read")), [item(Some("!a:x"), "m.tag", 3)]);
    let all = kinds(reader.all_account_data(ALICE).await.expect("read"));
    assert_eq!(all.len(), 5);
    assert_eq!(all[4], item(Some("!ab:x"), "m.tag", 4));

    let rules =
        r#"{"global":{"override":[{"rule_id":".m.rule.master","default":true,"enabled":true,"conditions":[],"actions":[]}]}}"#;
    apply(&world, 5, ALICE, data("", "m.push_rules", rules)).await;
    let rules = reader.push_rules(ALICE).await.expect("read");
    assert_eq!(rules["global"]["override"][0]["enabled"], true);
    assert_eq!(rules["global"]["override"].as_array().map(Vec::len), Some(10));
    let stored = reader.account_data(ALICE, None, "m.push_rules").await.expect("read").expect("the rules");
    assert_eq!(stored.seq, 5);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&stored.content).expect("JSON"), rules);
}

#[tokio::test]
async fn many_rows_are_read_whole() {
    let world = World::new();
    for n in 0..1200 {
        apply(&world, n, ALICE, data(&format!("!{n:04}:x"), "m.tag", "{}")).await;
    }
    assert_eq!(reader(&world).all_account_data(ALICE).await.expect("read").len(), 1201);
}

#[tokio::test]
async fn login_names_find_historical_ids_first() {
    let world = World::new();
    let reader = reader(&world);
    let resolved = async |typed: &str| reader.resolve_login(typed, "example.org").await.expect("read");
    assert_eq!(resolved("Alice").await.as_deref(), Some("@alice:example.org"));
    apply(&world, 1, "@Alice:example.org", Kind::Account(Account::default())).await;
    assert_eq!(resolved("Alice").await.as_deref(), Some("@Alice:example.org"));
    assert_eq!(resolved("@nobody:example.org").await.as_deref(), Some("@nobody:example.org"));
    assert_eq!(resolved("@alice:elsewhere.org").await, None);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    assert!(UserApplier.derive(&entry(1, vec![0xff; 9])).is_err());
    assert!(UserApplier.derive(&entry(1, UserEntry { user_id: ALICE.to_owned(), kind: None }.encode_to_vec())).is_err());
}
