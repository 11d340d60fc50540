//! `/delayed_events` and below (MSC4140).

use axum::{Json, extract::State};
use banyan_http::{Json as Body, MatrixError, Path, Query};
use banyan_proto::userserver::update_delayed_event_request::Action;
use serde::Deserialize;

use super::{
    extract::{Anyone, Caller},
    reply::{Reply, empty},
};
use crate::app::{
    App,
    delayed_events::list::{Filter, Order, Start, Status},
};

/// The query of endpoints that send, where the event may be delayed.
#[derive(Deserialize)]
pub(crate) struct Delay {
    #[serde(rename = "org.matrix.msc4140.delay")]
    delay: Option<String>,
}

impl Delay {
    /// Milliseconds; `None`: the event is sent now.
    pub(crate) fn given(&self) -> Result<Option<u64>, MatrixError> {
        let Some(delay) = &self.delay else { return Ok(None) };
        let delay = delay.parse().map_err(|_| MatrixError::invalid_param("The delay is not a number of milliseconds"))?;
        positive(delay).map(Some)
    }
}

/// A delay that is one.
pub(crate) fn positive(delay: u64) -> Result<u64, MatrixError> {
    if delay > 0 { Ok(delay) } else { Err(MatrixError::invalid_param("The delay must be above zero")) }
}

/// The query of the list.
#[derive(Deserialize)]
pub(crate) struct Params {
    status: Option<Status>,
    room_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    order_by: Option<Order>,
    dir: Option<String>,
    since_ts: Option<String>,
    from: Option<String>,
}

/// Lists the caller's.
pub(crate) async fn all(State(app): State<App>, Caller(requester): Caller, Query(params): Query<Params>) -> Reply {
    let filter = params.filter()?;
    Ok(Json(app.delayed_events(&requester, &filter).await?))
}

impl Params {
    fn filter(self) -> Result<Filter, MatrixError> {
        let one_of = |name: &str, value: Option<String>, known: &[&str]| match value {
            Some(value) if !known.contains(&value.as_str()) => {
                Err(MatrixError::invalid_param(format!("{name} is one of {}", known.join(", "))))
            }
            value => Ok(value),
        };
        let backwards = one_of("dir", self.dir, &["f", "b"])?.as_deref() == Some("b");
        let start = match (self.from, self.since_ts.as_deref()) {
            (Some(token), _) => Start::After(token),
            (None, None | Some("end")) => Start::Whole,
            (None, Some(time)) => {
                Start::At(time.parse().map_err(|_| MatrixError::invalid_param("since_ts is a time in milliseconds, or end"))?)
            }
        };
        Ok(Filter {
            status: self.status,
            room_id: self.room_id,
            kind: self.kind,
            outcome: one_of("outcome", self.outcome, &["send", "cancel", "error"])?,
            reason: one_of("reason", self.reason, &["action", "delay"])?,
            order: self.order_by.unwrap_or_default(),
            backwards,
            start,
        })
    }
}

/// One of the caller's.
pub(crate) async fn one(State(app): State<App>, Caller(requester): Caller, Path(delay_id): Path<String>) -> Reply {
    Ok(Json(app.delayed_event(&requester, &delay_id).await?))
}

/// The body of what an earlier form of the proposal had instead of a path per action.
#[derive(Deserialize)]
pub(crate) struct Wish {
    action: Option<String>,
}

/// Does what the body says.
pub(crate) async fn update(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Path(delay_id): Path<String>,
    Body(wish): Body<Wish>,
) -> Reply {
    let action = match wish.action.as_deref() {
        Some("cancel") => Action::Cancel,
        Some("restart") => Action::Restart,
        Some("send") => Action::Send,
        Some(_) => return Err(MatrixError::invalid_param("action is one of cancel, restart, send")),
        None => return Err(MatrixError::missing_param("action is missing")),
    };
    app.update_delayed(&visitor, &delay_id, action).await?;
    Ok(empty())
}

/// Cancels it.
pub(crate) async fn cancel(State(app): State<App>, Anyone(visitor): Anyone, Path(delay_id): Path<String>) -> Reply {
    app.update_delayed(&visitor, &delay_id, Action::Cancel).await?;
    Ok(empty())
}

/// Begins its delay anew.
pub(crate) async fn restart(State(app): State<App>, Anyone(visitor): Anyone, Path(delay_id): Path<String>) -> Reply {
    app.update_delayed(&visitor, &delay_id, Action::Restart).await?;
    Ok(empty())
}

/// Sends it now.
pub(crate) async fn send(State(app): State<App>, Anyone(visitor): Anyone, Path(delay_id): Path<String>) -> Reply {
    app.update_delayed(&visitor, &delay_id, Action::Send).await?;
    Ok(empty())
}
