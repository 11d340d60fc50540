//! The words that every part of Banyan shares: names of shards and positions, the one error that crosses a service border, the
//! injected clock and randomness, and how text is compared. It knows no storage, no network and no HTTP.

pub mod clock;
pub mod entropy;
pub mod error;
pub mod fold;
pub mod html;
pub mod request_id;
pub mod shard;

pub use clock::{Clock, ManualClock, SystemClock, TimestampMicros};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use error::{ErrorCode, ServiceError};
pub use request_id::RequestId;
pub use shard::{Epoch, LogId, LogKind, LogSeq, ShardCount, ShardId};
