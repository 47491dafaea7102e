//! Compiles the protobuf messages without a protoc binary.

use std::path::Path;

const PROTOS: [&str; 4] = [
    "pitcanary/v1/sketch.proto",
    "pitcanary/v1/sidecar.proto",
    "pitcanary/v1/control.proto",
    "pitcanary/v1/admin.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(PROTOS, [root])?;
    prost_build::Config::new()
        // Ordered maps: the same message always encodes to the same bytes.
        .btree_map(["."])
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
