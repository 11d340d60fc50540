//! GET and POST `/room_keys/version`, and GET, PUT and DELETE `/room_keys/version/{version}`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, Path};
use banyan_users::key_backup::KeyBackupVersion;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{
        extract::Caller,
        reply::{Reply, empty},
    },
};

/// A backup's configuration.
#[derive(Deserialize)]
pub(crate) struct Configuration {
    algorithm: String,
    auth_data: Map<String, Value>,
    version: Option<String>,
}

/// The current version.
pub(crate) async fn current(State(app): State<App>, Caller(requester): Caller) -> Reply {
    shown(app.current_key_backup(&requester).await?)
}

/// One version.
pub(crate) async fn get(State(app): State<App>, Caller(requester): Caller, Path(version): Path<String>) -> Reply {
    shown(app.key_backup(&requester, &version).await?)
}

/// Makes a version.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, Body(body): Body<Configuration>) -> Reply {
    let version = app.create_key_backup(&requester, body.algorithm, &body.auth_data).await?;
    Ok(Json(json!({ "version": version })))
}

/// Replaces the `auth_data` of a version.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path(version): Path<String>,
    Body(body): Body<Configuration>,
) -> Reply {
    if body.version.is_some_and(|named| named != version) {
        return Err(MatrixError::invalid_param("The version in the body is not the one in the path"));
    }
    app.update_key_backup(&requester, version, body.algorithm, &body.auth_data).await?;
    Ok(empty())
}

/// Deletes a version with its keys.
pub(crate) async fn delete(State(app): State<App>, Caller(requester): Caller, Path(version): Path<String>) -> Reply {
    app.delete_key_backup(&requester, version).await?;
    Ok(empty())
}

fn shown(backup: KeyBackupVersion) -> Reply {
    let KeyBackupVersion { version, algorithm, auth_data, count } = backup;
    let auth_data: Value = serde_json::from_slice(&auth_data).map_err(|error| MatrixError::internal(error.to_string()))?;
    Ok(Json(json!({
        "algorithm": algorithm,
        "auth_data": auth_data,
        "count": count.keys,
        "etag": count.etag.to_string(),
        "version": version.to_string(),
    })))
}
