//! Backups of room keys: their versions, which keys they keep, and their counts.

use banyan_core::{ErrorCode, RequestId, ServiceError};
use banyan_proto::{
    users::{RoomKeyName, RoomKeyRow},
    userserver::{
        CreateKeyBackupRequest, DeleteKeyBackupRequest, DeleteRoomKeysRequest, NewRoomKey, PutRoomKeysRequest, RoomKeysResponse,
        UpdateKeyBackupRequest,
    },
};
use banyan_users::key_backup::{BUCKETS, MAX_AUTH_DATA, MAX_REQUEST_KEYS, MAX_VERSIONS};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:example.org";
const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";
const ROOM: &str = "!room:example.org";

/// Alice.
async fn world() -> (World, Process) {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    (world, process)
}

async fn create(world: &World, process: &Process) -> String {
    create_again(world, process, world.request_id()).await.expect("made")
}

async fn create_again(world: &World, process: &Process, request_id: RequestId) -> Result<String, ServiceError> {
    let request = CreateKeyBackupRequest {
        caller: world.caller_again(ALICE, request_id),
        algorithm: ALGORITHM.to_owned(),
        auth_data: b"{\"public_key\":\"a\"}".to_vec().into(),
    };
    answer(process.client.clone().create_key_backup(request).await).map(|made| made.version)
}

async fn update(world: &World, process: &Process, version: &str, algorithm: &str, auth_data: &str) -> Result<(), ServiceError> {
    let (version, algorithm) = (version.to_owned(), algorithm.to_owned());
    let request =
        UpdateKeyBackupRequest { caller: world.caller(ALICE), version, algorithm, auth_data: auth_data.to_owned().into() };
    answer(process.client.clone().update_key_backup(request).await).map(drop)
}

async fn delete(world: &World, process: &Process, version: &str) -> Result<(), ServiceError> {
    let request = DeleteKeyBackupRequest { caller: world.caller(ALICE), version: version.to_owned() };
    answer(process.client.clone().delete_key_backup(request).await).map(drop)
}

async fn put(world: &World, process: &Process, version: &str, keys: Vec<NewRoomKey>) -> Result<(u64, u64), ServiceError> {
    put_again(world, process, world.request_id(), version, keys).await
}

async fn put_again(
    world: &World,
    process: &Process,
    request_id: RequestId,
    version: &str,
    keys: Vec<NewRoomKey>,
) -> Result<(u64, u64), ServiceError> {
    let request = PutRoomKeysRequest { caller: world.caller_again(ALICE, request_id), version: version.to_owned(), keys };
    answer(process.client.clone().put_room_keys(request).await).map(counted)
}

async fn remove(world: &World, process: &Process, version: &str, room: &str, session: &str) -> Result<(u64, u64), ServiceError> {
    let (room_id, session_id) = (room.to_owned(), session.to_owned());
    let request = DeleteRoomKeysRequest { caller: world.caller(ALICE), version: version.to_owned(), room_id, session_id };
    answer(process.client.clone().delete_room_keys(request).await).map(counted)
}

fn counted(count: RoomKeysResponse) -> (u64, u64) {
    (count.keys, count.etag)
}

fn key(room: &str, session: &str, (is_verified, first_message_index, forwarded_count): (bool, u64, u64)) -> NewRoomKey {
    NewRoomKey {
        room_id: room.to_owned(),
        session_id: session.to_owned(),
        first_message_index,
        forwarded_count,
        is_verified,
        session_data: b"{}".to_vec().into(),
    }
}

fn keys(room: &str, sessions: std::ops::Range<usize>) -> Vec<NewRoomKey> {
    sessions.map(|n| key(room, &format!("{n:05}"), (true, 1, 0))).collect()
}

async fn stored(process: &Process, version: u64, session: &str) -> Option<RoomKeyRow> {
    let name = RoomKeyName { room_id: ROOM.to_owned(), session_id: session.to_owned() };
    process.reader().room_key(ALICE, version, &name).await.expect("read")
}

/// The names of all keys, or of those of a room, in the order they are told.
async fn names(process: &Process, version: u64, room: Option<&str>) -> Vec<(String, String)> {
    let mut keys = process.reader().room_keys(ALICE, version, room);
    let mut names = Vec::new();
    while let Some(key) = keys.next().await.expect("read") {
        let name = key.name.expect("a name");
        names.push((name.room_id, name.session_id));
    }
    names
}

fn not_found() -> (String, ErrorCode) {
    ("M_NOT_FOUND".to_owned(), ErrorCode::NotFound)
}

