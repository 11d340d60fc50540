//! Uses of registration tokens.

use banyan_core::ErrorCode;
use banyan_proto::userserver::use_registration_token_request::Step;
use futures::future::join_all;

use crate::world::{SERVER, World, refusal};

#[tokio::test]
async fn many_who_want_few_uses_get_as_many_as_there_are() {
    let world = World::new();
    let process = world.owner("a").await;
    let hold = |n: usize| process.use_token(world.token_use("three", &format!("session {n}"), Step::Hold));
    let held: Vec<bool> = join_all((0..50).map(hold)).await.into_iter().map(|outcome| outcome.expect("an answer")).collect();
    assert_eq!(held.iter().filter(|held| **held).count(), 3);
    let complete = |n: usize| process.use_token(world.token_use("three", &format!("session {n}"), Step::Complete));
    let completed = join_all((0..50).map(complete)).await;
    for (n, outcome) in completed.into_iter().enumerate() {
        assert_eq!(outcome, Ok(held[n]), "only who held a use completes it");
    }
    let row = process.reader().registration_token(SERVER, "three").await.expect("read").expect("the row");
    assert_eq!((row.completed, row.pending.len()), (3, 0));
    assert_eq!(process.use_token(world.token_use("three", "late", Step::Hold)).await, Ok(false));
}

#[tokio::test]
async fn each_step_may_be_repeated_and_a_released_use_is_free_again() {
    let world = World::new();
    let process = world.owner("a").await;
    for step in [Step::Hold, Step::Hold, Step::Complete, Step::Complete] {
        assert_eq!(process.use_token(world.token_use("three", "s", step)).await, Ok(true));
    }
    let completed = |process: &crate::world::Process| {
        let reader = process.reader().clone();
        async move { reader.registration_token(SERVER, "three").await.expect("read").map(|row| row.completed) }
    };
    assert_eq!(completed(&process).await, Some(1));
    for _ in 0..2 {
        assert_eq!(process.use_token(world.token_use("three", "s", Step::Release)).await, Ok(true));
    }
    assert_eq!(completed(&process).await, Some(0));
}

#[tokio::test]
async fn tokens_that_are_unknown_or_over_are_invalid_and_endless_ones_only_counted() {
    let world = World::new();
    let process = world.owner("a").await;
    for token in ["unknown", "", "over"] {
        assert_eq!(process.use_token(world.token_use(token, "s", Step::Hold)).await, Ok(false), "{token}");
    }
    for n in 0..20 {
        for step in [Step::Hold, Step::Complete] {
            assert_eq!(process.use_token(world.token_use("endless", &n.to_string(), step)).await, Ok(true));
        }
    }
    let row = process.reader().registration_token(SERVER, "endless").await.expect("read").expect("the row");
    assert_eq!((row.completed, row.finished.len()), (20, 0));
    assert_eq!(refusal(process.use_token(world.token_use("three", "", Step::Hold)).await).1, ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn uses_survive_a_change_of_the_owner() {
    let world = World::new();
    let first = world.owner("a").await;
    for n in 0..2 {
        assert_eq!(first.use_token(world.token_use("three", &n.to_string(), Step::Hold)).await, Ok(true));
    }
    let second = world.process("b");
    second.claim(world.log_of_token("three")).await;
    let outcomes = join_all((2..6).map(|n| second.use_token(world.token_use("three", &n.to_string(), Step::Hold)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(true)).count(), 1);
    // Who was the owner before holds nothing any more.
    let late = first.use_token(world.token_use("three", "9", Step::Complete)).await;
    assert!(late.is_err() || late == Ok(false), "{late:?}");
}
