//! The spans of a group's way into the log, and the trace context that goes on with its entries.

use std::collections::HashMap;

use banyan_core::LogId;
use opentelemetry::{global, trace::TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The W3C trace context of the current span; empty if it is not part of a trace.
pub(crate) fn current_traceparent() -> String {
    traceparent(&Span::current())
}

fn traceparent(span: &Span) -> String {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return String::new();
    }
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove("traceparent").unwrap_or_default()
}

/// The span of a group from its proposal to its answer.
pub(crate) fn append(log: LogId, entries: usize) -> Span {
    tracing::info_span!("append", %log, entries)
}

/// Within each group's append, its share of a batch's commit.
pub(crate) fn commit(appends: &[Span], batch_entries: usize) -> Vec<Span> {
    appends.iter().map(|append| tracing::info_span!(parent: append, "commit", batch_entries)).collect()
}

/// Within each group's append, the writing of derived rows.
pub(crate) fn apply(appends: &[Span]) -> Vec<Span> {
    appends.iter().map(|append| tracing::info_span!(parent: append, "apply")).collect()
}

/// Within each group's append, the hint to followers; and the trace context for the hint, that of the first group that is recorded.
/// Followers find the others' in the entries.
pub(crate) fn publish(appends: &[Span]) -> (Vec<Span>, String) {
    let spans: Vec<Span> =
        appends.iter().map(|append| tracing::info_span!(parent: append, "publish", otel.kind = "producer")).collect();
    let recorded = spans.iter().find(|span| span.context().span().span_context().is_sampled());
    let traceparent = recorded.map(traceparent).unwrap_or_default();
    (spans, traceparent)
}
