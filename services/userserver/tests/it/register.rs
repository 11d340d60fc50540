//! Making accounts.

use banyan_core::ErrorCode;
use banyan_proto::{users::account::Kind, userserver::RegisterRequest};
use banyan_store::memory::{Target, WriteFault};
use futures::future::join_all;
use serde_json::json;

use crate::world::{PASSWORD, SERVER, World, refusal};

const ALICE: &str = "@alice:example.org";

#[tokio::test]
async fn an_account_comes_with_a_device_a_token_and_a_name() {
    let world = World::new();
    let process = world.owner("a").await;
    let request = RegisterRequest {
        device_id: "PHONE".to_owned(),
        initial_device_display_name: "Alice's phone".to_owned(),
        remote_addr: "192.0.2.1".to_owned(),
        ..world.registration(ALICE)
    };
    let answer = process.register(request).await.expect("registered");
    assert_eq!((answer.user_id.as_str(), answer.device_id.as_str()), (ALICE, "PHONE"));
    let reader = process.reader();
    let account = reader.account(ALICE).await.expect("read").expect("the account");
    assert_eq!((account.kind(), account.admin, account.deactivated), (Kind::User, false, false));
    assert!(account.password_hash.starts_with("$argon2id$") && !account.password_hash.contains(PASSWORD));
    let device = reader.device(ALICE, "PHONE").await.expect("read").expect("the device");
    assert_eq!((device.display_name.as_str(), device.last_seen_ip.as_str()), ("Alice's phone", "192.0.2.1"));
    let token = reader.access_token(&crate::world::hash(&answer.access_token)).await.expect("read").expect("the token");
    assert_eq!((token.user_id.as_str(), token.device_id.as_str(), token.expires), (ALICE, "PHONE", 0));
    assert_eq!(reader.profile(ALICE).await.expect("read")["displayname"], json!("alice"));
}

#[tokio::test]
async fn login_may_be_inhibited_and_guests_get_no_choice() {
    let world = World::new();
    let process = world.owner("a").await;
    let answer = process.register(RegisterRequest { inhibit_login: true, ..world.registration(ALICE) }).await.expect("registered");
    assert_eq!((answer.access_token.as_str(), answer.device_id.as_str()), ("", ""));
    assert!(process.reader().devices(ALICE).await.expect("read").is_empty());

    let guest = "@guest1:example.org";
    let request = RegisterRequest { guest: true, device_id: "MINE".to_owned(), inhibit_login: true, ..world.registration(guest) };
    let answer = process.register(request).await.expect("registered");
    assert!(answer.device_id != "MINE" && process.works(&answer.access_token).await);
    let account = process.reader().account(guest).await.expect("read").expect("the account");
    assert_eq!((account.kind(), account.password_hash.as_str()), (Kind::Guest, ""));
    let token = process.reader().access_token(&crate::world::hash(&answer.access_token)).await.expect("read").expect("the token");
    assert_eq!(token.kind(), Kind::Guest);
    assert!(process.reader().profile(guest).await.expect("read").is_empty());
    assert_eq!(refusal(process.login(world.login(guest)).await).0, "M_FORBIDDEN");
}

#[tokio::test]
async fn of_a_hundred_who_want_one_name_one_gets_it() {
    let world = World::new();
    let process = world.owner("a").await;
    let outcomes = join_all((0..100).map(|_| process.register(world.registration(ALICE)))).await;
    let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    assert!(process.works(&won[0].access_token).await);
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!((error.errcode.as_deref(), error.code), (Some("M_USER_IN_USE"), ErrorCode::Conflict));
    }
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_retry_is_told_what_happened_and_gets_a_token_that_works() {
    let world = World::new();
    let process = world.owner("a").await;
    let request = world.registration(ALICE);
    let first = process.register(request.clone()).await.expect("registered");
    let second = process.register(request).await.expect("told what happened");
    assert_eq!((&second.user_id, &second.device_id), (&first.user_id, &first.device_id));
    assert!(process.works(&second.access_token).await);
    assert!(!process.works(&first.access_token).await, "a device has one token");
    assert_eq!(process.reader().devices(ALICE).await.expect("read").len(), 1);
    assert_eq!(refusal(process.register(world.registration(ALICE)).await).0, "M_USER_IN_USE");

    let inhibited = RegisterRequest { inhibit_login: true, ..world.registration("@bob:example.org") };
    process.register(inhibited.clone()).await.expect("registered");
    assert_eq!(process.register(inhibited).await.expect("told what happened").access_token, "");
}

