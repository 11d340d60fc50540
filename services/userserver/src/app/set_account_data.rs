//! Sets account data (specification: Client-Server API, "Client Config").

use banyan_core::ServiceError;
use banyan_proto::{
    users::{AccountDataChanged, user_entry::Kind},
    userserver::{SetAccountDataRequest, SetAccountDataResponse},
};
use banyan_users::account_data;

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Sets account data, global or of a room. Every write is an entry, also of the same content: clients use it to wake their others.
pub(crate) async fn set_account_data(
    inner: &Inner,
    request: SetAccountDataRequest,
) -> Result<SetAccountDataResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    account_data::check(&request.room_id, &request.r#type, &request.content)?;
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(SetAccountDataResponse {});
    }
    active_account(inner, &command.user_id).await?;
    let changed = AccountDataChanged { room_id: request.room_id, r#type: request.r#type, content: request.content };
    turn.commit(vec![entries::entry(&command.user_id, Kind::AccountData(changed))]).await?;
    Ok(SetAccountDataResponse {})
}
