//! TOML for `toToml` and `fromToml`, as github.com/BurntSushi/toml v1.6.0 writes and reads it.

mod datetime;
mod decode;
mod encode;
mod scan;

pub(super) use decode::decode;
pub(super) use encode::encode;
