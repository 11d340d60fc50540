//! Sets or removes a profile field (specification: Client-Server API, "Profiles").

use banyan_core::ServiceError;
use banyan_proto::userserver::{SetProfileRequest, SetProfileResponse};
use banyan_users::profile;

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// Sets the field, or removes it where the value is empty. A value that is there already costs no entry.
pub(crate) async fn set_profile(inner: &Inner, request: SetProfileRequest) -> Result<SetProfileResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    profile::check_field(&request.field)?;
    let value = match request.value.as_ref() {
        [] => None,
        value => Some(profile::check_value(&request.field, value)?),
    };
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(SetProfileResponse {});
    }
    active_account(inner, &command.user_id).await?;
    let mut fields = inner.shared.reader.profile(&command.user_id).await?;
    if fields.get(&request.field) == value.as_ref() {
        return Ok(SetProfileResponse {});
    }
    let entry = entries::profile(&command.user_id, &request.field, value.as_ref(), fields.get(&request.field));
    if let Some(value) = value {
        fields.insert(request.field, value);
        profile::check_size(fields.iter().map(|(name, value)| (name.as_str(), value)))?;
    }
    turn.commit(vec![entry]).await?;
    Ok(SetProfileResponse {})
}
