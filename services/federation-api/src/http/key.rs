//! GET `/_matrix/key/v2/server`: the keys that this server signs with (server-server API, "Publishing Keys").

use std::time::Duration;

use axum::{Json, extract::State};
use banyan_http::MatrixError;
use banyan_tenants::Tenant;
use ruma::{CanonicalJsonObject, signatures::sign_json};
use serde_json::{Map, Value, json};

use super::{Federation, tenant::Addressed};

/// The longest that keys may be relied upon (server-server API, "Querying Keys Through Another Server": receivers use no more).
const MAX_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);

/// This server's keys, signed by them.
pub(super) async fn server(State(federation): State<Federation>, Addressed(tenant): Addressed) -> Result<Json<Value>, MatrixError> {
    let valid_until = federation.clock.now().as_millis() + millis(federation.validity.min(MAX_VALIDITY));
    let keys = published_keys(&tenant, valid_until);
    let mut keys: CanonicalJsonObject = serde_json::from_value(keys).map_err(internal)?;
    sign_json(tenant.name().as_str(), tenant.key().pair(), &mut keys).map_err(internal)?;
    Ok(Json(serde_json::to_value(keys).map_err(internal)?))
}

/// The answer without its signature. `valid_until`: milliseconds since the Unix epoch.
fn published_keys(tenant: &Tenant, valid_until: i64) -> Value {
    let mut old_keys = Map::new();
    for old in tenant.old_keys() {
        old_keys.insert(old.id.clone(), json!({ "expired_ts": old.expired.as_millis(), "key": old.public_base64() }));
    }
    json!({
        "server_name": tenant.name(),
        "verify_keys": { tenant.key().id(): { "key": tenant.key().public_base64() } },
        "old_verify_keys": old_keys,
        "valid_until_ts": valid_until,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

fn internal(error: impl std::fmt::Display) -> MatrixError {
    MatrixError::internal(format!("keys cannot be published: {error}"))
}
