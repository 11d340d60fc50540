//! The trace of a change goes on where it is taken in and where it is answered. A long poll has a trace of its own: both have links to
//! each other.

use banyan_core::LogId;
use banyan_log::FollowBatch;
use banyan_runtime::telemetry::propagation::{continue_traceparent, is_recorded, is_same_trace, link, traceparent_of};
use tracing::Span;

use crate::tails::RoomPlan;

/// The most traces that one response is linked to.
const MOST: usize = 8;

/// Spans of a batch that came in, one for each recorded trace in it. Its entries carry them on from here.
pub(crate) fn receive(log: LogId, batch: &mut FollowBatch) -> Vec<Span> {
    let mut spans: Vec<(String, Span, String)> = Vec::new();
    for entry in batch.entries.iter_mut().filter(|entry| is_recorded(&entry.traceparent)) {
        let known = spans.iter().find(|(proposed, ..)| *proposed == entry.traceparent);
        if let Some((_, _, received)) = known {
            entry.traceparent.clone_from(received);
            continue;
        }
        let span = tracing::info_span!(parent: None, "receive", otel.kind = "consumer", %log);
        let published = is_same_trace(&batch.traceparent, &entry.traceparent);
        continue_traceparent(&span, if published { &batch.traceparent } else { &entry.traceparent });
        let received = traceparent_of(&span);
        let proposed = std::mem::replace(&mut entry.traceparent, received.clone());
        spans.push((proposed, span, received));
    }
    spans.into_iter().map(|(_, span, _)| span).collect()
}

/// The trace context, or nothing if nobody records the trace.
pub(crate) fn recorded(traceparent: &str) -> String {
    if is_recorded(traceparent) { traceparent.to_owned() } else { String::new() }
}

/// The traces of what there is to tell, newest of each room first.
pub(crate) fn causes(rooms: &[RoomPlan]) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let changes = rooms.iter().filter_map(|room| room.changes.as_ref()).flat_map(|changes| changes.iter().rev());
    for change in changes.filter(|change| !change.trace.is_empty()) {
        if !causes.contains(&change.trace) {
            causes.push(change.trace.clone());
        }
        if causes.len() == MOST {
            break;
        }
    }
    causes
}

/// Within each of these traces, the span of its answer to the current poll.
pub(crate) fn answer(causes: &[String]) -> Vec<Span> {
    if causes.is_empty() {
        return Vec::new();
    }
    let poll = Span::current();
    let poll_context = traceparent_of(&poll);
    let answer = |cause: &String| {
        let span = tracing::info_span!(parent: None, "answer");
        continue_traceparent(&span, cause);
        link(&span, &poll_context);
        link(&poll, cause);
        span
    };
    causes.iter().map(answer).collect()
}
