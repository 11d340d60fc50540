//! The whole configuration: one section per crate or role, each defined where it is used.

use std::path::Path;

use banyan_bus::{BusConfig, BusKind};
use banyan_client_api::ClientApiConfig;
use banyan_federation_api::FederationApiConfig;
use banyan_roomserver::RoomserverConfig;
use banyan_runtime::{
    Role,
    config::{
        ConfigErrors, Environment, HttpConfig, NodeConfig, OwnershipConfig, RuntimeConfig, ShutdownConfig, TelemetryConfig, load,
    },
};
use banyan_store::StoreConfig;
use banyan_sync::SyncConfig;
use banyan_tenants::{TenantConfig, Tenants};
use banyan_userserver::UserserverConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Configuration of Banyan. Every option can also be set by an environment variable: BANYAN_NODE__LISTEN sets node.listen. Secrets are
/// read from files that options name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// This process: its roles and addresses.
    pub(crate) node: NodeConfig,
    /// Where everything is kept.
    pub(crate) store: StoreConfig,
    /// The event bus between processes.
    pub(crate) bus: BusConfig,
    /// Public listeners.
    pub(crate) http: HttpConfig,
    /// Logs, traces and metrics.
    pub(crate) telemetry: TelemetryConfig,
    /// How a process ends.
    pub(crate) shutdown: ShutdownConfig,
    /// Who owns which shard, and when that changes.
    pub(crate) ownership: OwnershipConfig,
    /// The role client-api.
    pub(crate) client_api: ClientApiConfig,
    /// The role roomserver.
    pub(crate) roomserver: RoomserverConfig,
    /// The role userserver.
    pub(crate) userserver: UserserverConfig,
    /// The role sync.
    pub(crate) sync: SyncConfig,
    /// The role federation-api.
    pub(crate) federation_api: FederationApiConfig,
    /// The server names of this installation; at least one.
    pub(crate) tenants: Vec<TenantConfig>,
}

impl Config {
    /// Reads the file and the environment and checks all that can be checked without a store.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let config: Self = load(file, &Environment::of_process())?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigErrors> {
        let mut errors = ConfigErrors::default();
        self.http.check("http", &mut errors);
        self.telemetry.check("telemetry", &mut errors);
        if let Err(problem) = self.userserver.passwords.check() {
            errors.add("userserver.passwords", problem);
        }
        if self.tenants.is_empty() {
            errors.add("tenants", "at least one server name is needed: [[tenants]] with server_name = \"example.org\"");
        } else {
            for error in Tenants::check(&self.tenants).err().into_iter().flatten() {
                errors.add("tenants", error.to_string());
            }
        }
        self.topology(&mut errors);
        errors.or_ok(())
    }

    /// Checks again what the command line may have changed: whether these roles can work with this store and bus.
    pub(crate) fn check_topology(&self) -> Result<(), ConfigErrors> {
        let mut errors = ConfigErrors::default();
        self.topology(&mut errors);
        errors.or_ok(())
    }

    fn topology(&self, errors: &mut ConfigErrors) {
        if self.node.roles.is_empty() {
            errors.add("node.roles", "at least one role is needed");
        }
        let missing: Vec<&str> = Role::ALL.into_iter().filter(|role| !self.node.roles.contains(role)).map(Role::as_str).collect();
        if missing.is_empty() {
            return;
        }
        let missing = missing.join(", ");
        if !self.store.is_shared() {
            errors.add(
                "store.kind",
                format!("only one process can have this store, and it does not run {missing}: use kind = \"cql\""),
            );
        }
        if self.bus.kind == BusKind::Local {
            errors
                .add("bus.kind", format!("the local bus ends at this process, which does not run {missing}: use kind = \"nats\""));
        }
    }

    /// The sections that the runtime takes.
    pub(crate) fn runtime(&self) -> RuntimeConfig {
        RuntimeConfig {
            node: self.node.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
            ownership: self.ownership.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use banyan_runtime::config::example;

    use super::*;

    fn tenant() -> Vec<TenantConfig> {
        vec![TenantConfig::new("example.org")]
    }

    #[test]
    fn the_example_reads_back_as_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("banyan.toml");
        std::fs::write(&file, example::<Config>()).unwrap();
        assert_eq!(load::<Config>(Some(&file), &Environment::default()).unwrap(), Config::default());
    }

    #[test]
    fn every_option_of_the_example_has_a_meaning() {
        let text = example::<Config>();
        let mut previous = "";
        for line in text.lines() {
            let is_option = line.trim_start_matches("# ").split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
            if is_option && !line.starts_with("# #") {
                assert!(previous.trim_start().starts_with('#'), "no meaning above: {line}");
            }
            previous = line;
        }
        assert!(text.contains("server_name"), "tenants are missing");
    }

    #[test]
    fn one_process_with_every_role_is_fine_on_the_defaults() {
        assert_eq!(Config { tenants: tenant(), ..Config::default() }.check(), Ok(()));
    }

    #[test]
    fn a_lone_role_needs_a_shared_store_and_bus() {
        let mut config = Config { tenants: tenant(), ..Config::default() };
        config.node.roles = vec![Role::Sync];
        let errors = config.check().unwrap_err();
        let keys: Vec<_> = errors.mistakes().iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(keys, ["store.kind", "bus.kind"]);
    }

    #[test]
    fn tenants_are_needed() {
        let errors = Config::default().check().unwrap_err();
        assert_eq!(errors.mistakes().len(), 1, "told once: {errors}");
        assert_eq!(errors.mistakes()[0].key, "tenants");
    }
}
