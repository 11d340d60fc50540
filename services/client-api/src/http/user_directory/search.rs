//! POST `/user_directory/search`.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    http::{extract::Caller, reply::Reply},
};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    search_term: String,
    limit: Option<usize>,
}

/// Users whom the caller looks for.
pub(crate) async fn post(State(app): State<App>, Caller(requester): Caller, Body(wish): Body<Wish>) -> Reply {
    let found = app.search_users(&requester, &wish.search_term, wish.limit).await?;
    let shown = found.users.into_iter().map(|(user_id, profile)| {
        let mut user = json!({ "user_id": user_id });
        for (name, value) in [("display_name", profile.display_name), ("avatar_url", profile.avatar_url)] {
            if let Some(value) = value {
                user[name] = value.into();
            }
        }
        user
    });
    let results: Vec<Value> = shown.collect();
    Ok(Json(json!({ "results": results, "limited": found.limited })))
}
