//! An answer that had to wait says which traces it had to wait for, so that the waiting request can be linked to them.

use tonic::metadata::{MetadataMap, MetadataValue};
use tracing::Span;

use super::propagation::link;

/// Metadata of such an answer: a W3C trace context for each.
const CAUSE: &str = "banyan-cause";

/// Adds trace contexts to an answer's metadata.
pub fn add_causes(metadata: &mut MetadataMap, causes: &[String]) {
    for cause in causes {
        if let Ok(value) = MetadataValue::try_from(cause) {
            metadata.append(CAUSE, value);
        }
    }
}

/// Links `span` to the traces that an answer names.
pub fn link_causes(span: &Span, metadata: &MetadataMap) {
    for cause in metadata.get_all(CAUSE).iter().filter_map(|value| value.to_str().ok()) {
        link(span, cause);
    }
}
