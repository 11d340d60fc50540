//! GET `/_matrix/client/versions`.

use axum::Json;
use serde_json::{Value, json};

use crate::app::capabilities::SPECIFICATION_VERSIONS;

/// Which versions of the specification are spoken, and what is served that is not yet in one.
pub(crate) async fn get() -> Json<Value> {
    // MSC4186 and MSC2666, under the names that clients know them by.
    let unstable_features = json!({ "org.matrix.simplified_msc3575": true, "uk.half-shot.msc2666.query_mutual_rooms": true });
    Json(json!({ "versions": SPECIFICATION_VERSIONS, "unstable_features": unstable_features }))
}
