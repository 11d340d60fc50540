//! Push rules.

use banyan_core::ServiceError;
use banyan_proto::userserver::{ChangePushRuleRequest, DeletePushRule, PutPushRule, change_push_rule_request::Change};

use crate::world::{Process, World, answer, refusal};

const ALICE: &str = "@alice:example.org";

fn request(world: &World, rule_id: &str, change: Change) -> ChangePushRuleRequest {
    let (kind, rule_id) = ("content".to_owned(), rule_id.to_owned());
    ChangePushRuleRequest { caller: world.caller(ALICE), kind, rule_id, change: Some(change) }
}

fn put(pattern: &str) -> Change {
    let rule = format!("{{\"actions\":[\"notify\"],\"pattern\":\"{pattern}\"}}");
    Change::Put(PutPushRule { rule: rule.into_bytes().into(), ..PutPushRule::default() })
}

async fn change(process: &Process, request: ChangePushRuleRequest) -> Result<(), ServiceError> {
    answer(process.client.clone().change_push_rule(request).await).map(|_| ())
}

/// Ids and patterns of the user's content rules.
async fn rules(process: &Process) -> Vec<(String, String)> {
    let rules = process.reader().push_rules(ALICE).await.expect("read");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let content = rules["global"]["content"].as_array().expect("a list");
    content.iter().map(|rule| (text(&rule["rule_id"]), text(&rule["pattern"]))).collect()
}

fn pair(id: &str, pattern: &str) -> (String, String) {
    (id.to_owned(), pattern.to_owned())
}

#[tokio::test]
async fn rules_are_kept_as_account_data_and_a_change_that_changes_nothing_costs_no_entry() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    change(&process, request(&world, "a", put("cake"))).await.expect("put");
    change(&process, request(&world, "b", put("pie"))).await.expect("put");
    assert_eq!(rules(&process).await, [pair("b", "pie"), pair("a", "cake")]);
    let data = process.reader().account_data(ALICE, None, "m.push_rules").await.expect("read").expect("the data");
    let applied = process.applied(world.log_of(ALICE));
    assert_eq!(applied.0, data.seq + 1);
    change(&process, request(&world, "b", put("pie"))).await.expect("put");
    assert_eq!(process.applied(world.log_of(ALICE)), applied);
}

#[tokio::test]
async fn a_retry_does_not_undo_what_came_after_it() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let early = request(&world, "a", put("early"));
    change(&process, early.clone()).await.expect("put");
    let delete = request(&world, "a", Change::Delete(DeletePushRule {}));
    change(&process, delete.clone()).await.expect("deleted");
    change(&process, early).await.expect("told that it happened");
    assert_eq!(rules(&process).await, []);
    change(&process, delete).await.expect("told that it happened");
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::new();
    let process = world.owner("a").await;
    process.register(world.registration(ALICE)).await.expect("registered");
    let nobody = ChangePushRuleRequest { caller: world.caller("@nobody:example.org"), ..request(&world, "a", put("x")) };
    let kind = ChangePushRuleRequest { kind: "nonsense".to_owned(), ..request(&world, "a", put("x")) };
    for (request, code) in [
        (request(&world, "a", Change::Delete(DeletePushRule {})), "M_NOT_FOUND"),
        (request(&world, ".m.rule.mine", put("x")), "M_INVALID_PARAM"),
        (kind, "M_INVALID_PARAM"),
        (nobody, "M_NOT_FOUND"),
    ] {
        assert_eq!(refusal(change(&process, request).await).0, code);
    }
    process.deactivate(&world, ALICE).await;
    assert_eq!(refusal(change(&process, request(&world, "a", put("x"))).await).0, "M_USER_DEACTIVATED");
}
