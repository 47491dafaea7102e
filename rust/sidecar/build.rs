//! Compiles the gRPC services; their messages live in `pitcanary_core::v1`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let protos = ["pitcanary/v1/sidecar.proto", "pitcanary/v1/control.proto"];
    let descriptors = protox::compile(protos, [root])?;
    let output = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        output.join("descriptors.bin"),
        prost::Message::encode_to_vec(&descriptors),
    )?;
    tonic_prost_build::configure()
        .extern_path(".pitcanary.v1", "::pitcanary_core::v1")
        .compile_fds(descriptors)?;
    Ok(())
}
