//! Builds what [`crate::config::TelemetryConfig`] says and makes it the process's own.

use std::{io::IsTerminal as _, sync::Arc};

use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::Registry;
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::{Inner, Telemetry, lines::WithTrace};
use crate::{
    NodeInfo,
    config::{ConfigErrors, LogFormat, OtlpConfig, TelemetryConfig},
};

/// Logs, traces or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("telemetry.log_filter: {0}")]
    Filter(String),
    /// The exporter cannot be made.
    #[error("telemetry.otlp: {0}")]
    Otlp(String),
    /// The metrics cannot be made.
    #[error("metrics: {0}")]
    Metrics(String),
    /// Something in this process has done it already.
    #[error("logging is set up already: {0}")]
    Twice(String),
}

impl TelemetryConfig {
    /// Reports what contradicts itself; `path` is where this section stands, for example `telemetry`.
    pub fn check(&self, path: &str, errors: &mut ConfigErrors) {
        if let Err(error) = log_filter(&self.log_filter) {
            errors.add(format!("{path}.log_filter"), error);
        }
        if !(0.0..=1.0).contains(&self.otlp.sample_ratio) {
            errors.add(format!("{path}.otlp.sample_ratio"), "must be from 0 to 1");
        }
        let is_url = |endpoint: &String| endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if self.otlp.endpoint.as_ref().is_some_and(|endpoint| !is_url(endpoint)) {
            errors.add(format!("{path}.otlp.endpoint"), "must be a URL, for example http://127.0.0.1:4317");
        }
    }
}

/// Sets up logs, traces and metrics for the whole process: to be called once, inside the Tokio runtime, before anything else.
///
/// # Errors
/// When the configuration is wrong, or when it was called before.
pub fn init(config: &TelemetryConfig, node: &NodeInfo) -> Result<Telemetry, TelemetryError> {
    let filter = log_filter(&config.log_filter).map_err(TelemetryError::Filter)?;
    let resource = resource(node);
    let telemetry = build(&config.otlp, &resource)?;
    let traces = telemetry.0.tracers.as_ref().map(trace_layer);
    let logs = log_layer(config.log_format, filter, std::io::stderr, std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(logs).with(traces).try_init().map_err(|error| TelemetryError::Twice(error.to_string()))?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_meter_provider(telemetry.0.meters.clone());
    if let Some(tracers) = &telemetry.0.tracers {
        global::set_tracer_provider(tracers.clone());
    }
    Ok(telemetry)
}

impl Telemetry {
    /// Metrics and traces that belong to nobody: for tests, where many processes live in one.
    ///
    /// # Errors
    /// When the metrics cannot be made.
    pub fn detached() -> Result<Self, TelemetryError> {
        build(&OtlpConfig::default(), &Resource::builder_empty().with_service_name("banyan").build())
    }
}

/// The layer that turns spans of Banyan's own into OpenTelemetry spans of these tracers.
pub fn trace_layer<S>(tracers: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let tracer = tracers.tracer("banyan");
    tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false).with_filter(filter_fn(is_traced))
}

/// Only spans of our own, not those of the libraries that carry them, and what went wrong within.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let limit = if metadata.is_span() { Level::INFO } else { Level::WARN };
    metadata.target().starts_with("banyan") && *metadata.level() <= limit
}

/// Lines of `format` into `writer`; `ansi`: in colours, where the format has any.
pub(super) fn log_layer<S, W>(format: LogFormat, filter: EnvFilter, writer: W, ansi: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Spans cost time at every request, so they go into the log only if somebody is looking for something.
    let with_spans = filter.max_level_hint().is_some_and(|level| level >= LevelFilter::DEBUG);
    let filter = filter.and(filter_fn(move |metadata| with_spans || metadata.is_event()));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Human => {
            let lines = lines.map_event_format(|lines| WithTrace::human(lines.with_ansi(ansi)));
            lines.with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).map_event_format(WithTrace::json).with_filter(filter).boxed(),
    }
}

pub(super) fn log_filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(text)
        .map_err(|error| format!("{text:?} is no filter: {error}"))
}

fn resource(node: &NodeInfo) -> Resource {
    let roles: Vec<&str> = node.roles.iter().map(|role| role.as_str()).collect();
    Resource::builder()
        .with_service_name("banyan")
        .with_attributes([
            KeyValue::new("service.instance.id", node.id.clone()),
            KeyValue::new("service.version", node.version.clone()),
            KeyValue::new("banyan.roles", roles.join(",")),
        ])
        .build()
}

fn build(otlp: &OtlpConfig, resource: &Resource) -> Result<Telemetry, TelemetryError> {
    let registry = Registry::new();
    let prometheus = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(prometheus);
    let mut tracers = None;
    if let Some(endpoint) = &otlp.endpoint {
        meters = meters.with_reader(metric_reader(endpoint, otlp)?);
        tracers = Some(tracer_provider(endpoint, otlp, resource.clone())?);
    }
    Ok(Telemetry(Arc::new(Inner { registry, meters: meters.build(), tracers })))
}

fn metric_reader(endpoint: &str, otlp: &OtlpConfig) -> Result<PeriodicReader<MetricExporter>, TelemetryError> {
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(otlp_error)?;
    Ok(PeriodicReader::builder(exporter).with_interval(otlp.metrics_interval.into()).build())
}

fn tracer_provider(endpoint: &str, otlp: &OtlpConfig, resource: Resource) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().map_err(otlp_error)?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample_ratio)));
    Ok(SdkTracerProvider::builder().with_sampler(sampler).with_resource(resource).with_batch_exporter(exporter).build())
}

fn otlp_error(error: impl std::error::Error) -> TelemetryError {
    TelemetryError::Otlp(error.to_string())
}
