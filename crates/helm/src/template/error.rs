//! Why a template could not be parsed or executed: where, at which expression, and through which
//! calls of `include` and `tpl`.
//!
//! `Display` is Go's text on one line, byte for byte; [`Error::trace`] is the layout of Helm 4.

use crate::value::Str;
use crate::value::quote::quoted;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not a template.
    Parse,
    /// The template failed while it ran.
    Exec,
    /// There is no template of that name.
    NoTemplate,
}

/// A failure of a template.
///
/// It keeps the whole way: the place in the text, the expression as Go prints it, the cause, and the errors of templates
/// that were run by `include` and `tpl` underneath.
///
/// ```
/// use windlass_helm::template::{ErrorKind, Templates, World};
/// use windlass_helm::value::Value;
///
/// let mut templates = Templates::new(&[]);
/// templates.parse("t", "a: 1\nb: {{ .Name.first }}\n")?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// let error = templates.execute("t", &Value::int(1), &mut world).unwrap_err();
/// assert_eq!((error.kind(), error.file(), error.line()), (ErrorKind::Exec, "t", 2));
/// assert_eq!(error.cause(), "can't evaluate field Name in type int");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Error(Box<Detail>);

/// The parts of an [`Error`].
pub(super) struct Detail {
    pub(super) kind: ErrorKind,
    /// The name the text was parsed under.
    pub(super) file: Rc<str>,
    /// The line from 1; 0 when there is no position.
    pub(super) line: usize,
    /// The bytes before the position in its line.
    pub(super) column: usize,
    /// The text that was parsed.
    pub(super) source: Str,
    /// The template that ran.
    pub(super) template: Rc<str>,
    /// The expression as Go prints it.
    pub(super) context: String,
    /// The cause, up to the text of `inner`.
    pub(super) cause: String,
    /// Whether a called function failed, rather than the template itself.
    pub(super) from_function: bool,
    /// The failure of a template that the failing function ran.
    pub(super) inner: Option<Error>,
}

impl Drop for Detail {
    /// Drops the errors underneath one by one: there can be more of them than the stack holds.
    fn drop(&mut self) {
        let mut next = self.inner.take();
        while let Some(mut error) = next {
            next = error.0.inner.take();
        }
    }
}

impl Error {
    pub(super) fn new(detail: Detail) -> Self {
        Self(Box::new(detail))
    }

    /// A parse error in a line of a file.
    pub(super) fn parse(file: &Rc<str>, line: usize, source: &Str, cause: String) -> Self {
        Self::new(Detail {
            kind: ErrorKind::Parse,
            file: Rc::clone(file),
            line,
            column: 0,
            source: source.clone(),
            template: Rc::clone(file),
            context: String::new(),
            cause,
            from_function: false,
            inner: None,
        })
    }

    /// The error of running a template that does not exist in a set.
    pub(super) fn no_template(name: &[u8], root: &Rc<str>) -> Self {
        let cause = format!(
            "no template {} associated with template {}",
            quoted(name),
            quoted(&**root)
        );
        Self::new(Detail {
            kind: ErrorKind::NoTemplate,
            file: Rc::clone(root),
            line: 0,
            column: 0,
            source: Str::from(""),
            template: Rc::clone(root),
            context: String::new(),
            cause,
            from_function: false,
            inner: None,
        })
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the text the position is in, as given to
    /// [`Templates::parse`](super::Templates::parse).
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The line, counted from 1; 0 when there is no position.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The number of bytes before the position in its line. Parse errors have no column.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        (self.0.kind == ErrorKind::Exec).then_some(self.0.column)
    }

    /// The text that was parsed: a file of the chart, or what was given to `tpl`.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.0.source
    }

    /// The text of the line, for an excerpt.
    #[must_use]
    pub fn source_line(&self) -> Cow<'_, str> {
        let mut lines = self.0.source.split(|&byte| byte == b'\n');
        let line = self
            .0
            .line
            .checked_sub(1)
            .and_then(|before| lines.nth(before));
        String::from_utf8_lossy(line.unwrap_or_default())
    }

    /// The name of the template that ran.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.0.template
    }

    /// The expression that failed, as Go prints it; empty for parse errors.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// The cause without position; with [`Error::inner`], only what comes before that one's text.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.0.cause
    }

    /// The failure of the template that `include` or `tpl` ran here.
    #[must_use]
    pub fn inner(&self) -> Option<&Self> {
        self.0.inner.as_ref()
    }

    /// This error and those underneath, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |error| error.inner())
    }

    /// `FILE:LINE` for parse errors, `FILE:LINE:COLUMN` for others.
    #[must_use]
    pub fn location(&self) -> String {
        let Detail {
            kind,
            file,
            line,
            column,
            ..
        } = &*self.0;
        match kind {
            ErrorKind::Parse => format!("{file}:{line}"),
            ErrorKind::Exec => format!("{file}:{line}:{column}"),
            ErrorKind::NoTemplate => file.to_string(),
        }
    }

    /// Helm 4's layout over several lines, a level for each template; `None` where Helm 4 keeps the
    /// one-line text, which it does when a function other than `include` is the cause.
    ///
    /// Follows helm v4 `pkg/engine/engine.go`, `reformatExecErrorMsg`.
    #[must_use]
    pub fn trace(&self) -> Option<String> {
        if self.0.kind != ErrorKind::Exec {
            return None;
        }
        let mut out = String::new();
        let mut last = String::new();
        for error in self.chain() {
            let frame = error.frame()?;
            if frame != last {
                out.push_str(&frame);
            }
            last = frame;
        }
        Some(out.trim().to_owned())
    }

    /// One level of [`Error::trace`].
    fn frame(&self) -> Option<String> {
        let Detail {
            template,
            context,
            cause,
            ..
        } = &*self.0;
        if self.0.kind == ErrorKind::NoTemplate {
            return Some(format!("template: {cause}\n"));
        }
        let calls_template = self.0.inner.is_some() && cause.starts_with("error calling ");
        let passes_on = calls_template && cause.ends_with(": ") && cause.matches(": ").count() == 1;
        if self.0.kind == ErrorKind::Parse || (self.0.from_function && !passes_on) {
            return None;
        }
        let name = quoted(&**template);
        let name = name.trim_matches('"');
        if name.contains('"') {
            return None;
        }
        let rest = format!("{context}>: {cause}");
        let (at, message) = rest.split_once(">: ").unwrap_or((&rest, ""));
        let message = if passes_on {
            message.trim_end()
        } else {
            message
        };
        let message = message.split(" template:").next().unwrap_or_default();
        Some(format!(
            "{}\n  executing \"{name}\" at <{at}>:\n    {message}\n",
            self.location()
        ))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.chain() {
            let Detail {
                kind,
                template,
                context,
                cause,
                ..
            } = &*error.0;
            match kind {
                ErrorKind::NoTemplate => write!(f, "template: {cause}")?,
                ErrorKind::Parse => write!(f, "template: {}: {cause}", error.location())?,
                ErrorKind::Exec => {
                    let (location, name) = (error.location(), quoted(&**template));
                    write!(
                        f,
                        "template: {location}: executing {name} at <{context}>: {cause}"
                    )?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Error {}
