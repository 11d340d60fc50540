//! Below `/account/3pid`.

use axum::{Json, extract::State, response::Response};
use banyan_core::{ErrorCode, ServiceError};
use banyan_http::{Json as Body, MatrixError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::{App, threepids::Threepid},
    http::{
        extract::Caller,
        reply::{Reply, challenged, empty},
    },
};

/// GET: the caller's addresses.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller) -> Reply {
    let threepids: Vec<Value> = app
        .threepids(&requester)
        .await?
        .into_iter()
        .map(|threepid| {
            json!({
                "medium": threepid.medium,
                "address": threepid.address,
                "validated_at": threepid.validated / 1000,
                "added_at": threepid.added / 1000,
            })
        })
        .collect();
    Ok(Json(json!({ "threepids": threepids })))
}

/// POST `/add`: adds an address that was proved, or says which stages are missing (401).
pub(crate) async fn add(
    State(app): State<App>,
    Caller(requester): Caller,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, MatrixError> {
    Ok(challenged(app.add_threepid(&requester, &body).await?.map(|()| empty())))
}

/// POST `/delete`: takes an address from the account. It was never bound at an identity server from here.
pub(crate) async fn delete(State(app): State<App>, Caller(requester): Caller, Body(threepid): Body<Threepid>) -> Reply {
    app.delete_threepid(&requester, &threepid).await?;
    Ok(no_support())
}

/// POST `/unbind`: no identity server was ever told of an address from here.
pub(crate) async fn unbind(Body(_): Body<Threepid>) -> Json<Value> {
    no_support()
}

fn no_support() -> Json<Value> {
    Json(json!({ "id_server_unbind_result": "no-support" }))
}

/// What clients give of an identity server.
#[derive(Deserialize)]
pub(crate) struct Binding {
    #[serde(rename = "client_secret")]
    _client_secret: String,
    #[serde(rename = "id_server")]
    _id_server: String,
    #[serde(rename = "id_access_token")]
    _id_access_token: String,
    #[serde(rename = "sid")]
    _sid: String,
}

/// POST `/bind`: 400 M_SERVER_NOT_TRUSTED, for no identity server is.
pub(crate) async fn bind(Body(_): Body<Binding>) -> Reply {
    Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_SERVER_NOT_TRUSTED", "This server trusts no identity server").into())
}

/// The body of POST `/account/3pid`, from before `/bind`. What old clients leave out is not missed.
#[derive(Deserialize)]
pub(crate) struct OldBinding {
    #[serde(rename = "three_pid_creds", alias = "threePidCreds")]
    _credentials: Map<String, Value>,
}

/// POST: as `/bind`, with the error that it has: 403 M_THREEPID_AUTH_FAILED.
pub(crate) async fn post(Body(_): Body<OldBinding>) -> Reply {
    let message = "This server trusts no identity server, so it could verify nothing";
    Err(ServiceError::matrix(ErrorCode::Forbidden, "M_THREEPID_AUTH_FAILED", message).into())
}
