//! An OpenTelemetry collector: takes traces and metrics by OTLP over gRPC and keeps them for a test to look at.

use std::{collections::BTreeMap, sync::Arc};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, task::AbortHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use crate::spans::{Process, Span};

/// More than a test of a minute makes; beyond, exporters are refused.
const MOST_SPANS: usize = 500_000;

/// A collector on a port of its own. Ends when dropped.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    received: Arc<Received>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Received {
    spans: Mutex<Vec<Span>>,
    metrics: Mutex<BTreeMap<String, Metric>>,
}

/// What came of one metric.
#[derive(Clone, Debug, Default)]
pub struct Metric {
    /// Its unit; may be empty.
    pub unit: String,
    /// Who sent it.
    pub processes: Vec<Process>,
}

impl Collector {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it cannot listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let received = Arc::new(Received::default());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Service(received.clone())))
            .add_service(MetricsServiceServer::new(Service(received.clone())))
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async move { server.await.expect("a collector that serves") }).abort_handle();
        Self { endpoint, received, task }
    }

    /// The section of a configuration that sends everything here.
    #[must_use]
    pub fn config(&self) -> String {
        format!("[telemetry.otlp]\nendpoint = \"{}\"\nsample_ratio = 1.0\nmetrics_interval = \"1s\"\n", self.endpoint)
    }

    /// The spans so far for which `wanted` holds.
    pub fn spans(&self, wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        self.received.spans.lock().iter().filter(|span| wanted(span)).cloned().collect()
    }

    /// The metrics so far, by name.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        self.received.metrics.lock().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Service(Arc<Received>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.spans.lock();
        for of_process in request.into_inner().resource_spans {
            let process = process(of_process.resource);
            let new = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(new.map(|span| Span::read(span, &process)));
        }
        if spans.len() > MOST_SPANS {
            return Err(Status::resource_exhausted("too many spans for a test"));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut metrics = self.0.metrics.lock();
        for of_process in request.into_inner().resource_metrics {
            let process = process(of_process.resource);
            for metric in of_process.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let known = metrics.entry(metric.name).or_default();
                known.unit = metric.unit;
                if !known.processes.contains(&process) {
                    known.processes.push(process.clone());
                }
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn process(resource: Option<Resource>) -> Process {
    let mut attributes = attributes(resource.unwrap_or_default().attributes);
    let mut take = |name: &str| attributes.remove(name).unwrap_or_default();
    Process { service: take("service.name"), instance: take("service.instance.id"), roles: take("banyan.roles") }
}

/// Attributes as text.
pub(crate) fn attributes(list: Vec<KeyValue>) -> BTreeMap<String, String> {
    list.into_iter().map(|KeyValue { key, value, .. }| (key, text(value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}
