//! Push rules (specification: Client-Server API, "Push Rules").

use banyan_core::ServiceError;
use ruma::{UserId, push::Ruleset};
use serde_json::{Map, Value, json};

mod change;

pub use change::{Change, changed_content};

/// The account data type that holds a user's push rules.
pub const ACCOUNT_DATA_TYPE: &str = "m.push_rules";

/// The kinds of rules, in the order in which they are checked.
pub const KINDS: [&str; 5] = ["override", "content", "room", "sender", "underride"];

/// The content of `m.push_rules` of a user who changed nothing: the server's default rules, `{"global": {"override": [...], ...}}`.
///
/// # Errors
/// `Internal` if `user_id` is no user id.
pub fn default_content(user_id: &str) -> Result<Value, ServiceError> {
    stored_content(&defaults(user_id)?)
}

/// The content of `m.push_rules` of a user: what was stored, brought up to date with the server's default rules of today. What the user
/// set (actions, whether a rule is enabled, rules of their own) stays.
///
/// # Errors
/// `Internal` if `user_id` is no user id or the stored rules cannot be read.
pub fn merged_content(user_id: &str, stored: &[u8]) -> Result<Value, ServiceError> {
    stored_content(&ruleset(user_id, Some(stored))?)
}

/// The rules of a user as they are checked: what was stored (the content of `m.push_rules`), if anything, and today's defaults.
///
/// # Errors
/// `Internal` if `user_id` is no user id or the stored rules cannot be read.
pub fn ruleset(user_id: &str, stored: Option<&[u8]>) -> Result<Ruleset, ServiceError> {
    #[derive(serde::Deserialize)]
    struct Stored {
        global: Ruleset,
    }
    let Some(stored) = stored else { return defaults(user_id) };
    let stored: Stored = serde_json::from_slice(stored).map_err(|e| ServiceError::internal(format!("stored push rules: {e}")))?;
    let mut rules = stored.global;
    rules.update_with_server_default(defaults(user_id)?);
    Ok(rules)
}

fn defaults(user_id: &str) -> Result<Ruleset, ServiceError> {
    let user_id = <&UserId>::try_from(user_id).map_err(|e| ServiceError::internal(format!("push rules of {user_id:?}: {e}")))?;
    Ok(Ruleset::server_default(user_id))
}

fn stored_content(rules: &Ruleset) -> Result<Value, ServiceError> {
    let rules = serde_json::to_value(rules).map_err(|e| ServiceError::internal(format!("push rules: {e}")))?;
    // Clients expect every kind to be there, also where there are no rules of it.
    let mut global = Map::new();
    for kind in KINDS {
        global.insert(kind.to_owned(), rules.get(kind).cloned().unwrap_or_else(|| json!([])));
    }
    Ok(json!({ "global": global }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions of the specification v1.19, in its order; "[the user's Matrix ID]" stands for the user id.
    const SPECIFIED: &str = include_str!("push_rules_v1_19.json");

    fn specified(kind: &str) -> Value {
        let text = SPECIFIED.replace("[the user's Matrix ID]", "@alice:example.org");
        serde_json::from_str::<Value>(&text).expect("JSON")[kind].clone()
    }

    #[test]
    fn the_default_rules_are_the_specification_s_in_its_order() {
        let content = default_content("@alice:example.org").expect("rules");
        let ids = |rules: &Value| -> Vec<String> {
            rules.as_array().expect("a list").iter().map(|rule| rule["rule_id"].as_str().expect("an id").to_owned()).collect()
        };
        for kind in ["override", "underride"] {
            let (ours, theirs) = (&content["global"][kind], &specified(kind));
            assert_eq!(ids(ours), ids(theirs), "{kind}");
            for (ours, theirs) in ours.as_array().into_iter().flatten().zip(theirs.as_array().into_iter().flatten()) {
                assert_eq!(ours, theirs);
            }
        }
        for kind in ["content", "room", "sender"] {
            assert_eq!(content["global"][kind], json!([]), "{kind}");
        }
        // Removed in v1.17.
        let text = content.to_string();
        for removed in [".m.rule.contains_display_name", ".m.rule.roomnotif", ".m.rule.contains_user_name"] {
            assert!(!text.contains(removed), "{removed}");
        }
    }

    #[test]
    fn what_a_user_changed_stays_and_new_defaults_appear() {
        let stored = json!({"global": {
            "override": [
                {"rule_id": "mine", "default": false, "enabled": true, "conditions": [], "actions": ["notify"]},
                {"rule_id": ".m.rule.suppress_notices", "default": true, "enabled": false, "actions": [],
                 "conditions": [{"kind": "event_match", "key": "content.msgtype", "pattern": "m.notice"}]},
                {"rule_id": ".m.rule.long_gone", "default": true, "enabled": true, "conditions": [], "actions": []},
            ],
        }});
        let content = merged_content("@alice:example.org", stored.to_string().as_bytes()).expect("rules");
        let rules = content["global"]["override"].as_array().expect("a list");
        assert_eq!(rules[0]["rule_id"], ".m.rule.master");
        assert_eq!(rules[1]["rule_id"], "mine");
        let notices = rules.iter().find(|rule| rule["rule_id"] == ".m.rule.suppress_notices").expect("the rule");
        assert_eq!(notices["enabled"], false);
        assert!(rules.iter().any(|rule| rule["rule_id"] == ".m.rule.suppress_edits"));
        assert!(!rules.iter().any(|rule| rule["rule_id"] == ".m.rule.long_gone"));
    }
}