#[tokio::test]
async fn versions_follow_each_other_and_are_never_used_again() {
    let (world, process) = world().await;
    assert!(process.reader().current_key_backup(ALICE).await.expect("read").is_none());
    assert_eq!(create(&world, &process).await, "1");
    assert_eq!(create(&world, &process).await, "2");
    delete(&world, &process, "2").await.expect("deleted");
    let current = process.reader().current_key_backup(ALICE).await.expect("read").expect("a backup");
    assert_eq!((current.version, current.algorithm.as_str()), (1, ALGORITHM));
    assert_eq!(create(&world, &process).await, "3");
    assert!(process.reader().key_backup(BOB, 1).await.expect("read").is_none());
}

#[tokio::test]
async fn a_version_that_is_asked_for_again_is_made_once() {
    let (world, process) = world().await;
    let request_id = world.request_id();
    assert_eq!(create_again(&world, &process, request_id).await.expect("made"), "1");
    assert_eq!(create_again(&world, &process, request_id).await.expect("made"), "1");
    assert_eq!(process.reader().key_backup_versions(ALICE).await.expect("read"), [1]);
}

#[tokio::test]
async fn versions_are_bounded() {
    let (world, process) = world().await;
    for _ in 0..MAX_VERSIONS {
        create(&world, &process).await;
    }
    let many = create_again(&world, &process, world.request_id()).await;
    assert_eq!(refusal(many), ("M_TOO_LARGE".to_owned(), ErrorCode::TooLarge));
    delete(&world, &process, "1").await.expect("deleted");
    assert_eq!(create(&world, &process).await, (MAX_VERSIONS + 1).to_string());
}

#[tokio::test]
async fn only_auth_data_is_updated() {
    let (world, process) = world().await;
    create(&world, &process).await;
    update(&world, &process, "1", ALGORITHM, "{\"public_key\":\"b\"}").await.expect("updated");
    let backup = process.reader().key_backup(ALICE, 1).await.expect("read").expect("a backup");
    assert_eq!(&backup.auth_data[..], b"{\"public_key\":\"b\"}");
    let before = process.applied(world.log_of(ALICE));
    update(&world, &process, "1", ALGORITHM, "{\"public_key\":\"b\"}").await.expect("as it is");
    assert_eq!(process.applied(world.log_of(ALICE)), before, "nothing changed, and there is an entry");
    let other = update(&world, &process, "1", "other", "{}").await;
    assert_eq!(refusal(other), ("M_INVALID_PARAM".to_owned(), ErrorCode::InvalidArgument));
    for version in ["2", "01", "x"] {
        assert_eq!(refusal(update(&world, &process, version, ALGORITHM, "{}").await), not_found());
    }
    let large = update(&world, &process, "1", ALGORITHM, &"x".repeat(MAX_AUTH_DATA)).await;
    assert_eq!(refusal(large), ("M_TOO_LARGE".to_owned(), ErrorCode::TooLarge));
}

#[tokio::test]
async fn a_better_key_replaces_and_a_worse_one_does_not() {
    let (world, process) = world().await;
    create(&world, &process).await;
    let put_one = async |quality| put(&world, &process, "1", vec![key(ROOM, "S", quality)]).await.expect("stored");
    assert_eq!(put_one((false, 5, 5)).await, (1, 1));
    for (quality, etag, kept) in [
        ((false, 6, 0), 1, (false, 5, 5)),
        ((false, 5, 6), 1, (false, 5, 5)),
        ((false, 5, 5), 1, (false, 5, 5)),
        ((false, 5, 4), 2, (false, 5, 4)),
        ((false, 4, 9), 3, (false, 4, 9)),
        ((true, 9, 9), 4, (true, 9, 9)),
        ((false, 0, 0), 4, (true, 9, 9)),
    ] {
        assert_eq!(put_one(quality).await, (1, etag), "{quality:?}");
        let row = stored(&process, 1, "S").await.expect("a key");
        assert_eq!((row.is_verified, row.first_message_index, row.forwarded_count), kept);
    }
}

