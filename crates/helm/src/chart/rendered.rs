//! A rendered chart: its documents, and the text that `helm template` prints of them.
//!
//! How documents are made of what templates wrote is in `manifest.rs`. Follows helm v4
//! `pkg/action/action.go` and `pkg/cmd/template.go`.

use super::hook::Hook;
use super::path_match::path_match;
use super::split::{documents, trim};
use super::{Error, Profile};
use crate::template::{Call, Place};
use crate::value::Str;
use std::fmt;
use std::io::{self, Write};
use std::ops::{Deref, Range};

/// The text of a document: a piece of what its template wrote, which all documents of the template share.
#[derive(Clone)]
pub struct Text {
    whole: Str,
    range: Range<usize>,
}

impl Text {
    /// A piece of a text.
    pub(super) fn of(whole: &Str, range: Range<usize>) -> Self {
        let whole = whole.clone();
        Self { whole, range }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }
}

impl From<Str> for Text {
    fn from(whole: Str) -> Self {
        let range = 0..whole.len();
        Self { whole, range }
    }
}

impl From<Vec<u8>> for Text {
    fn from(text: Vec<u8>) -> Self {
        Str::from(text).into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}

/// One document of a rendered chart.
///
/// `first_line`, `places` and `lines` map each line back to where it was written. A mistake that a server finds in
/// line 7 of the text is told by them as one of a template:
///
/// ```
/// use windlass_helm::chart::{self, Chart, Options, Overrides, Profile, Release};
/// use windlass_helm::template::World;
///
/// let files = [
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0"),
///     ("templates/_parts.tpl", "{{ define \"labels\" }}\na: b\nc: d\n{{- end }}"),
///     ("templates/a.yaml", "# A comment.\n\nkind: Pod\nlabels: {{ include \"labels\" . | nindent 2 }}\n"),
/// ];
/// let files = files.map(|(path, text)| (path.to_owned(), text.into()));
/// let chart = Chart::from_files(files.into(), Profile::Helm4)?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// let overrides = Overrides::default();
/// let (release, options) = (Release::default(), Options::default());
/// let rendered = chart::render(&chart, &overrides, &release, &options, &mut world)?;
///
/// let document = &rendered.documents[0];
/// let text = String::from_utf8_lossy(&document.text);
/// let line = text.lines().position(|line| line.contains("c: d")).expect("it is there") + 1;
/// assert_eq!(document.template_line(line), 4);
/// assert_eq!((document.kind.as_str(), document.hook.is_some()), ("Pod", false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The path of its template, as in `# Source:`.
    pub template: String,
    /// The text, without separator and `# Source:` line.
    pub text: Text,
    /// What makes it a hook, if it is one.
    pub hook: Option<Hook>,
    /// Whether it is a file of `crds/`; such a file is not rendered and may hold several objects.
    pub is_crd: bool,
    /// `apiVersion` as written; empty for files of `crds/`.
    pub api_version: String,
    /// `kind` as written; empty for files of `crds/`.
    pub kind: String,
    /// `metadata.name` as written; empty for files of `crds/`.
    pub name: String,
    /// The line of the template's output where the document begins, from 1.
    pub first_line: usize,
    /// Where the document's first line was written: in the template, then in each template that it
    /// called for that.
    pub places: Vec<Place>,
    /// The line of the template behind each line of the text. A text written by a call has the line of
    /// the call; files of `crds/` have none.
    pub lines: Vec<usize>,
}

/// A rendered chart.
///
/// [`Rendered::to_text`] is what `helm template` prints, byte for byte. Whoever applies the documents takes them from
/// here instead: hooks are told apart, and no text has to be split again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The documents in the order in which they are printed: files of `crds/`, objects in the order of
    /// their kinds, hooks.
    pub documents: Vec<Document>,
    /// The text of `NOTES.txt` of the chart itself.
    pub notes: String,
    /// What Helm would warn of.
    pub warnings: Vec<String>,
    /// The patterns of `--show-only`.
    pub show_only: Vec<String>,
    /// The calls whose result a second render need not repeat, in their order.
    pub calls: Vec<Call>,
}

