//! Push rules.

use banyan_core::ServiceError;
use banyan_proto::userserver::{ChangePushRuleRequest, change_push_rule_request::Change};
use banyan_users::push_rules::KINDS;
use serde_json::Value;

use super::{App, Requester};

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

    /// Changes one push rule of the caller.
    ///
    /// # Errors
    /// What the owner answers: M_NOT_FOUND for a rule that does not exist, M_INVALID_PARAM, M_MISSING_PARAM, M_BAD_JSON and M_UNKNOWN for
    /// a change that cannot be.
    pub(crate) async fn change_push_rule(
        &self,
        requester: &Requester,
        kind: String,
        rule_id: String,
        change: Change,
    ) -> Result<(), ServiceError> {
        let request = ChangePushRuleRequest { caller: Some(requester.to_users()), kind, rule_id, change: Some(change) };
        let call = |mut client: crate::calls::UserClient, request| async move { client.change_push_rule(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(|_| ())
    }
}
