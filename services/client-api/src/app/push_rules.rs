//! Reading push rules.

use banyan_core::ServiceError;
use serde_json::Value;

use super::{App, Requester};

/// The kinds of rules there are.
const KINDS: [&str; 5] = ["override", "underride", "sender", "room", "content"];

impl App {
    /// All push rules of the caller, `{"global": {…}}`.
    pub(crate) async fn push_rules(&self, requester: &Requester) -> Result<Value, ServiceError> {
        self.users.push_rules(requester.user_id.as_str()).await
    }

    /// One push rule of the caller.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a kind that does not exist, M_NOT_FOUND for a rule that does not.
    pub(crate) async fn push_rule(&self, requester: &Requester, kind: &str, rule_id: &str) -> Result<Value, ServiceError> {
        if !KINDS.contains(&kind) {
            return Err(ServiceError::invalid_param("There is no such kind of push rule"));
        }
        let rules = self.push_rules(requester).await?;
        let of_kind = rules["global"][kind].as_array().map(Vec::as_slice).unwrap_or_default();
        let rule = of_kind.iter().find(|rule| rule["rule_id"].as_str() == Some(rule_id));
        rule.cloned().ok_or_else(|| ServiceError::not_found("There is no such push rule"))
    }
}
