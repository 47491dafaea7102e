//! The gRPC sidecar: server, config stream, upload.
