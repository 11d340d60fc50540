//! Changes of a user's push rules (specification: Client-Server API, "Push Rules: API").

use banyan_core::{ErrorCode, ServiceError};
use ruma::{
    OwnedRoomId, OwnedUserId,
    push::{
        Action, InsertPushRuleError, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule, PushCondition,
        RemovePushRuleError, RuleKind, Ruleset,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{KINDS, ruleset, stored_content};

/// The longest pattern, in bytes: patterns become regular expressions, whose size is bounded.
const MAX_PATTERN: usize = 512;

/// The largest content of `m.push_rules`, in bytes: it is one log entry.
const MAX_CONTENT: usize = 64 * 1024;

/// What a client wants to do with one rule.
#[derive(Clone, Debug)]
pub enum Change {
    /// Adds the rule or changes it. The rules named by `before` and `after` (next most and next less important) are the user's own.
    Put {
        /// JSON object: `actions`, and `conditions` or `pattern` as the kind has them.
        rule: Value,
        /// The new rule becomes the next most important one relative to this.
        before: Option<String>,
        /// The new rule becomes the next less important one relative to this.
        after: Option<String>,
    },
    /// Removes a rule of the user's own.
    Delete,
    /// Sets the actions: a JSON list.
    Actions(Value),
    /// Turns the rule on or off.
    Enabled(bool),
}

/// The content of `m.push_rules` after a change; `stored` is the content before, if the user ever changed something.
///
/// # Errors
/// `M_NOT_FOUND` for a rule that is not there; `M_INVALID_PARAM` for a kind that does not exist, an id that is reserved or has characters
/// that are not allowed, and for what concerns rules of the server; `M_UNKNOWN` where `before` or `after` is not there; `M_MISSING_PARAM` and
/// `M_BAD_JSON` for a rule without what its kind needs, or of another shape; `M_TOO_LARGE` for too many rules.
pub fn changed_content(
    user_id: &str,
    stored: Option<&[u8]>,
    kind: &str,
    rule_id: &str,
    change: Change,
) -> Result<Vec<u8>, ServiceError> {
    let kind = rule_kind(kind)?;
    let mut rules = ruleset(user_id, stored)?;
    match change {
        Change::Put { rule, before, after } => {
            put(&mut rules, new_rule(&kind, rule_id, rule)?, after.as_deref(), before.as_deref())?;
        }
        Change::Delete => rules.remove(kind, rule_id).map_err(removal)?,
        Change::Actions(actions) => rules.set_actions(kind, rule_id, shaped(actions)?).map_err(|_| not_found())?,
        Change::Enabled(enabled) => rules.set_enabled(kind, rule_id, enabled).map_err(|_| not_found())?,
    }
    let content = stored_content(&rules)?.to_string().into_bytes();
    if content.len() > MAX_CONTENT {
        return Err(ServiceError::too_large("These are too many push rules"));
    }
    Ok(content)
}

fn rule_kind(kind: &str) -> Result<RuleKind, ServiceError> {
    if KINDS.contains(&kind) {
        return Ok(RuleKind::from(kind));
    }
    Err(ServiceError::invalid_param("There is no such kind of push rule"))
}

fn put(rules: &mut Ruleset, rule: NewPushRule, after: Option<&str>, before: Option<&str>) -> Result<(), ServiceError> {
    let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
    if [after, before].contains(&Some(rule_id.as_str())) {
        return Err(insertion(InsertPushRuleError::UnknownRuleId));
    }
    let enabled = rules.get(kind.clone(), &rule_id).map(|old| old.enabled());
    if enabled.is_some() && (after.is_some() || before.is_some()) {
        // A rule that moves is taken out first: places are counted without it.
        rules.remove(kind.clone(), &rule_id).map_err(removal)?;
    }
    rules.insert(rule, after, before).map_err(insertion)?;
    if let Some(enabled) = enabled {
        rules.set_enabled(kind, &rule_id, enabled).map_err(|_| not_found())?;
    }
    Ok(())
}

fn new_rule(kind: &RuleKind, rule_id: &str, rule: Value) -> Result<NewPushRule, ServiceError> {
    #[derive(Deserialize)]
    struct Rule {
        actions: Option<Vec<Action>>,
        conditions: Option<Vec<PushCondition>>,
        pattern: Option<String>,
    }
    let Rule { actions, conditions, pattern } = shaped(rule)?;
    let actions = actions.ok_or_else(|| missing("actions"))?;
    let id = rule_id.to_owned();
    Ok(match kind {
        RuleKind::Override => NewPushRule::Override(conditional(id, conditions, actions)?),
        RuleKind::Underride => NewPushRule::Underride(conditional(id, conditions, actions)?),
        RuleKind::Content => {
            let pattern = pattern.ok_or_else(|| missing("pattern"))?;
            check_pattern(&pattern)?;
            NewPushRule::Content(NewPatternedPushRule::new(id, pattern, actions))
        }
        RuleKind::Room => {
            let id = OwnedRoomId::try_from(id).map_err(|_| ServiceError::invalid_param("The id of a room rule is a room id"))?;
            NewPushRule::Room(NewSimplePushRule::new(id, actions))
        }
        _ => {
            let id = OwnedUserId::try_from(id).map_err(|_| ServiceError::invalid_param("The id of a sender rule is a user id"))?;
            NewPushRule::Sender(NewSimplePushRule::new(id, actions))
        }
    })
}

fn conditional(
    id: String,
    conditions: Option<Vec<PushCondition>>,
    actions: Vec<Action>,
) -> Result<NewConditionalPushRule, ServiceError> {
    let conditions = conditions.unwrap_or_default();
    for condition in &conditions {
        if let PushCondition::EventMatch(condition) = condition {
            check_pattern(&condition.pattern)?;
        }
    }
    Ok(NewConditionalPushRule::new(id, conditions, actions))
}

fn check_pattern(pattern: &str) -> Result<(), ServiceError> {
    if pattern.len() > MAX_PATTERN {
        return Err(ServiceError::invalid_param(format!("A pattern has at most {MAX_PATTERN} bytes")));
    }
    Ok(())
}

fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, ServiceError> {
    serde_json::from_value(value).map_err(|error| ServiceError::bad_json(error.to_string()))
}

fn missing(what: &str) -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_MISSING_PARAM", format!("{what} is missing"))
}

fn not_found() -> ServiceError {
    ServiceError::not_found("The push rule was not found")
}

fn removal(error: RemovePushRuleError) -> ServiceError {
    match error {
        RemovePushRuleError::NotFound => not_found(),
        error => ServiceError::invalid_param(error.to_string()),
    }
}

fn insertion(error: InsertPushRuleError) -> ServiceError {
    match error {
        error @ InsertPushRuleError::UnknownRuleId => {
            ServiceError::matrix(ErrorCode::InvalidArgument, "M_UNKNOWN", error.to_string())
        }
        error => ServiceError::invalid_param(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALICE: &str = "@alice:example.org";

    /// Does changes one after the other.
    fn all(changes: Vec<(&str, &str, Change)>) -> Result<Value, ServiceError> {
        let mut content = None;
        for (kind, id, change) in changes {
            content = Some(changed_content(ALICE, content.as_deref(), kind, id, change)?);
        }
        Ok(serde_json::from_slice(&content.unwrap_or_default()).expect("JSON"))
    }

    fn at(rule: Value, before: Option<&str>, after: Option<&str>) -> Change {
        Change::Put { rule, before: before.map(str::to_owned), after: after.map(str::to_owned) }
    }

    fn simple(before: Option<&str>, after: Option<&str>) -> Change {
        at(json!({"actions": ["notify"], "pattern": "cake", "conditions": []}), before, after)
    }

    fn ids(content: &Value, kind: &str) -> Vec<String> {
        let rules = content["global"][kind].as_array().cloned().unwrap_or_default();
        let own = rules.iter().filter(|rule| rule["default"] == false);
        own.map(|rule| rule["rule_id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn errcode(kind: &str, id: &str, change: Change) -> String {
        let error = all(vec![("content", "there", simple(None, None)), (kind, id, change)]).expect_err("a refusal");
        error.errcode.expect("a Matrix code").into_owned()
    }

    #[test]
    fn new_rules_come_first_and_changed_ones_stay_where_they_are() {
        let content = all(vec![
            ("content", "a", simple(None, None)),
            ("content", "b", simple(None, None)),
            ("content", "a", Change::Enabled(false)),
            ("content", "a", at(json!({"actions": [], "pattern": "pie"}), None, None)),
        ]);
        let content = content.expect("rules");
        assert_eq!(ids(&content, "content"), ["b", "a"]);
        let changed = &content["global"]["content"][1];
        assert_eq!(*changed, json!({"rule_id": "a", "default": false, "enabled": false, "actions": [], "pattern": "pie"}));
    }

    #[test]
    fn rules_are_placed_before_and_after_others() {
        let abc = ["c", "b", "a"].map(|id| ("content", id, simple(None, None)));
        for (id, before, after, expected) in [
            ("d", Some("b"), None, "adbc"),
            ("d", None, Some("b"), "abdc"),
            ("d", None, Some("c"), "abcd"),
            ("d", Some("c"), Some("a"), "abdc"),
            ("a", None, Some("c"), "bca"),
            ("a", None, Some("b"), "bac"),
            ("c", Some("a"), None, "cab"),
            ("a", Some("c"), None, "bac"),
        ] {
            let changes = abc.clone().into_iter().chain([("content", id, simple(before, after))]).collect();
            let found = ids(&all(changes).expect("rules"), "content").concat();
            assert_eq!(found, expected, "{id} before {before:?} after {after:?}");
        }
    }

    #[test]
    fn override_rules_of_users_come_behind_the_master_rule_only() {
        let content =
            all(vec![("override", "mine", simple(None, None)), ("underride", "mine", simple(None, None))]).expect("rules");
        assert_eq!(content["global"]["override"][0]["rule_id"], ".m.rule.master");
        assert_eq!(content["global"]["override"][1]["rule_id"], "mine");
        assert_eq!(content["global"]["underride"][0]["rule_id"], "mine");
    }

    #[test]
    fn rules_of_the_server_can_be_changed_and_not_removed() {
        let content = all(vec![
            ("underride", ".m.rule.message", Change::Actions(json!(["notify", {"set_tweak": "highlight"}]))),
            ("override", ".m.rule.master", Change::Enabled(true)),
        ]);
        let content = content.expect("rules");
        assert_eq!(content["global"]["override"][0]["enabled"], true);
        let rules = content["global"]["underride"].as_array().expect("a list");
        let message = rules.iter().find(|rule| rule["rule_id"] == ".m.rule.message").expect("the rule");
        assert_eq!(message["actions"][1]["set_tweak"], "highlight");
        assert_eq!(errcode("override", ".m.rule.master", Change::Delete), "M_INVALID_PARAM");
    }

    #[test]
    fn what_is_removed_is_gone() {
        let content = all(vec![("room", "!r:example.org", simple(None, None)), ("room", "!r:example.org", Change::Delete)]);
        assert_eq!(content.expect("rules")["global"]["room"], json!([]));
    }

    #[test]
    fn every_refusal_has_its_code() {
        let long = "?".repeat(MAX_PATTERN + 1);
        let condition = json!([{"kind": "event_match", "key": "content.body", "pattern": long}]);
        for (kind, id, change, code) in [
            ("nonsense", "a", simple(None, None), "M_INVALID_PARAM"),
            ("content", ".a", simple(None, None), "M_INVALID_PARAM"),
            ("content", "a/b", simple(None, None), "M_INVALID_PARAM"),
            ("content", "a\\b", simple(None, None), "M_INVALID_PARAM"),
            ("room", "a", simple(None, None), "M_INVALID_PARAM"),
            ("sender", "a", simple(None, None), "M_INVALID_PARAM"),
            ("content", "a", simple(Some("none"), None), "M_UNKNOWN"),
            ("content", "a", simple(None, Some("none")), "M_UNKNOWN"),
            ("content", "there", simple(None, Some("there")), "M_UNKNOWN"),
            ("override", "a", simple(None, Some(".m.rule.master")), "M_INVALID_PARAM"),
            ("content", "a", at(json!({"pattern": "a"}), None, None), "M_MISSING_PARAM"),
            ("content", "a", at(json!({"actions": []}), None, None), "M_MISSING_PARAM"),
            ("content", "a", at(json!({"actions": "notify", "pattern": "a"}), None, None), "M_BAD_JSON"),
            ("content", "a", at(json!({"actions": [], "pattern": long}), None, None), "M_INVALID_PARAM"),
            ("override", "a", at(json!({"actions": [], "conditions": condition}), None, None), "M_INVALID_PARAM"),
            ("override", "a", at(json!({"actions": [], "conditions": {}}), None, None), "M_BAD_JSON"),
            ("content", "none", Change::Delete, "M_NOT_FOUND"),
            ("content", "none", Change::Enabled(true), "M_NOT_FOUND"),
            ("content", "none", Change::Actions(json!([])), "M_NOT_FOUND"),
            ("content", "there", Change::Actions(json!([1])), "M_BAD_JSON"),
            ("content", &"a".repeat(MAX_CONTENT), simple(None, None), "M_TOO_LARGE"),
        ] {
            assert_eq!(errcode(kind, id, change.clone()), code, "{kind} {change:?}");
        }
    }
}
