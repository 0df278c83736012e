//! Tests of the whole client.

mod answers;

use super::is_local;

#[test]
fn only_names_of_this_machine_are_local() {
    for local in [
        "localhost",
        "localhost:5000",
        "127.0.0.1:5000",
        "[::1]:5000",
        "reg.local:80",
    ] {
        assert!(is_local(local), "{local}");
    }
    for remote in [
        "ghcr.io",
        "10.0.0.1:5000",
        "127.0.0.1.evil.io",
        "localhost.io",
        "local",
    ] {
        assert!(!is_local(remote), "{remote}");
    }
}
