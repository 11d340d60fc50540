//! GET `/_matrix/client/versions`.

use axum::Json;
use serde_json::{Value, json};

use super::extract::Anyone;
use crate::app::capabilities::SPECIFICATION_VERSIONS;

/// Which versions of the specification are spoken, and what is served that is not yet in one.
pub(crate) async fn get(Anyone(visitor): Anyone) -> Json<Value> {
    // MSC4186, MSC2666, MSC3814 and MSC4140, under the names that clients know them by.
    let unstable_features = json!({
        "org.matrix.simplified_msc3575": true,
        "uk.half-shot.msc2666.query_mutual_rooms": true,
        "org.matrix.msc3814": true,
        "org.matrix.msc4140": visitor.tenant.config().delayed_events.enabled(),
    });
    Json(json!({ "versions": SPECIFICATION_VERSIONS, "unstable_features": unstable_features }))
}
