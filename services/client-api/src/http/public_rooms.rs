//! `/publicRooms`.

use axum::{Json, extract::State};
use banyan_http::{Json as Body, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{extract::Anyone, reply::Reply, summaries::chunk};
use crate::app::{
    App,
    caller::Visitor,
    directory::{DirectoryFilter, DirectoryWish},
};

/// The query of GET.
#[derive(Deserialize)]
pub(crate) struct Params {
    limit: Option<usize>,
    since: Option<String>,
    server: Option<String>,
}

/// The query of POST.
#[derive(Deserialize)]
pub(crate) struct Server {
    server: Option<String>,
}

/// The body of POST.
#[derive(Deserialize)]
pub(crate) struct Wish {
    limit: Option<usize>,
    since: Option<String>,
    filter: Option<DirectoryFilter>,
    #[serde(default)]
    include_all_networks: bool,
    third_party_instance_id: Option<String>,
}

/// A page of the directory.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone, Query(params): Query<Params>) -> Reply {
    let Params { limit, since, server } = params;
    let wish = DirectoryWish { server, limit, since, ..DirectoryWish::default() };
    answer(&app, &visitor, wish).await
}

/// A page of what the directory has of some kind.
pub(crate) async fn post(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Query(Server { server }): Query<Server>,
    Body(wish): Body<Wish>,
) -> Reply {
    let Wish { limit, since, filter, include_all_networks, third_party_instance_id } = wish;
    let filter = filter.unwrap_or_default();
    let wish = DirectoryWish { server, limit, since, filter, include_all_networks, third_party_instance_id };
    answer(&app, &visitor, wish).await
}

async fn answer(app: &App, visitor: &Visitor, wish: DirectoryWish) -> Reply {
    let page = app.public_rooms(visitor, wish).await?;
    let rooms: Vec<Value> = page.rooms.iter().map(|(room_id, summary)| chunk(room_id, summary).into()).collect();
    let mut answer = json!({ "chunk": rooms });
    for (name, value) in [
        ("next_batch", page.next_batch.map(Value::from)),
        ("prev_batch", page.prev_batch.map(Value::from)),
        ("total_room_count_estimate", page.total.map(Value::from)),
    ] {
        if let Some(value) = value {
            answer[name] = value;
        }
    }
    Ok(Json(answer))
}
