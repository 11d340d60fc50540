//! Sets or removes one tag of a room (client-server specification, "Room Tagging").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{AccountDataChanged, user_entry::Kind},
    userserver::{SetTagRequest, SetTagResponse},
};
use banyan_users::{account_data, tags};
use serde_json::Value;

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Sets the tag, or removes it if the content is empty. The others of the room stay as they are, whoever sets them at the same time.
pub(crate) async fn set_tag(inner: &Inner, request: SetTagRequest) -> Result<SetTagResponse, ServiceError> {
    let SetTagRequest { caller, room_id, tag, content } = request;
    let command = Command::of_user(inner, caller)?;
    let mut value = None;
    if !content.is_empty() {
        tags::check(&tag, &content)?;
        value = serde_json::from_slice::<Value>(&content).ok();
    }
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(SetTagResponse {});
    }
    active_account(inner, &command.user_id).await?;
    let now = inner.shared.reader.account_data(&command.user_id, Some(&room_id), tags::TAG).await?;
    let now = now.map(|data| data.content).unwrap_or_default();
    if value.is_none() && !tags::of_content(&now).contains_key(&tag) {
        return Ok(SetTagResponse {});
    }
    let content = tags::with(&now, &tag, value);
    account_data::check(&room_id, tags::TAG, &content)?;
    let changed = AccountDataChanged { room_id, r#type: tags::TAG.to_owned(), content };
    turn.commit(vec![entries::entry(&command.user_id, Kind::AccountData(changed))]).await?;
    Ok(SetTagResponse {})
}
