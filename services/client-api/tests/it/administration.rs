//! What administrators do by the forms that Synapse's tools speak.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{Account, account, user_entry::Kind};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST, GUEST_TOKEN, World, answer, assert_error},
};

const ADMIN: &str = "@admin:one.test";

/// A world with an administrator, whose token is `admin`.
async fn administrated() -> World {
    let world = World::new().await;
    world.add_user(ADMIN, "admin", account::Kind::User).await;
    world.user_entry(ADMIN, Kind::Account(Account { admin: true, ..Account::default() })).await;
    world
}

async fn reset(world: &World, token: &str, user_id: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/_synapse/admin/v1/reset_password/{user_id}");
    answer(world.request(Method::POST, &path, Some(token)).body(body.to_string())).await
}

#[tokio::test]
async fn an_administrator_sets_a_password() {
    let world = administrated().await;
    for (user_id, body, logout_devices, kept) in [
        (ALICE, json!({"new_password": "new"}), true, ""),
        (ALICE, json!({"new_password": "new", "logout_devices": false}), false, ""),
        (ADMIN, json!({"new_password": "new"}), true, "DEV"),
    ] {
        assert_eq!(reset(&world, "admin", user_id, body).await, (StatusCode::OK, json!({})));
        let Call::ChangePassword(request) = world.fakes.only() else { panic!("not a new password") };
        let caller = request.caller.unwrap();
        assert_eq!((caller.user_id.as_str(), caller.device_id.as_str()), (user_id, kept));
        assert_eq!((request.new_password.as_str(), request.logout_devices), ("new", logout_devices));
    }
}

#[tokio::test]
async fn nobody_else_sets_it_and_not_of_everyone() {
    let world = administrated().await;
    world.user_entry("@gone:one.test", Kind::Account(Account { deactivated: true, ..Account::default() })).await;
    let wish = || json!({"new_password": "new"});
    for (token, user_id, status, errcode) in [
        (ALICE_TOKEN, ALICE, 403, "M_FORBIDDEN"),
        (ALICE_TOKEN, "@nobody:one.test", 403, "M_FORBIDDEN"),
        (GUEST_TOKEN, ALICE, 403, "M_GUEST_ACCESS_FORBIDDEN"),
        ("admin", "@alice:two.test", 400, "M_INVALID_PARAM"),
        ("admin", "nonsense", 400, "M_INVALID_PARAM"),
        ("admin", GUEST, 400, "M_INVALID_PARAM"),
        ("admin", "@nobody:one.test", 404, "M_NOT_FOUND"),
        ("admin", "@gone:one.test", 404, "M_NOT_FOUND"),
    ] {
        assert_error(&reset(&world, token, user_id, wish()).await, status, errcode);
    }
    assert_error(&reset(&world, "admin", ALICE, json!({})).await, 400, "M_BAD_JSON");
    assert!(world.fakes.take().is_empty());
    let weak = ServiceError::matrix(ErrorCode::InvalidArgument, "M_WEAK_PASSWORD", "The password is empty");
    world.fakes.fail("ChangePassword", weak);
    assert_error(&reset(&world, "admin", ALICE, wish()).await, 400, "M_WEAK_PASSWORD");
}
