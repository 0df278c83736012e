//! Writers of the event stream: lines for people, JSON lines for scripts, workflow commands for
//! GitHub, folding sections for GitLab.

use super::label::{Label, paint};
use super::{Ui, seconds};
use crate::event::{Actuation, Event, Reconcile, Sink};
use crate::object::{ObjectRef, Source, visible};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How the run is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people, on stderr.
    #[default]
    Text,
    /// One JSON object an event, on stdout.
    Json,
    /// As text, with GitHub's workflow commands for errors and warnings.
    Github,
    /// As text, with what happens between the first change and the end in a section that folds.
    Gitlab,
}

/// Writes events as they come.
pub struct Progress {
    ui: Ui,
    format: LogFormat,
    spinner: Option<ProgressBar>,
    clock: fn() -> Timestamp,
    /// Whether a section of a GitLab log is open.
    in_section: bool,
    /// The objects that are being deleted: for those, the end of the wait is that they are gone.
    leaving: BTreeSet<ObjectRef>,
}

/// A wait that is over before this many seconds have passed is not told line by line.
const PATIENCE: u64 = 2;

impl Progress {
    /// A writer in this format. `clock` gives the time that JSON events carry.
    #[must_use]
    pub fn new(ui: Ui, format: LogFormat, clock: fn() -> Timestamp) -> Self {
        let alive = format == LogFormat::Text && !ui.quiet && std::io::stderr().is_terminal();
        let spinner = alive.then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            ui,
            format,
            spinner,
            clock,
            in_section: false,
            leaving: BTreeSet::new(),
        }
    }

    /// Removes what is redrawn, before something else writes to the terminal.
    pub fn clear(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| self.ui.note(text)),
            None => self.ui.note(text),
        }
    }

    fn json(&self, event: &Event) {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(event) else {
            return;
        };
        fields.insert("time".to_owned(), Value::from((self.clock)().to_string()));
        let mut stdout = std::io::stdout().lock();
        // A reader that went away does not stop a deploy that is under way.
        drop(writeln!(stdout, "{}", Value::Object(fields)));
    }

    fn text(&mut self, event: &Event) {
        if let Event::StepStarted { object, op } = event
            && op == "delete"
        {
            self.leaving.insert(object.clone());
        }
        let colored = self.ui.colors.stderr;
        match event {
            Event::Warning { message } => {
                let head = paint(colored, Label::Warning, "warning:");
                self.line(&format!("{head} {}", visible::lines(message)));
            }
            Event::Stage { message } => match &self.spinner {
                Some(spinner) => spinner.set_message(visible::inline(message).into_owned()),
                None => self.ui.detail(message),
            },
            Event::StepStarted { object, op } => {
                if let Some(spinner) = &self.spinner {
                    spinner.set_message(format!("{op} {object}"));
                }
            }
            Event::StepFinished {
                object,
                source,
                op,
                actuation,
                reason,
            } => {
                if let Some(word) = step_word(*actuation, op) {
                    self.ended(word, object, source.as_ref(), reason, reason);
                }
            }
            Event::WaitFinished {
                object,
                source,
                reconcile,
                reason,
                seconds: passed,
            } => {
                let is_leaving = self.leaving.contains(object);
                let passed = match *passed {
                    0 => String::new(),
                    passed => seconds(passed),
                };
                let note = if reason.is_empty() { &passed } else { reason };
                if let Some(word) = wait_word(*reconcile, is_leaving, reason) {
                    self.ended(word, object, source.as_ref(), reason, note);
                }
            }
            Event::WaitProgress { .. } | Event::StillWaiting { .. } => self.waiting(event),
            Event::Log {
                pod,
                container,
                line,
            } => {
                let head = format!("{} > {container} |", pod.name);
                let head = paint(colored, Label::Dim, &head);
                self.line(&format!("{head} {line}"));
            }
            Event::Finished { message, .. } => self.line(&visible::lines(message)),
        }
    }

    /// Tells how a step or a wait ended. With a reason it tells where the object comes from.
    fn ended(
        &self,
        (label, word): (Label, &str),
        object: &ObjectRef,
        source: Option<&Source>,
        reason: &str,
        note: &str,
    ) {
        let head = paint(self.ui.colors.stderr, label, &format!("{word:<8}"));
        let source = source.filter(|_| !reason.is_empty());
        self.line(&row(&head, &named(object, source), note));
    }

    fn waiting(&self, event: &Event) {
        let head = paint(self.ui.colors.stderr, Label::Dim, "waiting ");
        match event {
            Event::WaitProgress {
                object,
                message,
                seconds: passed,
            } => match &self.spinner {
                Some(spinner) => {
                    let message = visible::inline(message);
                    spinner.set_message(format!("{object}: {message} ({})", seconds(*passed)));
                }
                None if *passed < PATIENCE || message.is_empty() => {}
                None => {
                    let note = format!("{message} ({})", seconds(*passed));
                    self.line(&row(&head, &object.to_string(), &note));
                }
            },
            Event::StillWaiting {
                objects,
                longest,
                message,
                seconds: passed,
            } => {
                let what = match objects {
                    1 => longest.to_string(),
                    more => format!("for {more} objects, longest {longest}"),
                };
                let passed = seconds(*passed);
                let note = match message.as_str() {
                    "" => passed,
                    message => format!("{message} ({passed})"),
                };
                self.line(&row(&head, &what, &note));
            }
            _ => {}
        }
    }

    fn github(&mut self, event: &Event) {
        let (level, text) = match event {
            Event::Warning { message } => ("warning", message.clone()),
            Event::StepFinished {
                object,
                source,
                op,
                actuation: Actuation::Failed,
                reason,
            } => {
                let object = named(object, source.as_ref());
                ("error", format!("{op} {object}: {reason}"))
            }
            Event::WaitFinished {
                object,
                source,
                reconcile: Reconcile::Failed | Reconcile::Timeout,
                reason,
                ..
            } => {
                let object = named(object, source.as_ref());
                ("error", format!("{object}: {reason}"))
            }
            _ => return self.text(event),
        };
        self.line(&format!(
            "::{level}::{}",
            workflow_text(&visible::lines(&text))
        ));
    }
}

