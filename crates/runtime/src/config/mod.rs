//! Configuration: what is common to all processes, how it is read, and how it is explained.
//!
//! Every section is a typed struct with a default for each option. A root type, which the program assembles from sections, is read by
//! [`load`] and printed with its meanings by [`example`].

mod duration;
mod example;
mod listeners;
mod load;
mod mistake;
mod node;
mod ownership;
mod shutdown;
mod telemetry;

pub use duration::{HumanDuration, ParseDurationError};
pub use example::example;
pub use listeners::{ClientListenerConfig, FederationListenerConfig, HttpConfig};
pub use load::{Environment, load};
pub use mistake::{ConfigErrors, Mistake};
pub use node::{GrpcConfig, NodeConfig};
pub use ownership::OwnershipConfig;
pub use shutdown::ShutdownConfig;
pub use telemetry::{LogFormat, OtlpConfig, TelemetryConfig};

/// The sections that the runtime itself needs; the program's root type has each of them under the field's name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeConfig {
    /// Addresses and roles.
    pub node: NodeConfig,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
    /// How a process ends.
    pub shutdown: ShutdownConfig,
    /// Who owns which shard.
    pub ownership: OwnershipConfig,
}
