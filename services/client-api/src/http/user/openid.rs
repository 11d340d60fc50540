//! POST `/user/{userId}/openid/request_token`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Path};
use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// A token by which somebody else learns, from this server, who the caller is.
pub(crate) async fn request_token(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(user_id): Path<OwnedUserId>,
    Body(_): Body<Map<String, Value>>,
) -> Reply {
    requester.must_be(&user_id)?;
    let server_name = requester.visitor.server_name();
    let token = app.openid_tokens.issue(server_name, user_id.as_str()).await?;
    Ok(Json(json!({
        "access_token": token,
        "token_type": "Bearer",
        "matrix_server_name": server_name,
        "expires_in": app.openid_tokens.lifetime().as_secs(),
    })))
}
