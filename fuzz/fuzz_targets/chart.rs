//! Charts from files in memory: `Chart.yaml`, requirements, locks, sub-charts, values and templates, in
//! both profiles, twice.
//!
//! Input: files, each below its heading `== path`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_fuzz::{PROFILES, files, render, world};
use windlass_helm::chart::{self, Chart, Options, Overrides, Release};

fuzz_target!(|data: &[u8]| {
    let files = files(data);
    for profile in PROFILES {
        assert_eq!(
            render(&files, profile),
            render(&files, profile),
            "two runs differ"
        );
        let Ok(chart) = Chart::from_files(files.clone(), profile) else {
            continue;
        };
        let (overrides, release) = (Overrides::default(), Release::default());
        let options = Options {
            profile,
            include_crds: true,
            ..Options::default()
        };
        if let Ok(rendered) = chart::render(&chart, &overrides, &release, &options, &mut world()) {
            let _ = (rendered.to_text(), rendered.to_files(), rendered.selected());
        }
    }
});
