//! The list of a user's delayed events (MSC4140, "Getting a list of delayed events").

use banyan_core::ServiceError;
use banyan_proto::users::{DelayedEvent, DelayedStanding, DelayedState};
use banyan_users::delayed_events::{due, is_open, is_over};
use serde::Deserialize;
use serde_json::{Value, json};

use super::described;
use crate::app::{App, Requester};

/// Events of one page.
const PAGE: usize = 100;

/// Which are wanted. Without a status those that are scheduled, as servers have it for the unstable endpoint, unless something is asked
/// that only finalised ones have.
pub(crate) struct Filter {
    pub(crate) status: Option<Status>,
    pub(crate) room_id: Option<String>,
    pub(crate) kind: Option<String>,
    /// `send`, `cancel` or `error`.
    pub(crate) outcome: Option<String>,
    /// `action` or `delay`.
    pub(crate) reason: Option<String>,
    pub(crate) order: Order,
    pub(crate) backwards: bool,
    pub(crate) start: Start,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Scheduled,
    Finalised,
}

/// By which time they are ordered.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    #[default]
    SendTs,
    OriginServerTs,
    RunningSince,
}

/// Where the page begins.
pub(crate) enum Start {
    Whole,
    /// Milliseconds.
    At(i64),
    /// The token of an earlier page.
    After(String),
}

/// A place in the order.
type Place = (i64, String);

impl App {
    /// A page of the caller's delayed events.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a token that is none.
    pub(crate) async fn delayed_events(&self, requester: &Requester, filter: &Filter) -> Result<Value, ServiceError> {
        let start = filter.start()?;
        let now = self.clock.now().as_millis();
        let standings = self.users.delayed_standings(requester.user_id.as_str()).await?;
        let mut wanted: Vec<(Place, DelayedStanding)> = standings
            .into_iter()
            .filter(|(_, standing)| !is_over(standing, now) && filter.takes_standing(standing))
            .map(|(delay_id, standing)| ((filter.order.time(&standing), delay_id), standing))
            .filter(|(place, _)| start.as_ref().is_none_or(|start| filter.is_behind(place, start)))
            .collect();
        wanted.sort_by(|(a, _), (b, _)| if filter.backwards { b.cmp(a) } else { a.cmp(b) });
        let mut page = Vec::new();
        let mut last = None;
        let mut more = false;
        for ((time, delay_id), standing) in wanted {
            let Some(event) = self.users.delayed_event(&delay_id).await? else { continue };
            if !filter.takes_event(&event) {
                continue;
            }
            if page.len() == PAGE {
                more = true;
                break;
            }
            page.push(described(&delay_id, &event, &standing)?);
            last = Some(format!("{time}_{delay_id}"));
        }
        let mut answer = json!({ "delayed_events": page });
        if let (true, Some(last)) = (more, last) {
            answer[if filter.backwards { "prev_batch" } else { "next_batch" }] = json!(last);
        }
        Ok(answer)
    }
}

impl Filter {
    fn start(&self) -> Result<Option<Place>, ServiceError> {
        Ok(match &self.start {
            Start::Whole => None,
            // All ids come after the empty one, and before what no id begins with.
            Start::At(time) if self.backwards => Some((*time, char::MAX.to_string())),
            Start::At(time) => Some((*time, String::new())),
            Start::After(token) => {
                let place = token.split_once('_').and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
                Some(place.ok_or_else(|| ServiceError::invalid_param("from is no token of this list"))?)
            }
        })
    }

    fn is_behind(&self, place: &Place, start: &Place) -> bool {
        if self.backwards { place < start } else { place > start }
    }

    fn takes_standing(&self, standing: &DelayedStanding) -> bool {
        let of_finalised = self.outcome.is_some() || self.reason.is_some();
        let finalised = of_finalised || self.status == Some(Status::Finalised);
        let contradicts = of_finalised && self.status == Some(Status::Scheduled);
        let outcome = match standing.state() {
            DelayedState::Sent => "send",
            DelayedState::Cancelled => "cancel",
            _ => "error",
        };
        let reason = if standing.by_action { "action" } else { "delay" };
        is_open(standing) != finalised
            && !contradicts
            && self.outcome.as_deref().is_none_or(|wanted| wanted == outcome)
            && self.reason.as_deref().is_none_or(|wanted| wanted == reason)
    }

    fn takes_event(&self, event: &DelayedEvent) -> bool {
        self.room_id.as_ref().is_none_or(|room_id| *room_id == event.room_id)
            && self.kind.as_ref().is_none_or(|kind| *kind == event.r#type)
    }
}

impl Order {
    const fn time(self, standing: &DelayedStanding) -> i64 {
        match self {
            Self::OriginServerTs if standing.finalised != 0 => standing.finalised,
            Self::SendTs | Self::OriginServerTs => due(standing),
            Self::RunningSince => standing.running_since,
        }
    }
}
