//! What the OAuth 2.0 API keeps (specification: Client-Server API, "OAuth 2.0 API"): apps, codes, devices that wait, approvals. All of it is
//! conditional rows under hashes, so that every replica goes on where another one stopped, and nothing is used twice.

mod approval;
mod client;
mod code;
mod device;

pub use approval::OauthApprovals;
pub use client::OauthClients;
pub use code::{Code, NewCode, OauthCodes};
pub use device::{DeviceCodes, OauthDevices, Polled};
