use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::Value;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

use super::{
    TelemetryError, init,
    setup::{log_filter, log_layer, trace_layer},
};
use crate::{
    NodeInfo, Role,
    config::{LogFormat, TelemetryConfig},
};

/// What was written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One subscriber at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The lines that `work` logs, and the spans it makes if `traced`.
fn logged(format: LogFormat, filter: &str, traced: bool, work: impl FnOnce()) -> (String, Vec<SpanData>) {
    let lines = Lines::default();
    let exporter = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let logs = log_layer(format, log_filter(filter).unwrap(), lines.clone(), false);
    let subscriber = tracing_subscriber::registry().with(logs).with(traced.then(|| trace_layer(&tracers)));
    // Which spans anyone wants is remembered for the whole process.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tracing::subscriber::with_default(subscriber, || {
        tracing::callsite::rebuild_interest_cache();
        work();
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    // They end with their provider.
    (text, exporter.get_finished_spans().unwrap())
}

fn work() {
    tracing::info!(target: "banyan_test", answer = 42, "outside \"quoted\"\nof two lines");
    tracing::info_span!(target: "banyan_test", "request").in_scope(|| {
        tracing::warn!(target: "banyan_test", "inside");
        tracing::debug!(target: "banyan_test", "too much");
    });
}

#[test]
fn every_line_of_json_is_an_object_and_names_its_trace() {
    let (text, spans) = logged(LogFormat::Json, "info", true, work);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["message"], "outside \"quoted\"\nof two lines");
    assert_eq!((&lines[0]["level"], &lines[0]["answer"], &lines[0]["target"]), (&"INFO".into(), &42.into(), &"banyan_test".into()));
    assert!(lines[0]["timestamp"].is_string() && lines[0]["trace_id"].is_null(), "{text}");
    let span = &spans[0].span_context;
    assert_eq!(lines[1]["trace_id"], span.trace_id().to_string());
    assert_eq!(lines[1]["span_id"], span.span_id().to_string());
}

#[test]
fn a_line_for_people_names_its_trace_at_its_end() {
    let (text, spans) = logged(LogFormat::Human, "info", true, work);
    let span = spans[0].span_context.clone();
    let end = format!("inside trace_id={} span_id={}\n", span.trace_id(), span.span_id());
    assert!(text.ends_with(&end), "{text}");
    assert!(!text.contains('\u{1b}'), "colours only for a terminal: {text:?}");
}

#[test]
fn without_traces_lines_are_plain() {
    for format in [LogFormat::Human, LogFormat::Json] {
        let (text, _) = logged(format, "info", false, work);
        assert!(text.contains("inside") && !text.contains("trace_id"), "{text}");
    }
}

#[test]
fn spans_are_in_the_log_of_whoever_looks_for_something() {
    let (text, _) = logged(LogFormat::Json, "debug", false, work);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["message"], &last["span"]["name"]), (&"too much".into(), &"request".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_set_up_once_and_for_the_whole_process() {
    let node =
        NodeInfo { id: "n".to_owned(), addr: "a:1".to_owned(), roles: vec![Role::Sync], draining: false, version: "1".to_owned() };
    let wrong = TelemetryConfig { log_filter: "banyan=loudly".to_owned(), ..TelemetryConfig::default() };
    assert!(matches!(init(&wrong, &node), Err(TelemetryError::Filter(_))));
    let config = TelemetryConfig { log_filter: "off".to_owned(), ..TelemetryConfig::default() };
    let telemetry = {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        init(&config, &node).unwrap()
    };
    assert!(matches!(init(&config, &node), Err(TelemetryError::Twice(_))));
    global::meter("banyan").u64_counter("banyan.test.things").build().add(3, &[KeyValue::new("kind", "good")]);
    let text = telemetry.prometheus_text().unwrap();
    let line = text.lines().find(|line| line.starts_with("banyan_test_things_total{")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("kind=\"good\"") && line.ends_with(" 3"), "{line}");
    assert!(text.contains("service_instance_id=\"n\"") && text.contains("banyan_roles=\"sync\""), "{text}");
    // Nothing is exported, so there is nothing to wait for.
    telemetry.flush();
}
