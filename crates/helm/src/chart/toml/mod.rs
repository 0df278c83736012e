//! TOML for `toToml` and `fromToml`, as github.com/BurntSushi/toml v1.6.0 writes and reads it.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::encode;
