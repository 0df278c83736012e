//! JSON schemas of charts.
//!
//! Input: the schema, then a line `== values` and the values.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::{CHART_YAML, PROFILES, render, sections};
use windlass_helm::value::Str;

fuzz_target!(|data: &[u8]| {
    let mut sections = sections(data).into_iter();
    let schema = sections.next().unwrap_or_default().1;
    let values = sections.next().unwrap_or_default().1;
    let file = |name: &str, text: &[u8]| (name.to_owned(), Str::from(text));
    let files = [
        file("Chart.yaml", CHART_YAML.as_bytes()),
        file("values.schema.json", &schema),
        file("values.yaml", &values),
    ];
    for profile in PROFILES {
        assert_eq!(
            render(&files, profile),
            render(&files, profile),
            "two runs differ"
        );
    }
});
