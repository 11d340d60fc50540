//! Changes one push rule (specification: Client-Server API, "Push Rules: API").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{AccountDataChanged, user_entry::Kind},
    userserver::{ChangePushRuleRequest, ChangePushRuleResponse, change_push_rule_request},
};
use banyan_users::push_rules::{ACCOUNT_DATA_TYPE, Change, changed_content};
use serde_json::Value;

use super::{
    command::{Command, active_account, malformed},
    entries,
};
use crate::host::Inner;

/// Reads the user's rules, changes one, and stores them all as account data, which is how clients hear of it. A change that changes
/// nothing costs no entry.
pub(crate) async fn change_push_rule(
    inner: &Inner,
    request: ChangePushRuleRequest,
) -> Result<ChangePushRuleResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let change = change(request.change.ok_or_else(|| malformed("no change of a push rule"))?)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(ChangePushRuleResponse {});
    }
    active_account(inner, user_id).await?;
    let stored = inner.shared.reader.account_data(user_id, None, ACCOUNT_DATA_TYPE).await?.map(|data| data.content);
    let content = changed_content(user_id, stored.as_deref(), &request.kind, &request.rule_id, change)?;
    if stored.as_deref() != Some(content.as_slice()) {
        let changed = AccountDataChanged { room_id: String::new(), r#type: ACCOUNT_DATA_TYPE.to_owned(), content: content.into() };
        turn.commit(vec![entries::entry(user_id, Kind::AccountData(changed))]).await?;
    }
    Ok(ChangePushRuleResponse {})
}

fn change(asked: change_push_rule_request::Change) -> Result<Change, ServiceError> {
    use change_push_rule_request::Change as Asked;
    let given = |id: String| Some(id).filter(|id| !id.is_empty());
    Ok(match asked {
        Asked::Put(put) => Change::Put { rule: json(&put.rule)?, before: given(put.before), after: given(put.after) },
        Asked::Delete(_) => Change::Delete,
        Asked::Actions(actions) => Change::Actions(json(&actions)?),
        Asked::Enabled(enabled) => Change::Enabled(enabled),
    })
}

fn json(bytes: &[u8]) -> Result<Value, ServiceError> {
    serde_json::from_slice(bytes).map_err(|_| malformed("a push rule that is not JSON"))
}
