//! Making images of the texts that rules found: which bytes they are, and what they hold.

use super::super::config::SearchRule;
use super::super::{Error, scalar};
use super::known::Form;
use super::walk::{Rules, Scope, Value};
use super::{Found, Part, Role, Search, Warning};
use std::ops::Range;
use std::sync::Arc;
use windlass_helm::yaml::{Mark, NodeKind, Style};

impl Scope<'_> {
    /// Adds the image of a field, if it makes up one.
    pub(super) fn field(
        &self,
        value: &Value<'_>,
        form: Form,
        search: &mut Search,
    ) -> Result<(), Error> {
        if form == Form::Other {
            return Ok(());
        }
        let place = self.place(&value.document.node(value.node).value_start);
        if value.text.is_empty() {
            let message = format!("{} is empty, not an image", self.path_of(value));
            search.warnings.push(Warning { place, message });
            return Ok(());
        }
        let Some((image, mut parts)) = self.image(value, form)? else {
            return Ok(());
        };
        parts.sort_by_key(|part| part.span.start);
        search.images.push(Found {
            image,
            place,
            path: self.path_of(value),
            object: Arc::clone(value.object),
            parts,
        });
        Ok(())
    }

    /// The image that a field and those beside it make up, and where its parts are. `None` when
    /// parts are missing, which the controller takes from elsewhere.
    fn image(&self, value: &Value<'_>, form: Form) -> Result<Option<(String, Vec<Part>)>, Error> {
        let part = |role, value: &Value<'_>| self.part(role, value);
        let whole = || (value.text.to_owned(), vec![part(Role::Image, value)]);
        Ok(match form {
            Form::Other => None,
            Form::Image { prefix: "" } => Some(whole()),
            Form::Image { prefix } => {
                let part = self.part_after(prefix, value)?;
                Some((value.text[prefix.len()..].to_owned(), vec![part]))
            }
            Form::Tagged { tag } => value.beside(tag).map(|tag| {
                let parts = vec![part(Role::Repository, value), part(Role::Tag, &tag)];
                (format!("{}:{}", value.text, tag.text), parts)
            }),
            Form::Named {
                repository,
                version,
            } => match (value.beside(repository), value.beside(version)) {
                (None, None) => Some(whole()),
                (Some(folder), Some(version)) => {
                    let parts = vec![
                        part(Role::Folder, &folder),
                        part(Role::Name, value),
                        part(Role::Version, &version),
                    ];
                    let mark = version.text.starts_with("sha256:").then_some('@');
                    let mark = mark.unwrap_or(':');
                    let image = format!("{}/{}{mark}{}", folder.text, value.text, version.text);
                    Some((image, parts))
                }
                _ => None,
            },
            Form::Base { image, .. } if value.beside(image).is_some() => None,
            Form::Base { digest, tags, .. } => {
                let (image, parts) = whole();
                let digest = value.beside(digest).map(|digest| ("@sha256:", digest));
                let tag = || tags.iter().find_map(|tag| Some((":", value.beside(tag)?)));
                Some(match digest.or_else(tag).filter(|_| !is_tagged(&image)) {
                    Some((mark, end)) => (format!("{image}{mark}{}", end.text), parts),
                    None => (image, parts),
                })
            }
        })
    }

    fn part(&self, role: Role, value: &Value<'_>) -> Part {
        let span = scalar::span(self.text, value.document, value.node);
        let raw = std::str::from_utf8(&self.text[span.clone()]).unwrap_or_default();
        let alias = matches!(value.document.node(value.node).kind, NodeKind::Alias(_));
        let quoted = matches!(value.style, Style::SingleQuoted | Style::DoubleQuoted);
        // Quotes stay when nothing inside them is escaped or folded.
        let text = value.text;
        let inside =
            quoted && !alias && raw.len() == text.len() + 2 && &raw[1..=text.len()] == text;
        Part {
            role,
            span: match inside {
                true => span.start + 1..span.end - 1,
                false => span,
            },
            whole: !inside,
            around: Vec::new(),
        }
    }

    /// The image that stands in a text after a prefix.
    fn part_after(&self, prefix: &str, value: &Value<'_>) -> Result<Part, Error> {
        let (span, offsets) = self.inside(value)?;
        let end = span.start + offsets[value.text.len()];
        Ok(Part {
            role: Role::Image,
            span: span.start + offsets[prefix.len()]..end,
            whole: false,
            around: vec![value.style],
        })
    }

    /// Searches the text that a scalar holds and puts the places of its images into this text.
    pub(super) fn embedded(
        &self,
        value: &Value<'_>,
        rules: &[SearchRule],
        search: &mut Search,
    ) -> Result<(), Error> {
        let mut inner = Search::default();
        let scope = Scope {
            text: value.text.as_bytes(),
            lines: self.lines,
            path: &self.path_of(value),
            object: Some(Arc::clone(value.object)),
        };
        let rules = Rules {
            given: rules,
            and_known: false,
        };
        let found = scope.search(rules, |_, search| {
            inner.add(search);
            Ok(())
        });
        match found {
            Err(Error::Yaml { .. }) => return Ok(()),
            found => found?,
        }
        let mut mark = value.document.node(value.node).value_start;
        let place = self.place(&mark);
        let warned = inner.warnings.into_iter().map(|warning| Warning {
            place: place.clone(),
            message: warning.message,
        });
        search.warnings.extend(warned);
        if inner.images.is_empty() {
            return Ok(());
        }
        let (span, offsets) = self.inside(value)?;
        let raw = &self.text[span.clone()];
        for mut found in inner.images {
            for part in &mut found.parts {
                let own = offsets[part.span.start]..offsets[part.span.end];
                // Without one of its lines a text is folded in another way.
                if value.style != Style::Literal && raw[own.clone()].contains(&b'\n') {
                    return Err(self.not_in_place(value));
                }
                part.span = span.start + own.start..span.start + own.end;
                part.around.insert(0, value.style);
            }
            mark = mark_after(self.text, mark, found.parts[0].span.start);
            found.place = self.place(&mark);
            search.images.push(found);
        }
        Ok(())
    }

    /// The bytes of a scalar, and which of them are which bytes of its text.
    fn inside(&self, value: &Value<'_>) -> Result<(Range<usize>, Vec<usize>), Error> {
        let node = value.document.node(value.node);
        let end = node.end.offset.min(self.text.len());
        let span = node.value_start.offset.min(end)..end;
        let raw = std::str::from_utf8(&self.text[span.clone()]).unwrap_or_default();
        let offsets = match node.kind {
            NodeKind::Alias(_) => None,
            _ => scalar::offsets(raw, value.style, value.text),
        };
        offsets
            .map(|offsets| (span, offsets))
            .ok_or_else(|| self.not_in_place(value))
    }

    fn not_in_place(&self, value: &Value<'_>) -> Error {
        Error::NotInPlace {
            place: self.place(&value.document.node(value.node).value_start),
            path: self.path_of(value),
        }
    }
}

/// Whether a reference has a tag or digest.
fn is_tagged(image: &str) -> bool {
    image.contains('@')
        || image
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains(':'))
}

/// Line and column of an offset, counted from a mark before it.
fn mark_after(text: &[u8], mark: Mark, offset: usize) -> Mark {
    let between = &text[mark.offset.min(offset)..offset];
    let characters = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count();
    let lines = between.iter().filter(|&&b| b == b'\n').count();
    let column = match between.iter().rposition(|&b| b == b'\n') {
        Some(at) => characters(&between[at + 1..]) + 1,
        None => mark.column + characters(between),
    };
    Mark {
        offset,
        line: mark.line + lines,
        column,
    }
}
