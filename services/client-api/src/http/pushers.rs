//! GET `/pushers` and POST `/pushers/set`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError};
use banyan_proto::{users::Pusher, userserver::NewPusher};
use banyan_users::PusherKey;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::App;

/// The body of POST.
#[derive(Deserialize)]
pub(crate) struct Wish {
    app_id: Option<String>,
    pushkey: Option<String>,
    /// `Some(None)` where it is null.
    #[serde(default, deserialize_with = "given")]
    kind: Option<Option<String>>,
    app_display_name: Option<String>,
    device_display_name: Option<String>,
    profile_tag: Option<String>,
    lang: Option<String>,
    data: Option<Map<String, Value>>,
    #[serde(default)]
    append: bool,
}

/// Tells null from what is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// All pushers of the caller.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller) -> Reply {
    let pushers = app.pushers(&requester).await?;
    let pushers: Vec<Value> = pushers.iter().map(|(key, pusher)| shown(key, pusher)).collect();
    Ok(Json(json!({ "pushers": pushers })))
}

/// Sets one, or removes it.
pub(crate) async fn set(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    let append = wish.append;
    let (key, pusher) = wish.read()?;
    app.set_pusher(&requester, key, pusher, append).await?;
    Ok(empty())
}

impl Wish {
    fn read(self) -> Result<(PusherKey, Option<NewPusher>), MatrixError> {
        let (Some(app_id), Some(pushkey), Some(kind)) = (self.app_id, self.pushkey, self.kind) else {
            return Err(MatrixError::missing_param("kind, app_id and pushkey are needed"));
        };
        let key = PusherKey { app_id, pushkey };
        let Some(kind) = kind else { return Ok((key, None)) };
        let (Some(app_display_name), Some(device_display_name), Some(lang), Some(data)) =
            (self.app_display_name, self.device_display_name, self.lang, self.data)
        else {
            return Err(MatrixError::missing_param("app_display_name, device_display_name, lang and data are needed"));
        };
        let pusher = NewPusher {
            kind,
            app_display_name,
            device_display_name,
            profile_tag: self.profile_tag.unwrap_or_default(),
            lang,
            data: Value::Object(data).to_string().into(),
        };
        Ok((key, Some(pusher)))
    }
}

fn shown(key: &PusherKey, pusher: &Pusher) -> Value {
    let mut shown = json!({
        "app_id": key.app_id,
        "pushkey": key.pushkey,
        "kind": pusher.kind,
        "app_display_name": pusher.app_display_name,
        "device_display_name": pusher.device_display_name,
        "lang": pusher.lang,
        "data": serde_json::from_slice::<Value>(&pusher.data).unwrap_or_else(|_| json!({})),
    });
    if !pusher.profile_tag.is_empty() {
        shown["profile_tag"] = json!(pusher.profile_tag);
    }
    shown
}
