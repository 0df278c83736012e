//! Chart archives (`.tgz`) into files in memory. Nothing is ever written to disk.
//!
//! Follows helm v4 `pkg/chart/loader/archive/archive.go`, and refuses more than it: links and
//! devices, names that occur twice, archives of very many entries.

use super::load::without_bom;
use crate::limits::{MAX_CHART, MAX_FILES, MAX_RATIO, SMALL_ARCHIVE};
use crate::value::Str;
use crate::value::quote::quoted;
use std::collections::BTreeSet;
use std::io::Read;

/// What an entry counts for beside its content, in bytes: its header.
const ENTRY: u64 = 512;

/// Reads the files of an archive, in its order, with paths relative to the chart.
///
/// # Errors
/// What is not gzip or tar, paths that leave the chart, and everything over the limits.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<(String, Str)>, String> {
    unpack_within(bytes, &mut { MAX_CHART })
}

/// As [`unpack`], with at most `budget` bytes, from which what is unpacked is taken off.
pub(super) fn unpack_within(bytes: &[u8], budget: &mut u64) -> Result<Vec<(String, Str)>, String> {
    unpack_at_most(MAX_FILES, bytes, budget)
}

/// As [`unpack_within`], with at most so many files.
fn unpack_at_most(
    most: usize,
    bytes: &[u8],
    budget: &mut u64,
) -> Result<Vec<(String, Str)>, String> {
    if !is_gzip(bytes) {
        return Err("gzip: invalid header".to_owned());
    }
    if *budget == 0 {
        return Err("the archives in charts/ are too large in all".to_owned());
    }
    let limit = MAX_CHART.min(*budget).min(
        (bytes.len() as u64)
            .saturating_mul(MAX_RATIO)
            .max(SMALL_ARCHIVE),
    );
    let unzipped = flate2::read::MultiGzDecoder::new(bytes);
    // Headers and padding count too: an archive of empty entries is long as well.
    let headroom = 2 * ENTRY * most as u64;
    let mut archive = tar::Archive::new(unzipped.take(limit + headroom));
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    let mut left = limit;
    let mut data = Vec::new();
    let entries = archive.entries().map_err(|error| error.to_string())?;
    for entry in entries {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let kind = entry.header().entry_type();
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() || raw.ends_with('/') || kind.is_pax_global_extensions() {
            continue;
        }
        let name = safe_name(&raw)?;
        if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
            return Err(format!(
                "chart contains {}, which is not a regular file",
                quoted(&raw)
            ));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("chart contains {} twice", quoted(&raw)));
        }
        if files.len() >= most {
            return Err(format!("chart contains more than {most} files"));
        }
        let too_large = || format!("decompressed chart is larger than the maximum size {limit}");
        if entry.size() > left {
            return Err(too_large());
        }
        data.clear();
        entry
            .by_ref()
            .take(left + 1)
            .read_to_end(&mut data)
            .map_err(|error| error.to_string())?;
        left = left.checked_sub(data.len() as u64).ok_or_else(too_large)?;
        files.push((name, Str::from(without_bom(&data))));
    }
    *budget = budget.saturating_sub(limit - left + ENTRY * files.len() as u64);
    if files.is_empty() {
        return Err("no files in chart archive".to_owned());
    }
    Ok(files)
}

/// Whether the bytes begin as gzip does.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// The path below the archive's first directory, if it stays below.
fn safe_name(raw: &str) -> Result<String, String> {
    if raw.contains('\0') {
        return Err(format!("chart contains the illegal name {}", quoted(raw)));
    }
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let (base, rest) = raw.split_once(delimiter).unwrap_or((raw, ""));
    if base == "Chart.yaml" {
        return Err("chart yaml not in base directory".to_owned());
    }
    let rest = rest.replace(delimiter, "/");
    let is_drive = base.len() == 2 && base.ends_with(':');
    if base.is_empty() || is_drive || rest.starts_with('/') {
        return Err(format!(
            "chart illegally contains absolute paths: {}",
            quoted(raw)
        ));
    }
    if base == ".." {
        return Err(format!(
            "chart illegally references parent directory: {}",
            quoted(raw)
        ));
    }
    let name = clean(&rest);
    if name == "." {
        return Err(format!(
            "chart illegally contains content outside the base directory: {}",
            quoted(raw)
        ));
    }
    if name.starts_with("..") {
        return Err(format!(
            "chart illegally references parent directory: {}",
            quoted(raw)
        ));
    }
    let mut head = name.chars();
    if head.next().is_some_and(|c| c.is_ascii_alphabetic())
        && head.next() == Some(':')
        && head.next() == Some('/')
    {
        return Err(format!(
            "chart contains illegally named files: {}",
            quoted(raw)
        ));
    }
    Ok(name)
}

