//! Changing push rules.

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::userserver::{ChangePushRuleRequest, change_push_rule_request::Change};
use http::Method;
use serde_json::json;

use crate::{
    fakes::Call,
    world::{ALICE, ALICE_TOKEN, GUEST_TOKEN, World, answer, assert_error},
};

const RULES: &str = "/_matrix/client/v3/pushrules/global";

fn asked(world: &World) -> ChangePushRuleRequest {
    let Call::ChangePushRule(request) = world.fakes.only() else { panic!("not a change of a push rule") };
    assert_eq!(request.caller.as_ref().unwrap().user_id, ALICE);
    request
}

#[tokio::test]
async fn every_change_reaches_the_owner() {
    let world = World::new().await;
    let path = format!("{RULES}/content/no%20cake");
    let rule = json!({"actions": ["notify"], "pattern": "cake*lie"});
    assert_eq!(world.put(&format!("{path}?before=a%20b&after=c"), rule.clone()).await, (http::StatusCode::OK, json!({})));
    let request = asked(&world);
    assert_eq!((request.kind.as_str(), request.rule_id.as_str()), ("content", "no cake"));
    let Some(Change::Put(put)) = request.change else { panic!("not put") };
    assert_eq!((put.before.as_str(), put.after.as_str()), ("a b", "c"));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&put.rule).unwrap(), rule);
    assert_eq!(world.put(&format!("{path}/actions"), json!({"actions": ["notify"]})).await.1, json!({}));
    assert_eq!(asked(&world).change, Some(Change::Actions(b"[\"notify\"]".to_vec().into())));
    assert_eq!(world.put(&format!("{path}/enabled"), json!({"enabled": false})).await.1, json!({}));
    assert_eq!(asked(&world).change, Some(Change::Enabled(false)));
    assert_eq!(answer(world.request(Method::DELETE, &path, Some(ALICE_TOKEN))).await.1, json!({}));
    assert!(matches!(asked(&world).change, Some(Change::Delete(_))));
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let world = World::new().await;
    let path = format!("{RULES}/content/cake");
    assert_error(&world.put(&format!("{path}/actions"), json!({})).await, 400, "M_MISSING_PARAM");
    assert_error(&world.put(&format!("{path}/enabled"), json!({})).await, 400, "M_MISSING_PARAM");
    assert_error(&world.put(&format!("{path}/enabled"), json!({"enabled": "yes"})).await, 400, "M_BAD_JSON");
    let guest = world.request(Method::PUT, &path, Some(GUEST_TOKEN)).body("{\"actions\":[],\"pattern\":\"a\"}");
    assert_error(&answer(guest).await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert!(world.fakes.take().is_empty());
    world.fakes.fail("ChangePushRule", ServiceError::not_found("no such rule"));
    assert_error(&world.put(&format!("{path}/actions"), json!({"actions": []})).await, 404, "M_NOT_FOUND");
    assert_error(&world.put(&format!("{path}/enabled"), json!({"enabled": true})).await, 404, "M_NOT_FOUND");
    assert_error(&answer(world.request(Method::DELETE, &path, Some(ALICE_TOKEN))).await, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn a_rule_relative_to_one_that_is_not_there_is_a_400() {
    let world = World::new().await;
    world.fakes.fail("ChangePushRule", ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", "before/after not found"));
    let path = format!("{RULES}/content/cake?before=none");
    assert_error(&world.put(&path, json!({"actions": [], "pattern": "a"})).await, 400, "M_UNKNOWN");
}
