//! Stores a filter (specification: Client-Server API, `POST /user/{userId}/filter`).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{FilterStored, user_entry::Kind},
    userserver::{PutFilterRequest, PutFilterResponse},
};
use banyan_users::{filter, token};
use ruma::CanonicalJsonValue;

use super::{
    command::{Command, active_account},
    entries,
};
use crate::host::Inner;

/// The largest filter, in bytes.
const MAX_FILTER: usize = 64 * 1024;

/// Stores a filter under the hash of its canonical form: the same filter has the same id, and storing it again costs no entry.
pub(crate) async fn put_filter(inner: &Inner, request: PutFilterRequest) -> Result<PutFilterResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let filter = canonical(&request.filter)?;
    let filter_id = token::filter_id(filter.as_bytes());
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if inner.shared.reader.filter(&command.user_id, &filter_id).await?.is_none() {
        active_account(inner, &command.user_id).await?;
        let stored = FilterStored { filter_id: filter_id.clone(), filter: filter.into() };
        turn.commit(vec![entries::entry(&command.user_id, Kind::Filter(stored))]).await?;
    }
    Ok(PutFilterResponse { filter_id })
}

fn canonical(json: &[u8]) -> Result<String, ServiceError> {
    if json.len() > MAX_FILTER {
        return Err(ServiceError::too_large("The filter is larger than 64 KiB"));
    }
    let value: serde_json::Value = serde_json::from_slice(json)
        .map_err(|_| ServiceError::matrix(ErrorCode::InvalidArgument, "M_NOT_JSON", "The filter is not JSON"))?;
    filter::check(&value)?;
    CanonicalJsonValue::try_from(value)
        .map(|canonical| canonical.to_string())
        .map_err(|error| ServiceError::bad_json(format!("The filter is not canonical JSON: {error}")))
}
