//! What can be wrong with a tenant.

use std::path::PathBuf;

use banyan_store::StoreError;

/// A tenant that cannot be served. Every message names the tenant, the option and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The configuration contradicts itself or the specification.
    #[error("tenant {tenant}: {option}: {problem}")]
    Config {
        /// The tenant's server name, as configured.
        tenant: String,
        /// The option's path within the tenant, for example `registration.tokens[0]`.
        option: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A secret file cannot be read.
    #[error("tenant {tenant}: {option}: cannot read {}: {source}", path.display())]
    SecretFile {
        /// The tenant's server name.
        tenant: String,
        /// The option that names the file.
        option: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A secret file was read and is not what it should be.
    #[error("tenant {tenant}: {option}: {}: {problem}", path.display())]
    SecretContent {
        /// The tenant's server name.
        tenant: String,
        /// The option that names the file.
        option: String,
        /// The file.
        path: PathBuf,
        /// What is wrong; never quotes the content.
        problem: String,
    },
    /// There is no tenant.
    #[error("no tenant is configured: name at least one server_name")]
    None,
    /// The signing key cannot be read from or written to the store.
    #[error("tenant {tenant}: signing key: {source}")]
    Store {
        /// The tenant's server name.
        tenant: String,
        /// What the store said.
        source: StoreError,
    },
}

impl TenantError {
    pub(crate) fn config(tenant: &str, option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { tenant: tenant.to_owned(), option: option.into(), problem: problem.into() }
    }
}
