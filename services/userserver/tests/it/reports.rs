//! Reports: numbered, kept once, and of one tenant each.

use banyan_core::{RequestId, ServiceError};
use banyan_proto::userserver::{Caller, CloseReportRequest, ReportRequest};
use banyan_users::report::{BUCKET, MAX_REASON, owner_name};

use crate::world::{Process, QUIET, SERVER, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

async fn report(world: &World, process: &Process, request_id: RequestId, reason: &str) -> Result<(), ServiceError> {
    let caller = world.caller_again(ALICE, request_id);
    let (room_id, reason) = ("!r:example.org".to_owned(), reason.to_owned());
    let request = ReportRequest { caller, room_id, reason, ..ReportRequest::default() };
    answer(process.client.clone().report(request).await).map(drop)
}

async fn reasons(process: &Process, before: Option<u64>, limit: usize) -> Vec<(u64, String)> {
    let reports = process.reader().reports(SERVER, before, limit).await.expect("read");
    reports.into_iter().map(|(number, report)| (number, report.reason)).collect()
}

#[tokio::test]
async fn reports_are_numbered_and_one_that_is_repeated_is_kept_once() {
    let world = World::new();
    let process = world.owner("a").await;
    let request_id = world.request_id();
    report(&world, &process, request_id, "first").await.expect("kept");
    report(&world, &process, request_id, "first").await.expect("kept");
    report(&world, &process, world.request_id(), "").await.expect("kept");
    assert_eq!(reasons(&process, None, 10).await, [(2, String::new()), (1, "first".to_owned())]);
    let (_, newest) = process.reader().reports(SERVER, None, 1).await.expect("read").remove(0);
    assert_eq!((newest.reporter.as_str(), newest.room_id.as_str(), newest.event_id.as_str()), (ALICE, "!r:example.org", ""));
    assert!(newest.received > 0);
    let long = report(&world, &process, world.request_id(), &"x".repeat(MAX_REASON + 1)).await;
    assert_eq!(refusal(long).0, "M_INVALID_PARAM");
}

#[tokio::test]
async fn tenants_have_reports_of_their_own_and_a_new_owner_goes_on_counting() {
    let world = World::new();
    let first = world.owner("a").await;
    report(&world, &first, world.request_id(), "one").await.expect("kept");
    first.kill();
    let second = world.owner("b").await;
    report(&world, &second, world.request_id(), "two").await.expect("kept");
    assert_eq!(second.reader().newest_report(SERVER).await.expect("read"), 2);
    let caller = world.caller("@quiet:quiet.org").map(|caller| Caller { tenant: QUIET.to_owned(), ..caller });
    let request = ReportRequest { caller, user_id: "@x:far".to_owned(), ..ReportRequest::default() };
    second.client.clone().report(request).await.expect("kept");
    let quiet = second.reader().reports(QUIET, None, 10).await.expect("read");
    assert_eq!(quiet.iter().map(|(number, report)| (*number, report.user_id.as_str())).collect::<Vec<_>>(), [(1, "@x:far")]);
    assert_ne!(owner_name(SERVER), owner_name(QUIET));
}

#[tokio::test]
async fn pages_go_over_partitions() {
    let world = World::new();
    let process = world.owner("a").await;
    for _ in 0..BUCKET + 2 {
        report(&world, &process, world.request_id(), "x").await.expect("kept");
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = reasons(&process, before, 400).await;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        seen.extend(page.into_iter().map(|(number, _)| number));
    }
    assert_eq!(seen, (1..=BUCKET + 2).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_report_is_closed_once_and_the_numbers_go_on() {
    let world = World::new();
    let process = world.owner("a").await;
    for reason in ["one", "two"] {
        report(&world, &process, world.request_id(), reason).await.expect("kept");
    }
    let close = async |user_id: &str, number: u64| {
        let request = CloseReportRequest { caller: world.caller(user_id), number };
        answer(process.client.clone().close_report(request).await).map(drop)
    };
    let root = format!("@root:{SERVER}");
    close(&root, 1).await.expect("closed");
    close(ALICE, 1).await.expect("closed already");
    assert_eq!(refusal(close(&root, 3).await).0, "M_NOT_FOUND");
    let first = process.reader().report(SERVER, 1).await.expect("read").expect("a report");
    assert_eq!((first.reason.as_str(), first.closed_by.as_str()), ("one", root.as_str()));
    assert!(first.closed >= first.received);
    assert_eq!(process.reader().report(SERVER, 2).await.expect("read").expect("a report").closed, 0);
    report(&world, &process, world.request_id(), "three").await.expect("kept");
    assert_eq!(process.reader().newest_report(SERVER).await.expect("read"), 3);
}
