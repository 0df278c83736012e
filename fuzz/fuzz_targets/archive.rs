//! Chart archives: raw bytes, bytes as the tar within gzip, and entries described by the input, which
//! get past the checksums.
//!
//! Input for the last: entries below headings `== T path`, T being the type of the entry.

#![no_main]

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use windlass_fuzz::{CHART_YAML, PROFILES, sections};
use windlass_helm::chart::Chart;
use windlass_helm::value::Str;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// The entries of the input with right sizes and checksums.
fn tarball(data: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (heading, text) in sections(data).into_iter().skip(1) {
        let (kind, name) = heading.split_at_checked(1).unwrap_or(("0", ""));
        let mut header = tar::Header::new_gnu();
        let name = name.trim_start().as_bytes();
        let fits = name.len().min(100);
        header.as_old_mut().name[..fits].copy_from_slice(&name[..fits]);
        header.set_entry_type(tar::EntryType::new(kind.as_bytes()[0]));
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder
            .append(&header, &*text)
            .expect("memory takes everything");
    }
    builder.into_inner().expect("memory takes everything")
}

fuzz_target!(|data: &[u8]| {
    for archive in [data.to_vec(), gzip(data), gzip(&tarball(data))] {
        let files = vec![
            ("Chart.yaml".to_owned(), Str::from(CHART_YAML)),
            ("charts/sub.tgz".to_owned(), archive.into()),
        ];
        let Ok(chart) = Chart::from_files(files, PROFILES[0]) else {
            continue;
        };
        for file in chart
            .dependencies
            .iter()
            .flat_map(|sub| sub.templates.iter().chain(&sub.files))
        {
            let parts: Vec<&str> = file.name.split('/').collect();
            assert!(
                !parts.contains(&"..") && !parts.contains(&""),
                "{}",
                file.name
            );
        }
    }
});