impl Document {
    /// The line of the template behind a line of the text, both from 1.
    #[must_use]
    pub fn template_line(&self, line: usize) -> usize {
        let at = line.saturating_sub(1);
        let found = self.lines.get(at).or(self.lines.last());
        found.copied().unwrap_or(line)
    }

    /// Prints the document: separator, source and text.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for part in ["---\n# Source: ", &self.template, "\n"] {
            out.write_all(part.as_bytes())?;
        }
        out.write_all(&self.text)?;
        out.write_all(b"\n")
    }

    fn printed(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Nothing fails to be written to memory.
        drop(self.write(&mut text));
        text
    }
}

impl Rendered {
    /// Writes what `helm template` prints, document by document.
    ///
    /// Each document begins with `---` and its `# Source:`. Notes are not in it: Helm prints them only after an
    /// install.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let hooks = self
            .documents
            .iter()
            .position(|document| document.hook.is_some());
        let (objects, hooks) = self
            .documents
            .split_at(hooks.unwrap_or(self.documents.len()));
        // Helm trims the objects as one text.
        if let Some((last, others)) = objects.split_last() {
            others.iter().try_for_each(|document| document.write(out))?;
            out.write_all(trim(&last.printed()))?;
        }
        out.write_all(b"\n")?;
        hooks.iter().try_for_each(|document| document.write(out))
    }

    /// The bytes that `helm template` prints.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Nothing fails to be written to memory.
        drop(self.write(&mut out));
        out
    }

    /// The bytes that `helm template --show-only` prints for the patterns given to the render; those of
    /// [`Rendered::to_text`] when there are none.
    ///
    /// # Errors
    /// A pattern matches nothing.
    pub fn to_selected_text(&self, profile: Profile) -> Result<Vec<u8>, Error> {
        show_only(self.to_text(), &self.show_only, profile)
    }

    /// The documents of the templates that `--show-only` names; all when it names none.
    #[must_use]
    pub fn selected(&self) -> Vec<&Document> {
        let is_named = |document: &Document, pattern: &str| {
            let path = document.template.split_once('/');
            path.is_some_and(|(_, path)| path_match(pattern, path).unwrap_or(false))
        };
        if self.show_only.is_empty() {
            return self.documents.iter().collect();
        }
        let mut found = Vec::new();
        for pattern in &self.show_only {
            let documents = self.documents.iter();
            found.extend(documents.filter(|document| is_named(document, pattern)));
        }
        found
    }

    /// What `helm template --output-dir` writes, in order: path below the directory and text to append.
    #[must_use]
    pub fn to_files(&self) -> Vec<(String, Vec<u8>)> {
        let one = |document: &Document| (document.template.clone(), document.printed());
        self.documents.iter().map(one).collect()
    }
}

/// Of a text that `helm template` prints, the documents that `--show-only` names, told by their first
/// `# Source:` line; all of it when there is no pattern.
///
/// # Errors
/// A pattern matches nothing.
pub fn show_only(text: Vec<u8>, patterns: &[String], profile: Profile) -> Result<Vec<u8>, Error> {
    if patterns.is_empty() {
        return Ok(text);
    }
    let parts = documents(&text, profile);
    let mut out = Vec::new();
    for pattern in patterns {
        let mut missing = true;
        for part in parts.iter().map(|range| &text[range.clone()]) {
            let path = source_path(part);
            if path.is_some_and(|path| path_match(pattern, &path).unwrap_or(false)) {
                out.extend_from_slice(b"---\n");
                out.extend_from_slice(part);
                out.push(b'\n');
                missing = false;
            }
        }
        if missing {
            return Err(Error::ShowOnly(pattern.clone()));
        }
    }
    Ok(out)
}

/// The path after the chart's name in the first `# Source:` line that has one.
fn source_path(document: &[u8]) -> Option<String> {
    String::from_utf8_lossy(document).lines().find_map(|line| {
        let (_, path) = line.split_once("# Source: ")?.1.split_once('/')?;
        (!path.is_empty()).then(|| path.to_owned())
    })
}
