//! Who may import and who may call whom: docs/architecture.md, "Layout" and "Roles". A rule that nothing enforces rots.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use banyan_runtime::Role;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

fn workspace() -> cargo_metadata::Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The folder of a workspace package: `crates/log`, `services/sync`, `proto`.
fn folder(package: &Package) -> String {
    let path = package.manifest_path.parent().expect("a folder");
    path.strip_prefix(root().to_str().expect("UTF-8")).expect("inside the workspace").to_string()
}

/// Workspace packages by folder, with the names of what they depend on outside tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let workspace = workspace();
    let packages = workspace.workspace_packages();
    assert!(packages.len() > 10, "the workspace was not read");
    let used = |package: &&Package| {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        normal.map(|dependency| dependency.name.clone()).collect()
    };
    packages.iter().map(|package| (folder(package), used(package))).collect()
}

fn service_packages() -> BTreeSet<String> {
    let services = dependencies().into_keys().filter_map(|folder| folder.strip_prefix("services/").map(str::to_owned));
    services.filter(|name| name != "banyan").map(|name| format!("banyan-{name}")).collect()
}

#[test]
fn only_the_composition_root_imports_services() {
    let services = service_packages();
    assert!(services.contains("banyan-sync"), "no services found: {services:?}");
    for (folder, used) in dependencies() {
        if folder == "services/banyan" {
            continue;
        }
        let imported: Vec<_> = used.intersection(&services).collect();
        assert!(imported.is_empty(), "{folder} imports {imported:?}; only services/banyan may");
    }
}

#[test]
fn only_the_store_knows_databases_and_only_the_bus_knows_nats() {
    for (library, home) in [("scylla", "crates/store"), ("fjall", "crates/store"), ("async-nats", "crates/bus")] {
        let users: Vec<_> =
            dependencies().into_iter().filter(|(_, used)| used.contains(library)).map(|(folder, _)| folder).collect();
        assert_eq!(users, [home], "{library} belongs in {home}");
    }
}

#[test]
fn use_cases_know_neither_axum_nor_tonic() {
    let mut seen = 0;
    for service in fs::read_dir(root().join("services")).expect("services") {
        let app = service.expect("entry").path().join("src/app");
        for file in rust_files(&app) {
            seen += 1;
            let text = fs::read_to_string(&file).expect("source");
            for word in ["axum::", "tonic::"] {
                assert!(!text.contains(word), "{} uses {word}; use cases take and give plain types", file.display());
            }
        }
    }
    assert!(seen > 10, "no use cases were found");
}

/// A service calls another by naming its generated client; these are the edges that exist.
fn calls_in_source() -> BTreeSet<(Role, Role)> {
    let mut calls = BTreeSet::new();
    for caller in Role::ALL {
        for file in rust_files(&root().join("services").join(caller.as_str()).join("src")) {
            let text = fs::read_to_string(&file).expect("source");
            for callee in Role::ALL {
                let package = callee.as_str().replace('-', "_");
                if text.contains(&format!("{package}::"))
                    && text.contains(&format!("{}_service_client", package.trim_end_matches("server")))
                {
                    calls.insert((caller, callee));
                }
            }
        }
    }
    calls
}

#[test]
fn services_call_only_along_the_call_graph() {
    let allowed: BTreeSet<(Role, Role)> =
        Role::ALL.into_iter().flat_map(|from| from.calls().iter().map(move |to| (from, *to))).collect();
    let found = calls_in_source();
    assert!(!found.is_empty(), "no calls were found: the test does not see the clients any more");
    let forbidden: Vec<_> = found.difference(&allowed).collect();
    assert!(forbidden.is_empty(), "calls that the graph in banyan_runtime::Role does not allow: {forbidden:?}");
}

#[test]
fn the_call_graph_has_no_cycle() {
    // Kahn: take away roles that nothing left calls, until none is left.
    let mut left: BTreeSet<Role> = Role::ALL.into_iter().collect();
    while !left.is_empty() {
        let free = left.iter().copied().find(|role| !left.iter().any(|from| from.calls().contains(role)));
        let role = free.unwrap_or_else(|| panic!("a cycle among {left:?}"));
        left.remove(&role);
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
