//! All tenants of this installation.

use std::{collections::HashMap, sync::Arc};

use banyan_core::{Clock, Entropy};
use banyan_store::Store;

use crate::{Tenant, TenantConfig, TenantError, host::HostMap, key_store, tenant};

/// The tenants. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Vec<Arc<Tenant>>,
    by_name: HashMap<String, usize>,
    by_host: HostMap,
}

impl Tenants {
    /// Checks the configuration, reads the secret files, and takes the signing keys from the store; makes those that are missing.
    ///
    /// # Errors
    /// One clear message naming tenant, option and path; or the store failed.
    pub async fn load(
        configs: &[TenantConfig],
        store: &dyn Store,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Self, TenantError> {
        // Everything that can be wrong without the store comes first.
        let mut checked = Vec::with_capacity(configs.len());
        for config in configs {
            checked.push(tenant::check(config)?);
        }
        check_hosts(configs)?;
        let mut tenants = Vec::with_capacity(configs.len());
        for (config, (name, mut secrets)) in configs.iter().zip(checked) {
            let keys = key_store::load(store, clock, entropy, name.as_str(), secrets.signing_key.take())
                .await
                .map_err(|source| TenantError::Store { tenant: name.to_string(), source })?;
            tenants.push(Tenant::assemble(name, config.clone(), keys.current, keys.old, secrets)?);
        }
        Self::new(tenants)
    }

    /// Checks configurations and the secret files they name, without a store: what `banyan check-config` asks.
    ///
    /// # Errors
    /// One error for each tenant that has one.
    pub fn check(configs: &[TenantConfig]) -> Result<(), Vec<TenantError>> {
        let mut errors: Vec<_> = configs.iter().filter_map(|config| tenant::check(config).err()).collect();
        errors.extend(check_hosts(configs).err());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// These tenants.
    ///
    /// # Errors
    /// There is none, or two share a name or host.
    pub fn new(tenants: Vec<Tenant>) -> Result<Self, TenantError> {
        let by_host = host_map(tenants.iter().map(Tenant::config))?;
        let by_name = tenants.iter().enumerate().map(|(n, tenant)| (tenant.name().to_string(), n)).collect();
        Ok(Self(Arc::new(Inner { all: tenants.into_iter().map(Arc::new).collect(), by_name, by_host })))
    }

    /// The tenant with this server name. Server names are case-sensitive (specification, appendices, "Server Name").
    #[must_use]
    pub fn get(&self, server_name: &str) -> Option<Arc<Tenant>> {
        self.0.by_name.get(server_name).map(|n| self.0.all[*n].clone())
    }

    /// The tenant that a Host header picks; case and port do not matter, unless tenants differ only by port.
    #[must_use]
    pub fn by_host(&self, host: &str) -> Option<Arc<Tenant>> {
        self.0.by_host.find(host).map(|n| self.0.all[n].clone())
    }

    /// The tenant a user, room alias or other id `…:server_name` belongs to, if it is one of ours.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<Arc<Tenant>> {
        id.split_once(':').and_then(|(_, server_name)| self.get(server_name))
    }

    /// Whether a server name is one of ours.
    #[must_use]
    pub fn is_local(&self, server_name: &str) -> bool {
        self.0.by_name.contains_key(server_name)
    }

    /// Whether an id `…:server_name` belongs to one of our tenants.
    #[must_use]
    pub fn is_local_id(&self, id: &str) -> bool {
        id.split_once(':').is_some_and(|(_, server_name)| self.is_local(server_name))
    }

    /// All tenants, in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Tenant>> {
        self.0.all.iter()
    }
}

fn check_hosts(configs: &[TenantConfig]) -> Result<(), TenantError> {
    host_map(configs.iter()).map(|_| ())
}

fn host_map<'a>(configs: impl Iterator<Item = &'a TenantConfig>) -> Result<HostMap, TenantError> {
    let mut hosts = HostMap::default();
    let mut count = 0;
    for (n, config) in configs.enumerate() {
        hosts.add(&config.server_name, &config.server_name, n)?;
        for host in &config.hosts {
            hosts.add(&config.server_name, host, n)?;
        }
        count += 1;
    }
    if count == 0 { Err(TenantError::None) } else { Ok(hosts) }
}
