//! Reports of rooms, events and users, and who reads them.

use banyan_proto::users::{Account, Report, ReportMade, account, user_entry::Kind};
use banyan_users::report::{MAX_REASON, owner_name};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    room::{ROOM, Room},
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, assert_error},
};

const V3: &str = "/_matrix/client/v3";
const REPORTS: &str = "/_banyan/admin/v1/reports";

fn done() -> (StatusCode, Value) {
    (StatusCode::OK, json!({}))
}

#[tokio::test]
async fn rooms_and_users_are_reported_whether_or_not_they_are_known() {
    let world = World::new().await;
    Room::new(&world, &["@bob:one.test"]).await;
    for (path, room, user) in [
        (format!("rooms/{ROOM}/report"), ROOM, ""),
        ("rooms/!none:far.test/report".to_owned(), "!none:far.test", ""),
        (format!("users/{ALICE}/report"), "", ALICE),
        ("users/@none:one.test/report".to_owned(), "", "@none:one.test"),
    ] {
        let path = format!("{V3}/{path}");
        assert_eq!(world.post(&path, json!({"reason": "sad"})).await, done());
        let Call::Report(request) = world.fakes.only() else { panic!("no report") };
        assert_eq!((request.room_id.as_str(), request.user_id.as_str(), request.event_id.as_str()), (room, user, ""));
        let caller = request.caller.unwrap();
        assert_eq!((caller.user_id.as_str(), caller.tenant.as_str(), request.reason.as_str()), (ALICE, "one.test", "sad"));
        assert_error(&world.post(&path, json!({})).await, 400, "M_BAD_JSON");
        assert_error(&world.post(&path, json!({"reason": 5})).await, 400, "M_BAD_JSON");
        assert_error(&world.post(&path, json!({"reason": "x".repeat(MAX_REASON + 1)})).await, 400, "M_INVALID_PARAM");
        let guest = world.post_as(Some(GUEST_TOKEN), &path, json!({"reason": ""})).await;
        assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
    }
    assert_error(&world.post(&format!("{V3}/users/nobody/report"), json!({"reason": ""})).await, 400, "M_INVALID_PARAM");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn an_event_is_reported_by_who_is_joined_and_by_nobody_else() {
    let world = World::new().await;
    let mut room = Room::new(&world, &["@bob:one.test", ALICE]).await;
    let event = room.add(&world, "m.room.message", None, "@bob:one.test", json!({"body": "x"})).await;
    let path = format!("{V3}/rooms/{ROOM}/report/{event}");
    assert_eq!(world.post(&path, json!({"reason": "sad", "score": -100})).await, done());
    let Call::Report(request) = world.fakes.only() else { panic!("no report") };
    assert_eq!((request.room_id.as_str(), request.event_id.as_str(), request.reason.as_str()), (ROOM, event.as_str(), "sad"));
    assert_eq!(world.post(&path, json!({})).await, done());
    world.fakes.take();
    let long = world.post(&path, json!({"reason": "x".repeat(MAX_REASON + 1)})).await;
    assert_error(&long, 400, "M_INVALID_PARAM");
    assert_error(&world.post(&path, json!({"reason": []})).await, 400, "M_BAD_JSON");
    assert_error(&world.post(&format!("{V3}/rooms/{ROOM}/report/$none"), json!({})).await, 404, "M_NOT_FOUND");
    assert_error(&world.post(&format!("{V3}/rooms/!none:one.test/report/{event}"), json!({})).await, 404, "M_NOT_FOUND");
    world.add_user("@carol:one.test", "carol-token", account::Kind::User).await;
    assert_error(&world.post_as(Some("carol-token"), &path, json!({})).await, 404, "M_NOT_FOUND");
    room.add(&world, "m.room.member", Some(ALICE), ALICE, json!({"membership": "leave"})).await;
    assert_error(&world.post(&path, json!({})).await, 404, "M_NOT_FOUND");
    assert!(world.fakes.take().is_empty());
}

#[tokio::test]
async fn administrators_read_reports_to_their_server_and_nobody_else_does() {
    let world = World::new().await;
    world.add_user("@admin:one.test", "admin", account::Kind::User).await;
    world.user_entry("@admin:one.test", Kind::Account(Account { admin: true, ..Account::default() })).await;
    for (tenant, number) in [("one.test", 1), ("one.test", 2), ("one.test", 3), ("two.test", 1)] {
        let report = Report {
            received: 5_000_000,
            reporter: ALICE.to_owned(),
            room_id: format!("!{number}"),
            reason: tenant.to_owned(),
            ..Report::default()
        };
        let made = ReportMade { tenant: tenant.to_owned(), number, report: Some(report) };
        world.name_entry(&owner_name(tenant), Kind::ReportMade(made)).await;
    }
    let shown = |number: u64| json!({"number": number, "received_ts": 5000, "reporter": ALICE, "room_id": format!("!{number}"), "reason": "one.test"});
    let read = async |query: &str| {
        let request = world.request(http::Method::GET, &format!("{REPORTS}{query}"), Some("admin"));
        crate::world::answer(request).await
    };
    assert_eq!(read("").await, (StatusCode::OK, json!({"reports": [shown(3), shown(2), shown(1)]})));
    assert_eq!(read("?limit=2").await.1, json!({"reports": [shown(3), shown(2)], "next": 2}));
    assert_eq!(read("?limit=2&before=2").await.1, json!({"reports": [shown(1)]}));
    assert_eq!(read("?before=1").await.1, json!({"reports": []}));
    assert_error(&read("?limit=x").await, 400, "M_INVALID_PARAM");
    for (token, errcode) in [(ALICE_TOKEN, "M_FORBIDDEN"), (GUEST_TOKEN, "M_GUEST_ACCESS_FORBIDDEN")] {
        let request = world.request(http::Method::GET, REPORTS, Some(token));
        assert_error(&crate::world::answer(request).await, 403, errcode);
    }
}

#[tokio::test]
async fn administrators_close_reports_and_nobody_else_does() {
    let world = World::new().await;
    world.add_user("@admin:one.test", "admin", account::Kind::User).await;
    world.user_entry("@admin:one.test", Kind::Account(Account { admin: true, ..Account::default() })).await;
    let close = async |token: &str, number: &str| {
        let path = format!("{REPORTS}/{number}/close");
        crate::world::answer(world.request(http::Method::POST, &path, Some(token))).await
    };
    assert_eq!(close("admin", "7").await, done());
    let Call::CloseReport(request) = world.fakes.only() else { panic!("something else") };
    assert_eq!((request.number, request.caller.unwrap().user_id.as_str()), (7, "@admin:one.test"));
    assert_error(&close("admin", "x").await, 400, "M_INVALID_PARAM");
    assert_error(&close(ALICE_TOKEN, "7").await, 403, "M_FORBIDDEN");
    assert_error(&close(GUEST_TOKEN, "7").await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    let report = Report { received: 5_000_000, closed: 7_000_000, closed_by: "@admin:one.test".to_owned(), ..Report::default() };
    let closed = ReportMade { tenant: "one.test".to_owned(), number: 1, report: Some(report) };
    world.name_entry(&owner_name("one.test"), Kind::ReportMade(closed)).await;
    let read = crate::world::answer(world.request(http::Method::GET, REPORTS, Some("admin"))).await.1;
    assert_eq!((&read["reports"][0]["closed_ts"], &read["reports"][0]["closed_by"]), (&json!(7000), &json!("@admin:one.test")));
}
