//! The requests to the API server as lines on stderr, for `-vv`: method, path, status and time. No
//! body and no header is ever among them.

use super::Ui;
use super::label::{Label, paint};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Where requests are told of.
const SOURCE: &str = "windlass::cluster::request";

/// Writes requests to stderr.
struct Requests(Ui);

/// Shows all requests from now on.
pub fn show_requests(ui: Ui) {
    // A second subscriber is refused, and the first one does the same.
    drop(tracing::subscriber::set_global_default(Requests(ui)));
}

impl Subscriber for Requests {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == SOURCE
    }

    fn event(&self, event: &Event<'_>) {
        let mut request = Request::default();
        event.record(&mut request);
        if let Some(line) = request.line() {
            self.0.note(&paint(self.0.colors.stderr, Label::Dim, &line));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The fields of one event.
#[derive(Default)]
struct Request {
    method: String,
    path: String,
    status: u64,
    ms: u64,
}

impl Request {
    fn line(&self) -> Option<String> {
        let Self {
            method,
            path,
            status,
            ms,
        } = self;
        let status = match status {
            0 => "no answer".to_owned(),
            status => status.to_string(),
        };
        (!method.is_empty()).then(|| format!("{method} {path}: {status}, {ms} ms"))
    }
}

impl Visit for Request {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "method" => value.clone_into(&mut self.method),
            "path" => value.clone_into(&mut self.path),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = value,
            "ms" => self.ms = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