#[tokio::test]
async fn a_hundred_tries_of_one_request_make_one_account() {
    let world = World::new();
    let process = world.owner("a").await;
    let request = world.registration(ALICE);
    let outcomes = join_all((0..100).map(|_| process.register(request.clone()))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let devices = process.reader().devices(ALICE).await.expect("read");
    assert_eq!(devices.len(), 1);
    let mut working = 0;
    for answer in outcomes.iter().flatten() {
        working += usize::from(process.works(&answer.access_token).await);
    }
    assert_eq!(working, 1);
}

#[tokio::test]
async fn a_lost_answer_of_the_store_is_found_out() {
    let world = World::new();
    let process = world.owner("a").await;
    for (name, fault) in [("a", WriteFault::UnknownApplied), ("b", WriteFault::UnknownLost)] {
        let user_id = format!("@{name}:example.org");
        world.store.control().inject(Target::Append(world.log_of(&user_id)), fault);
        let answer = process.register(world.registration(&user_id)).await.expect("registered");
        assert!(process.works(&answer.access_token).await);
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_no_half_made_decision() {
    let world = World::new();
    let process = world.owner("a").await;
    for n in 0..50 {
        let user_id = format!("@user{n}:example.org");
        let mut first = Box::pin(process.register(world.registration(&user_id)));
        // Goes away somewhere on the way: after n turns of the runtime.
        for _ in 0..n {
            if futures::poll!(&mut first).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(first);
        let outcome = process.register(world.registration(&user_id)).await;
        let account = process.reader().account(&user_id).await.expect("read").expect("an account");
        let devices = process.reader().devices(&user_id).await.expect("read");
        assert_eq!(devices.len(), 1, "one of the two made it, not both");
        match outcome {
            Ok(answer) => assert!(process.works(&answer.access_token).await),
            Err(error) => assert_eq!(error.errcode.as_deref(), Some("M_USER_IN_USE")),
        }
        assert!(!account.deactivated);
    }
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let world = World::new();
    let process = world.owner("a").await;
    for name in ["@Alice:example.org", "@a b:example.org", "@:example.org", &format!("@{}:{SERVER}", "a".repeat(250))] {
        let refused = refusal(process.register(world.registration(name)).await);
        assert_eq!(refused, ("M_INVALID_USERNAME".to_owned(), ErrorCode::InvalidArgument), "{name}");
    }
    for foreign in ["@alice:elsewhere.org", "alice", ""] {
        assert_eq!(refusal(process.register(world.registration(foreign)).await).0, "M_INVALID_PARAM", "{foreign}");
    }
    let long = "x".repeat(2000);
    let request = RegisterRequest { password: long.clone(), ..world.registration(ALICE) };
    assert_eq!(refusal(process.register(request).await).0, "M_INVALID_PARAM");
    let request = RegisterRequest { device_id: long.clone(), ..world.registration(ALICE) };
    assert_eq!(refusal(process.register(request).await).0, "M_INVALID_PARAM");
    let request = RegisterRequest { initial_device_display_name: long, ..world.registration(ALICE) };
    assert_eq!(refusal(process.register(request).await).0, "M_INVALID_PARAM");
    assert!(process.reader().account(ALICE).await.expect("read").is_none());
}

#[tokio::test]
async fn malformed_commands_and_strange_shards_are_refused() {
    let world = World::new();
    let process = world.owner("a").await;
    let mut request = world.registration(ALICE);
    request.caller = None;
    assert_eq!(refusal(process.register(request).await).1, ErrorCode::InvalidArgument);
    let mut request = world.registration(ALICE);
    request.caller.as_mut().expect("a caller").request_id = vec![1].into();
    assert_eq!(refusal(process.register(request).await).1, ErrorCode::InvalidArgument);
    let mut request = world.registration(ALICE);
    request.caller.as_mut().expect("a caller").tenant = "elsewhere.org".to_owned();
    assert_eq!(refusal(process.register(request).await).0, "M_NOT_FOUND");
    let idle = world.process("idle");
    assert_eq!(refusal(idle.register(world.registration(ALICE)).await).1, ErrorCode::NotOwner);
}

#[tokio::test]
async fn the_store_s_absence_is_told_and_the_retry_succeeds() {
    let world = World::new();
    let process = world.owner("a").await;
    let request = world.registration(ALICE);
    world.store.control().set_down(true);
    let refused = refusal(process.register(request.clone()).await);
    assert_eq!(refused.1, ErrorCode::Unavailable);
    world.store.control().set_down(false);
    assert!(process.register(request).await.is_ok());
}
