//! The forms of a report: a table for people, JSON for scripts.

use super::flags::Report;
use super::{Context, Error};
use crate::image::{ImageMatcher, Override};
use crate::ui::plain_table;
use serde_json::{Value, json};

/// The version of the document's form.
const SCHEMA_VERSION: u32 = 1;
/// How much of a digest is shown where it is only to be told from others.
const SHORT: usize = "sha256:".len() + 12;

/// One line of a report: its cells, and the same as JSON.
pub(super) type Line = (Vec<String>, Value);

/// Prints a report; `key` is what its lines are called in JSON.
pub(super) fn print(
    report: &Report,
    (key, headings): (&str, &[&str]),
    lines: Vec<Line>,
    context: &Context,
) -> Result<(), Error> {
    let (rows, entries): (Vec<Vec<String>>, Vec<Value>) = lines.into_iter().unzip();
    report.print(
        || match headings {
            [] => String::new(),
            _ => plain_table(headings, &rows),
        },
        || json!({ "schemaVersion": SCHEMA_VERSION, key: entries }),
        context,
    )
}

/// Which images an entry is about, for people.
pub(super) fn image(entry: &Override) -> String {
    match &entry.matcher {
        ImageMatcher::Image(image) => image.clone(),
        ImageMatcher::Repository(repository) => format!("{repository} (any tag)"),
    }
}

/// Where an entry stands.
pub(super) fn place(entry: &Override) -> String {
    format!("{}:{}", entry.place.file, entry.place.line)
}

/// The digest of an image, cut to what tells it from others; the image itself without one.
pub(super) fn short(image: &str) -> &str {
    let digest = image.split_once('@').map_or(image, |(_, digest)| digest);
    digest
        .get(..SHORT)
        .filter(|_| digest.starts_with("sha256:"))
        .unwrap_or(digest)
}