/// `path.Clean` for a relative path.
fn clean(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    if out.is_empty() {
        ".".to_owned()
    } else {
        out.join("/")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{safe_name, unpack};
    use std::io::Write;

    /// An archive of these entries, whatever their names.
    pub(in crate::chart) fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let mut builder = tar::Builder::new(encoder);
        for (name, kind, data) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *data).unwrap();
        }
        let mut encoder = builder.into_inner().unwrap();
        encoder.flush().unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn strips_the_first_directory_and_the_byte_order_mark() {
        let file = tar::EntryType::Regular;
        let bytes = archive(&[
            ("web/", tar::EntryType::Directory, b""),
            ("web/Chart.yaml", file, b"\xef\xbb\xbfname: web"),
            ("web/templates/a.yaml", file, b"a"),
        ]);
        let files = unpack(&bytes).unwrap();
        assert_eq!(files[0].0, "Chart.yaml");
        assert_eq!(files[0].1.as_bytes(), b"name: web");
        assert_eq!(files[1].0, "templates/a.yaml");
    }

    #[test]
    fn refuses_names_that_leave_the_chart() {
        for name in [
            "web/../../x",
            "web/..",
            "web//etc/passwd",
            "/etc/passwd",
            "../x",
            r"C:\x",
            "web/c:/x",
            "web",
            "Chart.yaml",
        ] {
            assert!(safe_name(name).is_err(), "{name}");
        }
        assert!(safe_name("web/a\0b").is_err());
        assert_eq!(
            safe_name(r"web\templates\a.yaml").unwrap(),
            "templates/a.yaml"
        );
        assert_eq!(safe_name("web/a/../b").unwrap(), "b");
    }

    #[test]
    fn refuses_links_duplicates_and_nothing() {
        let file = tar::EntryType::Regular;
        let link = archive(&[("web/x", tar::EntryType::Symlink, b"")]);
        assert!(unpack(&link).unwrap_err().contains("not a regular file"));
        let twice = archive(&[("web/x", file, b"1"), ("web/./x", file, b"2")]);
        assert!(unpack(&twice).unwrap_err().contains("twice"));
        assert_eq!(
            unpack(&archive(&[])).unwrap_err(),
            "no files in chart archive"
        );
        assert!(unpack(b"<html>").is_err());
        assert!(unpack(&archive(&[("web/x", file, b"123")])[..40]).is_err());
    }

    #[test]
    fn counts_entries_without_content() {
        let file = tar::EntryType::Regular;
        let bytes = archive(&[("web/a", file, b""), ("web/b", file, b"")]);
        let mut budget = 1000;
        assert!(super::unpack_within(&bytes, &mut budget).is_ok());
        assert_eq!(budget, 0);
        let error = super::unpack_within(&bytes, &mut budget).unwrap_err();
        assert_eq!(error, "the archives in charts/ are too large in all");
    }

    #[test]
    fn refuses_archives_that_blow_up() {
        let zeros = vec![0; 30 * 1024 * 1024];
        let bomb = archive(&[("web/x", tar::EntryType::Regular, &zeros)]);
        // A thousandfold of its few kilobytes is less than what it holds.
        let error = unpack(&bomb).map(drop).unwrap_err();
        assert!(error.contains("larger than the maximum size"), "{error}");
    }

    #[test]
    fn refuses_archives_of_too_many_files() {
        let file = tar::EntryType::Regular;
        let bytes = archive(&[("web/a", file, b""), ("web/b", file, b"")]);
        assert!(super::unpack_at_most(2, &bytes, &mut { 1000 }).is_ok());
        let error = super::unpack_at_most(1, &bytes, &mut { 1000 }).unwrap_err();
        assert_eq!(error, "chart contains more than 1 files");
    }
}
