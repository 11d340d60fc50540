//! The signing keys of our tenants.

use std::{collections::HashMap, sync::Arc};

use banyan_core::ServiceError;
use banyan_rooms::signing::ServerSigner;
use banyan_tenants::Tenants;
use ruma::ServerName;

use crate::SetupError;

/// Signers by server name.
#[derive(Debug)]
pub(crate) struct Signers(HashMap<String, Arc<ServerSigner>>);

impl Signers {
    pub(crate) fn of(tenants: &Tenants) -> Result<Self, SetupError> {
        let mut signers = HashMap::new();
        for tenant in tenants.iter() {
            let key = tenant.key();
            let signer = ServerSigner::new(tenant.name().to_owned(), key.name(), key.secret())
                .map_err(|error| SetupError::SigningKey { tenant: tenant.name().to_string(), problem: error.to_string() })?;
            signers.insert(tenant.name().to_string(), Arc::new(signer));
        }
        Ok(Self(signers))
    }

    /// The signer of a server, if it is one of ours.
    pub(crate) fn find(&self, server: &ServerName) -> Option<&ServerSigner> {
        self.0.get(server.as_str()).map(|signer| &**signer)
    }

    /// The signer of a server that must be one of ours.
    pub(crate) fn get(&self, server: &ServerName) -> Result<&ServerSigner, ServiceError> {
        self.find(server).ok_or_else(|| ServiceError::forbidden(format!("{server} is not served here")))
    }
}
