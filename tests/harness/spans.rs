//! Spans as a collector got them, and trees of them for people.

use std::{collections::BTreeMap, fmt::Write as _};

use opentelemetry_proto::tonic::trace::v1 as wire;

use crate::otlp::attributes;

/// Who made a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `service.name`
    pub service: String,
    /// `service.instance.id`
    pub instance: String,
    /// `banyan.roles`
    pub roles: String,
}

/// A span. Ids are lowercase hexadecimal.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The span it is part of; empty: none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: &'static str,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// Trace and span ids that it is linked to.
    pub links: Vec<(String, String)>,
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// Who made it.
    pub process: Process,
}

impl Span {
    /// From what was received.
    pub(crate) fn read(span: wire::Span, process: &Process) -> Self {
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: match span.kind {
                2 => "server",
                3 => "client",
                4 => "producer",
                5 => "consumer",
                _ => "internal",
            },
            name: span.name,
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            links: span.links.into_iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
            attributes: attributes(span.attributes),
            process: process.clone(),
        }
    }

    /// Whether it is linked to `other`.
    #[must_use]
    pub fn is_linked_to(&self, other: &Self) -> bool {
        self.links.contains(&(other.trace.clone(), other.id.clone()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of one trace as a tree: when each began after the first and how long it took (milliseconds), in which process, its name and
/// kind, and how many links it has.
#[must_use]
pub fn tree(spans: &[Span]) -> String {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_key(|span| (span.start, span.end));
    let begin = sorted.first().map_or(0, |span| span.start);
    let mut out = format!("{:>9} {:>9}  {:<22}  span\n", "begins ms", "takes ms", "process");
    for root in sorted.iter().filter(|span| !spans.iter().any(|other| other.id == span.parent)) {
        branch(&mut out, &sorted, root, begin, 0);
    }
    out
}

fn branch(out: &mut String, sorted: &[&Span], span: &Span, begin: u64, depth: usize) {
    let millis = |nanos: u64| f64::from(u32::try_from(nanos / 1000).unwrap_or(u32::MAX)) / 1000.0;
    let roles = if span.process.roles.contains(',') { "banyan" } else { &span.process.roles };
    let process = format!("{roles} {}", span.process.instance.get(..6).unwrap_or_default());
    let links = if span.links.is_empty() { String::new() } else { format!(", {} link(s)", span.links.len()) };
    let _ = writeln!(
        out,
        "{:>9.3} {:>9.3}  {process:<22}  {:indent$}{} ({}{links})",
        millis(span.start.saturating_sub(begin)),
        millis(span.end.saturating_sub(span.start)),
        "",
        span.name,
        span.kind,
        indent = 2 * depth,
    );
    for child in sorted.iter().filter(|child| child.parent == span.id) {
        branch(out, sorted, child, begin, depth + 1);
    }
}
