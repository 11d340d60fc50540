//! GET `/_matrix/client/versions`.

use axum::Json;
use serde_json::{Value, json};

use crate::app::capabilities::SPECIFICATION_VERSIONS;

/// Which versions of the specification are spoken. No feature that is not yet in one is claimed.
pub(crate) async fn get() -> Json<Value> {
    Json(json!({ "versions": SPECIFICATION_VERSIONS, "unstable_features": {} }))
}