impl Progress {
    /// Opens a section before the first thing that happens to an object, and closes it at the end.
    fn gitlab(&mut self, event: &Event) {
        match event {
            Event::Warning { .. } | Event::Stage { .. } => {}
            Event::Finished { .. } => self.end_section(),
            _ if !self.in_section => {
                self.in_section = true;
                self.section("start", "Changes");
            }
            _ => {}
        }
        self.text(event);
    }

    fn end_section(&mut self) {
        if std::mem::take(&mut self.in_section) {
            self.section("end", "");
        }
    }

    /// A marker as GitLab's runner wants it: the line is erased where it is shown as text.
    fn section(&self, what: &str, title: &str) {
        let now = (self.clock)().as_second();
        self.line(&format!(
            "\x1b[0Ksection_{what}:{now}:windlass_changes\r\x1b[0K{title}"
        ));
    }
}

/// An object with the template that it came from.
fn named(object: &ObjectRef, source: Option<&Source>) -> String {
    match source {
        Some(source) => format!("{object} from {source}"),
        None => object.to_string(),
    }
}

/// One line about an object, with a note where there is one.
fn row(head: &str, object: &str, note: &str) -> String {
    if note.is_empty() {
        format!("{head} {object}")
    } else {
        format!("{head} {object}: {}", visible::lines(note))
    }
}

/// The word for the end of a step; `None` before it.
fn step_word(actuation: Actuation, op: &str) -> Option<(Label, &'static str)> {
    match actuation {
        Actuation::Succeeded => Some((Label::Added, done(op))),
        Actuation::Failed => Some((Label::Error, "failed")),
        Actuation::Skipped => Some((Label::Dim, "skipped")),
        Actuation::Pending => None,
    }
}

/// The word for the end of a wait; `None` where there is nothing to tell.
fn wait_word(
    reconcile: Reconcile,
    is_leaving: bool,
    reason: &str,
) -> Option<(Label, &'static str)> {
    match reconcile {
        Reconcile::Succeeded if is_leaving => Some((Label::Dim, "gone")),
        Reconcile::Succeeded => Some((Label::Added, "ready")),
        Reconcile::Failed => Some((Label::Error, "failed")),
        Reconcile::Timeout => Some((Label::Error, "timeout")),
        Reconcile::Skipped if !reason.is_empty() => Some((Label::Dim, "pending")),
        Reconcile::Pending | Reconcile::Skipped => None,
    }
}

/// The past form of an op.
fn done(op: &str) -> &'static str {
    match op {
        "create" => "created",
        "update" => "updated",
        "replace" => "replaced",
        "delete" => "deleted",
        _ => "applied",
    }
}

/// Escapes a text for a workflow command, so that it cannot start a command of its own.
fn workflow_text(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

impl Sink for Progress {
    fn emit(&mut self, event: Event) {
        match self.format {
            LogFormat::Text => self.text(&event),
            LogFormat::Json => self.json(&event),
            LogFormat::Github => self.github(&event),
            LogFormat::Gitlab => self.gitlab(&event),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end_section();
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::workflow_text;

    #[test]
    fn a_text_cannot_start_a_workflow_command_of_its_own() {
        assert_eq!(workflow_text("50%\n::error::x"), "50%25%0A::error::x");
    }
}
