//! End-to-end keys of users and their devices (client-server specification, "End-to-End Encryption"): what may be uploaded, what a claim
//! takes, and which signatures hold. Pure: the userserver decides with it, and others read the outcome.

pub mod cross_signing;
pub mod pool;
pub mod signature;
pub mod upload;
