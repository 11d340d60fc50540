//! Third-party identifiers belong to one account each.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{ClaimThreepidRequest, ReleaseThreepidRequest};
use banyan_users::threepid;
use futures::future::join_all;

use crate::world::{Process, SERVER, World, answer, refusal};

const MAIL: &str = "a@b.c";

fn wish(world: &World, user_id: &str, session: &str) -> ClaimThreepidRequest {
    ClaimThreepidRequest {
        caller: world.caller(user_id),
        medium: threepid::EMAIL.to_owned(),
        address: MAIL.to_owned(),
        validated: 7,
        session: session.to_owned(),
    }
}

async fn claim(process: &Process, request: ClaimThreepidRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().claim_threepid(request).await).map(|_| ())
}

async fn release(process: &Process, world: &World, user_id: &str) -> Result<(), ServiceError> {
    let request =
        ReleaseThreepidRequest { caller: world.caller(user_id), medium: threepid::EMAIL.to_owned(), address: MAIL.to_owned() };
    answer(process.client.clone().release_threepid(request).await).map(|_| ())
}

async fn addresses(process: &Process, user_id: &str) -> Vec<String> {
    process.reader().user_threepids(user_id).await.expect("read").into_iter().map(|threepid| threepid.address).collect()
}

async fn owner(process: &Process) -> Option<String> {
    process.reader().threepid_owner(SERVER, threepid::EMAIL, MAIL).await.expect("read")
}

async fn registered(process: &Process, world: &World, names: &[&str]) {
    for name in names {
        process.register(world.registration(name)).await.expect("registered");
    }
}

#[tokio::test]
async fn of_many_who_want_an_address_one_gets_it_until_it_is_given_up() {
    let world = World::new();
    let process = world.owner("a").await;
    let users: Vec<String> = (0..8).map(|n| format!("@u{n}:{SERVER}")).collect();
    for user_id in &users {
        registered(&process, &world, &[user_id]).await;
    }
    let outcomes = join_all(users.iter().map(|user_id| claim(&process, wish(&world, user_id, "")))).await;
    let winners: Vec<_> = users.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(user_id, _)| user_id).collect();
    let [winner] = winners[..] else { panic!("{outcomes:?}") };
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(outcome), ("M_THREEPID_IN_USE".to_owned(), ErrorCode::InvalidArgument));
    }
    assert_eq!((owner(&process).await.as_ref(), addresses(&process, winner).await), (Some(winner), vec![MAIL.to_owned()]));
    assert_eq!(claim(&process, wish(&world, winner, "")).await, Ok(()), "again changes nothing");

    let other = users.iter().find(|user_id| *user_id != winner).expect("another");
    release(&process, &world, other).await.expect("no error");
    assert_eq!(owner(&process).await.as_ref(), Some(winner), "only one's own is taken");
    release(&process, &world, winner).await.expect("released");
    assert_eq!((owner(&process).await, addresses(&process, winner).await.len()), (None, 0));
    assert_eq!(claim(&process, wish(&world, other, "")).await, Ok(()));
    assert_eq!(addresses(&process, other).await, [MAIL]);
}

#[tokio::test]
async fn a_registration_holds_an_address_and_then_has_it() {
    let world = World::new();
    let process = world.owner("a").await;
    let (alice, bob) = (format!("@alice:{SERVER}"), format!("@bob:{SERVER}"));
    assert_eq!(claim(&process, wish(&world, "", "one")).await, Ok(()));
    assert_eq!(owner(&process).await, None);
    registered(&process, &world, &[&alice, &bob]).await;
    assert_eq!(refusal(claim(&process, wish(&world, "", "two")).await).0, "M_THREEPID_IN_USE");
    assert_eq!(refusal(claim(&process, wish(&world, &bob, "")).await).0, "M_THREEPID_IN_USE");
    // A new owner knows of it too.
    let second = world.owner("b").await;
    assert_eq!(refusal(claim(&second, wish(&world, &bob, "two")).await).0, "M_THREEPID_IN_USE");
    assert_eq!(claim(&second, wish(&world, &alice, "one")).await, Ok(()));
    assert_eq!(owner(&second).await, Some(alice));
}

#[tokio::test]
async fn what_a_deactivated_account_had_is_free() {
    let world = World::new();
    let process = world.owner("a").await;
    let (alice, bob) = (format!("@alice:{SERVER}"), format!("@bob:{SERVER}"));
    registered(&process, &world, &[&alice, &bob]).await;
    claim(&process, wish(&world, &alice, "")).await.expect("hers");
    process.deactivate(&world, &alice).await;
    assert_eq!(owner(&process).await, None);
    assert_eq!(refusal(claim(&process, wish(&world, &alice, "")).await).0, "M_USER_DEACTIVATED");
    claim(&process, wish(&world, &bob, "")).await.expect("free");
    assert_eq!((owner(&process).await, addresses(&process, &alice).await.len()), (Some(bob), 0));
}

#[tokio::test]
async fn who_is_nobody_and_what_is_no_address_are_refused() {
    let world = World::new();
    let process = world.owner("a").await;
    assert_eq!(refusal(claim(&process, wish(&world, &format!("@nobody:{SERVER}"), "")).await).1, ErrorCode::NotFound);
    for request in [
        wish(&world, "", ""),
        ClaimThreepidRequest { address: "A@B.c".to_owned(), ..wish(&world, "", "s") },
        ClaimThreepidRequest { medium: "msisdn".to_owned(), ..wish(&world, "", "s") },
    ] {
        assert_eq!(refusal(claim(&process, request).await).1, ErrorCode::InvalidArgument);
    }
}
