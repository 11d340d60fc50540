//! How a node is set up.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use super::fetch;

/// Settings of a Cassandra that a test may want to change.
#[derive(Clone, Debug)]
pub struct CassandraOptions {
    /// When an acknowledged write is on disk: `batch` (at once), `group`, or `periodic` (up to ten seconds later).
    pub commitlog_sync: &'static str,
    /// `v1` or `v2`.
    pub paxos_variant: &'static str,
    /// Megabytes of heap.
    pub heap: u32,
}

impl Default for CassandraOptions {
    fn default() -> Self {
        Self { commitlog_sync: "batch", paxos_variant: "v2", heap: 768 }
    }
}

/// What Cassandra's libraries reach for inside Java 17.
const OPENED: &[(&str, &[&str])] = &[
    (
        "java.base",
        &[
            "java.io",
            "java.lang",
            "java.lang.module",
            "java.lang.reflect",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "jdk.internal.loader",
            "jdk.internal.math",
            "jdk.internal.misc",
            "jdk.internal.module",
            "jdk.internal.ref",
            "jdk.internal.reflect",
            "jdk.internal.util",
            "jdk.internal.util.jar",
            "sun.net",
            "sun.nio.ch",
        ],
    ),
    ("java.rmi", &["sun.rmi.registry", "sun.rmi.server", "sun.rmi.transport", "sun.rmi.transport.tcp"]),
    ("jdk.management", &["com.sun.management.internal"]),
    ("java.management.rmi", &["com.sun.jmx.remote.internal.rmi"]),
];

impl CassandraOptions {
    fn yaml(&self, dir: &Path, address: &str, seed: &str) -> String {
        let sync = match self.commitlog_sync {
            "periodic" => "commitlog_sync_period: 10000ms\n",
            "group" => "commitlog_sync_group_window: 2ms\n",
            _ => "",
        };
        let dir = dir.display();
        let Self { commitlog_sync, paxos_variant, .. } = self;
        format!(
            "cluster_name: banyan-test\nnum_tokens: 8\npartitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
             endpoint_snitch: SimpleSnitch\nlisten_address: {address}\nrpc_address: {address}\n\
             seed_provider:\n  - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n    parameters:\n      - seeds: \"{seed}\"\n\
             commitlog_sync: {commitlog_sync}\n{sync}paxos_variant: {paxos_variant}\nauto_snapshot: false\n\
             commitlog_segment_size: 16MiB\ncommitlog_total_space: 256MiB\n\
             read_request_timeout: 4s\nwrite_request_timeout: 4s\ncas_contention_timeout: 4s\n\
             data_file_directories: [\"{dir}/data\"]\ncommitlog_directory: \"{dir}/commitlog\"\nhints_directory: \"{dir}/hints\"\n\
             saved_caches_directory: \"{dir}/saved_caches\"\ncdc_raw_directory: \"{dir}/cdc\"\n"
        )
    }

    /// The command that runs a node with its data in `dir`. It ends when this process does, however that ends.
    pub(super) fn command(&self, dir: &Path, address: &str, seed: &str) -> Command {
        // A shell is replaced by Java; its child watches over the test process, whose statics are never dropped.
        let watch = "(while kill -0 $PPID 2>/dev/null; do sleep 1; done; kill -9 $$) </dev/null >/dev/null 2>&1 &";
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{watch}\n{}", self.java(dir, address, seed)));
        command
    }

    /// The command that runs a node of its own with its data in `dir`, which exists. It outlives this process.
    ///
    /// # Panics
    /// If Java 17 or Maven are missing (the text names what to install).
    #[must_use]
    pub fn lasting_command(&self, dir: &Path, address: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(self.java(dir, address, address));
        command
    }

    /// Writes the configuration, and gives the line of shell that becomes Java.
    fn java(&self, dir: &Path, address: &str, seed: &str) -> String {
        fs::write(dir.join("cassandra.yaml"), self.yaml(dir, address, seed)).expect("a configuration file");
        let heap = self.heap;
        let mut java = format!(
            "exec '{}' -cp '{}/*' -Xms256M -Xmx{heap}M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss384k \
             -Dcassandra.config='file://{dir}/cassandra.yaml' -Dlogback.configurationFile='{}/cassandra/logback.xml' \
             -Dcassandra.storagedir='{dir}' -Dcassandra.ring_delay_ms=2000 -Dcassandra.skip_wait_for_gossip_to_settle=0 \
             -Djdk.attach.allowAttachSelf=true -Dio.netty.tryReflectionSetAccessible=true",
            fetch::java().display(),
            fetch::jars().display(),
            env!("CARGO_MANIFEST_DIR"),
            dir = dir.display(),
        );
        for (module, packages) in OPENED {
            for package in *packages {
                write!(java, " --add-opens {module}/{package}=ALL-UNNAMED --add-exports {module}/{package}=ALL-UNNAMED")
                    .expect("a string");
            }
        }
        java.push_str(" org.apache.cassandra.service.CassandraDaemon");
        java
    }
}