#[tokio::test]
async fn keys_go_into_the_current_version_only() {
    let (world, process) = world().await;
    assert_eq!(refusal(put(&world, &process, "1", keys(ROOM, 0..1)).await), not_found());
    create(&world, &process).await;
    create(&world, &process).await;
    let wrong = put(&world, &process, "1", keys(ROOM, 0..1)).await.expect_err("not the current one");
    assert_eq!((wrong.code, wrong.errcode.as_deref()), (ErrorCode::Forbidden, Some("M_WRONG_ROOM_KEYS_VERSION")));
    assert_eq!(wrong.extra.as_deref(), Some("{\"current_version\":\"2\"}"));
    assert_eq!(refusal(put(&world, &process, "3", keys(ROOM, 0..1)).await), not_found());
    assert_eq!(put(&world, &process, "2", keys(ROOM, 0..1)).await.expect("stored"), (1, 1));
    assert_eq!(put(&world, &process, "2", Vec::new()).await.expect("nothing"), (1, 1));
    let many = put(&world, &process, "2", keys(ROOM, 0..MAX_REQUEST_KEYS + 1)).await;
    assert_eq!(refusal(many), ("M_TOO_LARGE".to_owned(), ErrorCode::TooLarge));
}

#[tokio::test]
async fn a_put_that_is_repeated_does_not_bring_back_what_was_deleted_since() {
    let (world, process) = world().await;
    create(&world, &process).await;
    let request_id = world.request_id();
    let first = put_again(&world, &process, request_id, "1", keys(ROOM, 0..3)).await.expect("stored");
    assert_eq!(remove(&world, &process, "1", "", "").await.expect("removed"), (0, 2));
    assert_eq!(put_again(&world, &process, request_id, "1", keys(ROOM, 0..3)).await.expect("stored"), first);
    assert!(names(&process, 1, None).await.is_empty());
}

#[tokio::test]
async fn keys_are_read_in_order_over_all_partitions_and_survive_a_new_owner() {
    let (world, first) = world().await;
    create(&world, &first).await;
    // More than two pages of every partition.
    let total = usize::try_from(BUCKETS).expect("small") * 200;
    for from in (0..total).step_by(800) {
        put(&world, &first, "1", keys(ROOM, from..from + 800)).await.expect("stored");
    }
    put(&world, &first, "1", keys("!other:example.org", 0..2)).await.expect("stored");
    first.kill();
    let second = world.owner("b").await;
    let backup = second.reader().key_backup(ALICE, 1).await.expect("read").expect("a backup");
    assert_eq!(backup.count.keys, total as u64 + 2);
    let of_room: Vec<_> = (0..total).map(|n| (ROOM.to_owned(), format!("{n:05}"))).collect();
    let other: Vec<_> = (0..2).map(|n| ("!other:example.org".to_owned(), format!("{n:05}"))).collect();
    assert_eq!(names(&second, 1, Some(ROOM)).await, of_room);
    assert_eq!(names(&second, 1, None).await, [other.clone(), of_room].concat());
    assert!(names(&second, 1, Some("!none")).await.is_empty());

    let (left, etag) = remove(&world, &second, "1", ROOM, "").await.expect("removed");
    assert_eq!(left, 2);
    assert!(etag > backup.count.etag);
    assert_eq!(names(&second, 1, None).await, other);
}

#[tokio::test]
async fn keys_are_removed_one_by_one_and_what_is_not_there_is_no_error() {
    let (world, process) = world().await;
    create(&world, &process).await;
    put(&world, &process, "1", keys(ROOM, 0..2)).await.expect("stored");
    assert_eq!(remove(&world, &process, "1", ROOM, "00000").await.expect("removed"), (1, 2));
    assert_eq!(remove(&world, &process, "1", ROOM, "00000").await.expect("gone"), (1, 2));
    assert_eq!(remove(&world, &process, "1", ROOM, &"x".repeat(9000)).await.expect("never was"), (1, 2));
    assert_eq!(remove(&world, &process, "1", &"x".repeat(9000), "").await.expect("never was"), (1, 2));
    assert!(stored(&process, 1, "00000").await.is_none() && stored(&process, 1, "00001").await.is_some());
    assert_eq!(refusal(remove(&world, &process, "2", "", "").await), not_found());
}

#[tokio::test]
async fn a_version_goes_with_its_keys_and_once() {
    let (world, process) = world().await;
    create(&world, &process).await;
    put(&world, &process, "1", keys(ROOM, 0..1500)).await.expect("stored");
    delete(&world, &process, "1").await.expect("deleted");
    assert!(process.reader().key_backup(ALICE, 1).await.expect("read").is_none());
    assert!(names(&process, 1, None).await.is_empty());
    delete(&world, &process, "1").await.expect("deleted before");
    for never in ["2", "0", "x"] {
        assert_eq!(refusal(delete(&world, &process, never).await), not_found());
    }
    assert_eq!(refusal(put(&world, &process, "1", keys(ROOM, 0..1)).await), not_found());
}
