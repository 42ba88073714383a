//! Generates messages, clients and servers with a compiler in pure Rust. What `event.proto` persists is generated once,
//! by `corral-event-codec`, and only named here, so that a message has one type.

use std::path::PathBuf;

use prost::Message;

const FILES: [&str; 6] = [
    "corral/v1/common.proto",
    "corral/v1/event.proto",
    "corral/v1/ingest.proto",
    "corral/v1/push.proto",
    "corral/v1/query.proto",
    "corral/v1/session.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../../proto");
    let set = protox::compile(FILES, ["../../proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("corral.v1.descriptors.bin"), set.encode_to_vec())?;

    let mut builder = tonic_prost_build::configure().bytes(".").codec_path("crate::codec::WireCodec");
    let persisted = set.file.iter().filter(|file| file.name() == "corral/v1/event.proto");
    for file in persisted {
        let messages = file.message_type.iter().map(|message| message.name());
        let enums = file.enum_type.iter().map(|kind| kind.name());
        for name in messages.chain(enums) {
            builder = builder.extern_path(format!(".corral.v1.{name}"), format!("::corral_event_codec::proto::{name}"));
        }
    }
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    builder.compile_fds_with_config(set, config)?;
    Ok(())
}
