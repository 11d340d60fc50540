//! PUT `/sendToDevice/{eventType}/{txnId}`.

use axum::extract::State;
use banyan_http::{Json as Body, Path};
use serde::Deserialize;

use super::{
    extract::Caller,
    reply::{Reply, empty},
};
use crate::app::{App, to_device::Messages};

/// The body.
#[derive(Deserialize)]
pub(crate) struct Wish {
    messages: Messages,
}

/// Sends messages to devices.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(requester): Caller,
    Path((kind, txn_id)): Path<(String, String)>,
    Body(wish): Body<Wish>,
) -> Reply {
    app.send_to_device(&requester, &kind, &txn_id, wish.messages).await?;
    Ok(empty())
}
