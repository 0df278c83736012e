//! Tests against a real cluster and real registries: the testbed, or what its variables name.

mod registry;
