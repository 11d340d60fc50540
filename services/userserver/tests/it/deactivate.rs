//! Ending accounts.

use banyan_proto::{
    users::RoomKeyName,
    userserver::{
        CreateKeyBackupRequest, DeactivateRequest, FinishDepartureRequest, NewRoomKey, PutRoomKeysRequest, SetAccountDataRequest,
    },
};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

async fn waits(world: &World, process: &Process) -> bool {
    let shard = world.shards.shard_of(ALICE);
    process.reader().departures(shard).await.expect("read").contains_key(ALICE)
}

#[tokio::test]
async fn a_deactivated_account_ends_its_sessions_and_keeps_its_name() {
    let world = World::new();
    let process = world.owner("a").await;
    let session = process.register(world.registration(ALICE)).await.expect("registered");
    let request = DeactivateRequest { caller: world.caller(ALICE), erase: false };
    process.deactivate_account(request.clone()).await.expect("deactivated");
    assert!(!process.works(&session.access_token).await);
    assert!(process.reader().devices(ALICE).await.expect("read").is_empty());
    let account = process.reader().account(ALICE).await.expect("read").expect("the account");
    assert!(account.deactivated && !account.erased && account.password_hash.is_empty());
    assert!(!process.reader().profile(ALICE).await.expect("read").is_empty(), "nothing was to be erased");
    assert_eq!(refusal(process.register(world.registration(ALICE)).await).0, "M_USER_IN_USE");
    assert_eq!(refusal(process.login(world.login(ALICE)).await).0, "M_FORBIDDEN", "there is no password any more");
    process.deactivate_account(request).await.expect("done already");
    process.deactivate_account(DeactivateRequest { caller: world.caller(ALICE), erase: true }).await.expect("done already");
    let nobody = DeactivateRequest { caller: world.caller("@nobody:example.org"), erase: false };
    assert_eq!(refusal(process.deactivate_account(nobody).await).0, "M_NOT_FOUND");
}

#[tokio::test]
async fn rooms_are_to_be_left_until_somebody_says_they_are() {
    let world = World::new();
    let first = world.owner("a").await;
    first.register(world.registration(ALICE)).await.expect("registered");
    let finish = || FinishDepartureRequest { caller: world.caller(ALICE) };
    assert_eq!(refusal(first.finish_departure(finish()).await).0, "M_FORBIDDEN", "the user is still there");
    first.deactivate_account(DeactivateRequest { caller: world.caller(ALICE), erase: false }).await.expect("deactivated");
    assert!(waits(&world, &first).await);
    first.kill();
    let second = world.owner("b").await;
    assert!(waits(&world, &second).await, "whoever owns the user next knows");
    second.finish_departure(finish()).await.expect("finished");
    assert!(!waits(&world, &second).await);
    second.finish_departure(finish()).await.expect("finished already");
}

#[tokio::test]
async fn erasing_removes_the_profile_and_all_account_data() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    for n in 0..230 {
        let request = SetAccountDataRequest {
            caller: world.caller(ALICE),
            room_id: String::new(),
            r#type: format!("org.example.{n}"),
            content: b"{}".to_vec().into(),
        };
        process.client.clone().set_account_data(request).await.expect("set");
    }
    process.deactivate_account(DeactivateRequest { caller: world.caller(ALICE), erase: true }).await.expect("deactivated");
    assert!(process.reader().account(ALICE).await.expect("read").expect("the account").erased);
    assert!(process.reader().profile(ALICE).await.expect("read").is_empty());
    let left = process.reader().all_account_data(ALICE).await.expect("read");
    assert_eq!(left.iter().map(|data| data.kind.as_str()).collect::<Vec<_>>(), ["m.push_rules"], "what the server supplies");
}

#[tokio::test]
async fn backups_of_room_keys_go_with_the_account() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    for _ in 0..2 {
        let auth_data = b"{}".to_vec().into();
        let request = CreateKeyBackupRequest { caller: world.caller(ALICE), algorithm: "a".to_owned(), auth_data };
        answer(process.client.clone().create_key_backup(request).await).expect("made");
    }
    let name = RoomKeyName { room_id: "!r:example.org".to_owned(), session_id: "s".to_owned() };
    let RoomKeyName { room_id, session_id } = name.clone();
    let keys = vec![NewRoomKey { room_id, session_id, session_data: b"{}".to_vec().into(), ..NewRoomKey::default() }];
    let request = PutRoomKeysRequest { caller: world.caller(ALICE), version: "2".to_owned(), keys };
    answer(process.client.clone().put_room_keys(request).await).expect("kept");
    assert!(process.reader().room_key(ALICE, 2, &name).await.expect("read").is_some());
    process.deactivate_account(DeactivateRequest { caller: world.caller(ALICE), erase: false }).await.expect("deactivated");
    assert!(process.reader().room_key(ALICE, 2, &name).await.expect("read").is_none());
    assert!(process.reader().key_backup_versions(ALICE).await.expect("read").is_empty());
}
