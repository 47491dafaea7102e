//! Compiles the gRPC services; their messages live in `pitcanary_core::v1`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use tonic_prost_build::Builder;

/// Answers whose content is shared, not copied, when they are sent.
const ENCODED: [(&str, &str); 2] = [
    (
        ".pitcanary.v1.ResolvePromptResponse",
        "::pitcanary_core::resolve::EncodedResolveResponse",
    ),
    (
        ".pitcanary.v1.ResolvePromptsResponse",
        "::pitcanary_core::resolve::EncodedResolvePromptsResponse",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let output = PathBuf::from(std::env::var("OUT_DIR")?);
    let protos = ["pitcanary/v1/sidecar.proto", "pitcanary/v1/control.proto"];
    let mut descriptors = protox::compile(protos, [root])?;
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    fs::write(output.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let [sidecar, control] = protos;
    let plain =
        || tonic_prost_build::configure().extern_path(".pitcanary.v1", "::pitcanary_core::v1");
    let encoded = ENCODED.iter().fold(plain(), |builder, (message, path)| {
        builder.extern_path(*message, *path)
    });
    generate(sidecar, plain(), &output.join("sidecar"))?;
    generate(control, plain(), &output.join("control"))?;
    // An encoded answer is only ever written, so nobody reads one.
    generate(
        sidecar,
        encoded.build_client(false),
        &output.join("encoded"),
    )
}

/// Generates the services of one proto file.
fn generate(proto: &str, builder: Builder, output: &Path) -> Result<(), Box<dyn Error>> {
    let mut descriptors = protox::compile([proto], ["../../proto"])?;
    for file in &mut descriptors.file {
        if file.name() != proto {
            file.service.clear();
        }
    }
    fs::create_dir_all(output)?;
    builder.out_dir(output).compile_fds(descriptors)?;
    Ok(())
}
