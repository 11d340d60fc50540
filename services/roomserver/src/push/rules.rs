//! Push rules, ready to be checked.

use std::{collections::HashSet, sync::Arc};

use banyan_core::ServiceError;
use banyan_users::{Notifying, push_rules};
use ruma::{
    UserId,
    push::{Action, FlattenedJson, PushCondition, PushConditionRoomCtx, Ruleset},
    user_id,
};
use serde::Deserialize;

/// What a rule does about an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whether the user is notified.
    pub(super) notify: bool,
    /// Whether that is highlighted.
    pub(super) highlight: bool,
    /// The actions, a JSON list; empty if the user is not notified.
    pub(super) actions: Arc<str>,
}

impl Outcome {
    fn of(actions: &[Action]) -> Self {
        if !actions.iter().any(Action::should_notify) {
            return Self::default();
        }
        let highlight = actions.iter().any(Action::is_highlight);
        Self { notify: true, highlight, actions: serde_json::to_string(actions).unwrap_or_default().into() }
    }
}

/// The first rule that applies decides.
pub(super) async fn check(rules: &Ruleset, event: &FlattenedJson, context: &PushConditionRoomCtx) -> Outcome {
    for rule in rules {
        if rule.applies(event, context).await {
            return Outcome::of(rule.actions());
        }
    }
    Outcome::default()
}

/// What a user has who does not have the default rules alone.
#[derive(Debug)]
pub(super) struct OwnRules {
    pub(super) rules: Ruleset,
    pub(super) ignored: HashSet<String>,
    /// Whether a rule asks for the user's name in the room.
    pub(super) by_name: bool,
}

impl OwnRules {
    /// From what is stored; `None` if the user has the default rules and ignores nobody.
    pub(super) fn new(user_id: &str, stored: &Notifying) -> Option<Self> {
        let ignored = ignored(stored.ignored_users.as_deref());
        let rules = own(user_id, stored.push_rules.as_deref());
        let rules = rules.inspect_err(|error| tracing::error!(user_id, %error, "push rules that cannot be read count as none"));
        let rules = rules.unwrap_or_default();
        if ignored.is_empty() && rules.is_none() {
            return None;
        }
        let rules = match rules {
            Some(rules) => rules,
            None => push_rules::ruleset(user_id, None).ok()?,
        };
        let conditions = rules.override_.iter().chain(&rules.underride).flat_map(|rule| &rule.conditions);
        let by_name = conditions.into_iter().any(asks_for_name);
        Some(Self { rules, ignored, by_name })
    }
}

fn asks_for_name(condition: &PushCondition) -> bool {
    condition.kind() == "contains_display_name"
}

/// The rules of a user, if they are not just the default ones.
fn own(user_id: &str, stored: Option<&[u8]>) -> Result<Option<Ruleset>, ServiceError> {
    let Some(stored) = stored else { return Ok(None) };
    let is_default = push_rules::merged_content(user_id, stored)? == push_rules::default_content(user_id)?;
    if is_default { Ok(None) } else { push_rules::ruleset(user_id, Some(stored)).map(Some) }
}

fn ignored(content: Option<&[u8]>) -> HashSet<String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        ignored_users: std::collections::HashMap<String, serde::de::IgnoredAny>,
    }
    let list = content.and_then(|content| serde_json::from_slice::<List>(content).ok());
    list.map(|list| list.ignored_users.into_keys().collect()).unwrap_or_default()
}

/// The rules of somebody who changed nothing.
pub(super) fn default_rules(user_id: &UserId) -> Ruleset {
    Ruleset::server_default(user_id)
}

/// The same for everybody at once, but for what names somebody: those who are named are judged by themselves, and whatever an event names,
/// it does not name everybody.
pub(super) fn rules_of_everybody() -> Ruleset {
    let mut rules = default_rules(anybody());
    rules.override_.retain(|rule| ![".m.rule.is_user_mention", ".m.rule.invite_for_me"].contains(&rule.rule_id.as_str()));
    rules
}

/// Stands for everybody who has the default rules and whom the event does not name.
pub(super) fn anybody() -> &'static UserId {
    user_id!("@:anybody.invalid")
}

#[cfg(test)]
mod tests {
    use ruma::{
        events::AnySyncTimelineEvent,
        push::{FlattenedJson, PushConditionRoomCtx},
        serde::Raw,
        uint, user_id,
    };
    use serde_json::{Value, json};

    use super::*;

    fn stored(rules: &Value) -> Notifying {
        Notifying { push_rules: Some(rules.to_string().into()), ignored_users: None }
    }

    async fn outcome(rules: &Ruleset, members: u32, event: Value) -> Outcome {
        let raw: Raw<AnySyncTimelineEvent> = serde_json::from_value(event).expect("JSON");
        let room = ruma::owned_room_id!("!r:x");
        let user = user_id!("@alice:x").to_owned();
        let context = PushConditionRoomCtx::new(room, uint!(0) + ruma::UInt::from(members), user, "Alice".to_owned());
        check(rules, &FlattenedJson::from_raw(&raw), &context).await
    }

    fn message(content: &Value) -> Value {
        json!({"type": "m.room.message", "sender": "@bob:x", "room_id": "!r:x", "content": content})
    }

    #[tokio::test]
    async fn default_rules_notify_of_messages_and_highlight_mentions() {
        let rules = default_rules(user_id!("@alice:x"));
        let text = outcome(&rules, 3, message(&json!({"msgtype": "m.text", "body": "hi @alice:x alice"}))).await;
        assert!(text.notify && !text.highlight, "names in the text are no mentions since v1.17");
        let mention = json!({"msgtype": "m.text", "body": "hi", "m.mentions": {"user_ids": ["@alice:x"]}});
        assert!(outcome(&rules, 3, message(&mention)).await.highlight);
        let notice = outcome(&rules, 3, message(&json!({"msgtype": "m.notice", "body": "hi"}))).await;
        assert_eq!(notice, Outcome::default());
        // One-to-one: with a sound.
        let text = outcome(&rules, 2, message(&json!({"msgtype": "m.text", "body": "hi"}))).await;
        assert!(text.actions.contains("sound"), "{}", text.actions);
    }

    #[tokio::test]
    async fn no_event_names_everybody() {
        let rules = rules_of_everybody();
        let mention = json!({"msgtype": "m.text", "body": "hi", "m.mentions": {"user_ids": [anybody()]}});
        let everybody = outcome(&rules, 3, message(&mention)).await;
        assert!(everybody.notify && !everybody.highlight);
        let invite =
            json!({"type": "m.room.member", "sender": "@bob:x", "state_key": anybody(), "content": {"membership": "invite"}});
        assert_eq!(outcome(&rules, 3, invite).await, Outcome::default());
    }

    #[test]
    fn who_has_the_default_rules_again_is_like_everybody() {
        let default = push_rules::default_content("@alice:x").expect("rules");
        assert!(OwnRules::new("@alice:x", &stored(&default)).is_none());
        assert!(OwnRules::new("@alice:x", &Notifying::default()).is_none());
        let mut muted = push_rules::default_content("@alice:x").expect("rules");
        muted["global"]["override"][0]["enabled"] = json!(true);
        assert!(OwnRules::new("@alice:x", &stored(&muted)).is_some());
        let ignoring = json!({"ignored_users": {"@bob:x": {}}}).to_string();
        let ignoring = Notifying { push_rules: None, ignored_users: Some(ignoring.into()) };
        assert!(OwnRules::new("@alice:x", &ignoring).expect("rules").ignored.contains("@bob:x"));
        assert!(OwnRules::new("@alice:x", &stored(&json!("nonsense"))).is_none());
    }
}
