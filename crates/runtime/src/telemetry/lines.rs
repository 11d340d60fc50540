//! Log lines name the trace that they belong to.

use std::fmt;

use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// A format of lines, and at the end of each line what [`Form`] says.
pub(super) struct WithTrace<F> {
    format: F,
    form: Form,
}

/// How a line ends where something is traced.
#[derive(Clone, Copy)]
enum Form {
    /// ` trace_id=… span_id=…`
    Human,
    /// Two more members of the line's object.
    Json,
}

impl<F> WithTrace<F> {
    /// Around a format for people.
    pub(super) const fn human(format: F) -> Self {
        Self { format, form: Form::Human }
    }

    /// Around a format that writes one JSON object per line.
    pub(super) const fn json(format: F) -> Self {
        Self { format, form: Form::Json }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let trace = Context::current();
        let trace = trace.span().span_context().clone();
        if !trace.is_valid() {
            return self.format.format_event(context, out, event);
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        let (trace_id, span_id) = (trace.trace_id(), trace.span_id());
        match (self.form, line.strip_suffix('}')) {
            (Form::Json, Some(object)) => writeln!(out, "{object},\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"}}"),
            _ => writeln!(out, "{line} trace_id={trace_id} span_id={span_id}"),
        }
    }
}
