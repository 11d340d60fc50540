//! Generates the gRPC and storage messages with protox, so that no protoc need be installed.

use std::{error::Error, fs, path::PathBuf};

/// Messages that carry secrets: src/redacted.rs writes their `Debug` by hand.
const SECRET: [&str; 11] = [
    ".banyan.tenants.v1.TenantKeyRow",
    ".banyan.users.v1.Account",
    ".banyan.users.v1.RegistrationTokenUsed",
    ".banyan.users.v1.SsoFlowRow",
    ".banyan.users.v1.UiaStage",
    ".banyan.userserver.v1.ChangePasswordRequest",
    ".banyan.userserver.v1.CheckPasswordRequest",
    ".banyan.userserver.v1.LoginRequest",
    ".banyan.userserver.v1.LoginResponse",
    ".banyan.userserver.v1.RegisterRequest",
    ".banyan.userserver.v1.UseRegistrationTokenRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for package in fs::read_dir("banyan")? {
        for file in fs::read_dir(package?.path().join("v1"))? {
            files.push(file?.path());
        }
    }
    files.sort();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rerun-if-changed=banyan");
    let descriptors = protox::compile(&files, ["."])?;
    tonic_prost_build::configure().bytes(".").skip_debug(SECRET).compile_fds(descriptors)?;
    Ok(())
}
