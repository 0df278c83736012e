//! Where output came from: which line of which template wrote each line.
//!
//! While templates run, [`Trail`] notes for the beginnings of lines what wrote them; [`Origin`] is
//! what is made of it. A line belongs to the text or action that wrote its first byte, through any
//! number of `{{template}}`, `include` and `tpl` calls, as long as their text is written line by line as
//! it was returned (indented or trimmed, but not taken apart and put together again).

use super::ast::{NodeId, Unit};
use crate::limits::MAX_MARKS;
use crate::value::Str;
use memchr::memchr_iter;
use std::rc::Rc;

/// A line of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The path of the template, as in `# Source:`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl Place {
    /// Whether it is in a file, not in a text given to `tpl`.
    pub(crate) fn is_in_file(&self) -> bool {
        self.file.contains('/')
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A text that runs, and where in which other text it was called.
struct Frame {
    unit: Rc<Unit>,
    caller: Option<(u32, usize)>,
}

/// From this byte of the output on it is this byte of a source that wrote.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    frame: u32,
    source: usize,
    /// Whether the source's text follows as it stands; else all comes from one action.
    verbatim: bool,
}

/// What an `include` or `tpl` returned, until it is known whether it is written as it is.
struct Returned {
    text: Str,
    marks: usize,
    frames: usize,
}

/// How much of a trail there was, to come back to.
pub(super) struct Mile {
    marks: usize,
    frame: u32,
}

/// What wrote the output so far.
#[derive(Default)]
pub(super) struct Trail {
    frames: Vec<Frame>,
    frame: u32,
    marks: Vec<Mark>,
    returned: Option<Returned>,
}

impl Trail {
    /// A trail of a file's output.
    pub(super) fn new(unit: &Rc<Unit>) -> Self {
        let mut trail = Self::default();
        trail.frames.push(Frame {
            unit: Rc::clone(unit),
            caller: None,
        });
        trail
    }

    /// Enters a text that is called from a byte of the one that runs.
    pub(super) fn enter(&mut self, unit: &Rc<Unit>, call: usize) -> Mile {
        self.forget();
        let mile = Mile {
            marks: self.marks.len(),
            frame: self.frame,
        };
        let caller = Some((self.frame, call));
        self.frame = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        self.frames.push(Frame {
            unit: Rc::clone(unit),
            caller,
        });
        mile
    }

    /// Enters a text that a node of the one that runs calls.
    pub(super) fn enter_at(&mut self, unit: &Rc<Unit>, call: NodeId) -> Mile {
        let caller = self.frames.get(self.frame as usize);
        let pos = caller.map_or(0, |frame| frame.unit.node(call).pos());
        self.enter(unit, pos)
    }

    /// Leaves a text whose output stands where it was called.
    pub(super) fn leave(&mut self, mile: &Mile) {
        self.forget();
        if self.marks.len() == mile.marks {
            self.frames.truncate(self.frame as usize);
        }
        self.frame = mile.frame;
    }

    /// Leaves a text whose output was returned, if it was as it was written.
    pub(super) fn leave_with(&mut self, mile: &Mile, text: Option<&Str>) {
        self.forget();
        let frames = self.frame as usize;
        self.frame = mile.frame;
        match text.filter(|text| text.contains(&b'\n')) {
            Some(text) => {
                self.returned = Some(Returned {
                    text: text.clone(),
                    marks: mile.marks,
                    frames,
                });
            }
            None => {
                self.marks.truncate(mile.marks);
                self.frames.truncate(frames);
            }
        }
    }

    /// Gives up what was returned and not written.
    fn forget(&mut self) {
        if let Some(returned) = self.returned.take() {
            self.marks.truncate(returned.marks);
            self.frames.truncate(returned.frames);
        }
    }

    /// Notes that a text of the source is written after `out`, beginning with byte `source`.
    pub(super) fn text(&mut self, out: &[u8], text: &[u8], source: usize) {
        self.forget();
        if matters(out, text) {
            self.push(out.len(), source, true);
        }
    }

    /// Notes what an action printed: all of `out` from `start` on.
    pub(super) fn action(&mut self, out: &[u8], start: usize, source: usize) {
        let (before, printed) = out.split_at(start);
        let Some(returned) = self.returned.take() else {
            if matters(before, printed) {
                self.push(start, source, false);
            }
            return;
        };
        let inner = self.marks.split_off(returned.marks);
        match aligned(&returned.text, printed) {
            Some(pairs) => {
                // What stands before the first line of it comes from the action.
                self.push(start, source, false);
                self.adopt(&inner, &pairs, start);
            }
            None => {
                self.frames.truncate(returned.frames);
                if matters(before, printed) {
                    self.push(start, source, false);
                }
            }
        }
    }

    /// Takes over the marks of a returned text, line by line.
    fn adopt(&mut self, inner: &[Mark], lines: &[(usize, usize)], start: usize) {
        let mut next = 0;
        for &(from, to) in lines {
            while inner.get(next + 1).is_some_and(|mark| mark.at <= from) {
                next += 1;
            }
            let Some(mark) = inner.get(next).filter(|mark| mark.at <= from) else {
                continue;
            };
            if self.marks.len() < MAX_MARKS {
                let passed = if mark.verbatim { from - mark.at } else { 0 };
                self.marks.push(Mark {
                    at: start + to,
                    source: mark.source + passed,
                    verbatim: false,
                    ..*mark
                });
            }
        }
    }

    fn push(&mut self, at: usize, source: usize, verbatim: bool) {
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Mark {
                at,
                frame: self.frame,
                source,
                verbatim,
            });
        }
    }

    /// The origin of every line of the finished output.
    pub(super) fn finish(self, output: &[u8]) -> Origin {
        let mut lines = Vec::new();
        let mut place = Line { frame: 0, line: 1 };
        let mut resolved = None;
        let mut next = 0;
        for start in line_starts(output) {
            while self.marks.get(next).is_some_and(|mark| mark.at <= start) {
                next += 1;
            }
            if let Some(mark) = next.checked_sub(1).and_then(|at| self.marks.get(at)) {
                if resolved != Some(next) {
                    let passed = if mark.verbatim { start - mark.at } else { 0 };
                    place = self.line(mark.frame, mark.source + passed);
                    resolved = Some(next);
                } else if mark.verbatim {
                    place.line += 1;
                }
            }
            lines.push(place);
        }
        Origin {
            frames: self.calls(),
            lines,
        }
    }

    /// The line of a byte of a frame's source.
    fn line(&self, frame: u32, source: usize) -> Line {
        let line = match self.frames.get(frame as usize) {
            Some(found) => found.unit.line_of(source),
            None => 1,
        };
        Line {
            frame,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        }
    }

    fn calls(&self) -> Vec<Call> {
        let call = |frame: &Frame| Call {
            file: Rc::clone(&frame.unit.name),
            caller: frame.caller.map(|(caller, at)| self.line(caller, at)),
        };
        self.frames.iter().map(call).collect()
    }
}

/// Whether what is written begins a line, or has one that begins in it.
fn matters(out: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && (out.last().is_none_or(|&byte| byte == b'\n') || text.contains(&b'\n'))
}

/// The lines of a returned text that have content, by their beginnings in it and in what was printed; `None`
/// when what was printed has other lines.
fn aligned(returned: &[u8], printed: &[u8]) -> Option<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    let (mut left, mut right) = (contents(returned), contents(printed));
    loop {
        match (left.next(), right.next()) {
            (Some((from, one)), Some((to, other))) if one == other => pairs.push((from, to)),
            (None, None) => return Some(pairs),
            _ => return None,
        }
    }
}

/// The lines that are not blank: where each begins, and what stands in it without blanks around.
fn contents(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|&byte| byte == b'\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len() + 1;
        Some((start, line.trim_ascii()))
    });
    lines.filter(|(_, line)| !line.is_empty())
}

/// Where the lines of a text begin; one more after a line break at its end.
fn line_starts(text: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(memchr_iter(b'\n', text).map(|at| at + 1))
}

/// A line of the text of a frame.
#[derive(Clone, Copy, Debug)]
struct Line {
    frame: u32,
    line: u32,
}

/// A text that ran, by its file, and the line that called it.
#[derive(Debug)]
struct Call {
    file: Rc<str>,
    caller: Option<Line>,
}

/// Where each line of an output came from.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    frames: Vec<Call>,
    lines: Vec<Line>,
}

impl Origin {
    /// The line of the file itself behind a line of its output, both from 1.
    pub(crate) fn line(&self, output_line: usize) -> usize {
        let chain = self.chain(output_line);
        chain.last().map_or(1, |line| line.line as usize)
    }

    /// The lines behind a line of the output, from 1: first that of the file, then where each called
    /// text stands. A text given to `tpl` stands in no file; it ends the way.
    pub(crate) fn places(&self, output_line: usize) -> Vec<Place> {
        let chain = self.chain(output_line).into_iter().rev();
        let places = chain.map_while(|line| {
            let frame = self.frames.get(line.frame as usize)?;
            let place = Place {
                file: frame.file.to_string(),
                line: line.line as usize,
            };
            place.is_in_file().then_some(place)
        });
        places.collect()
    }

    /// A line and those that called it, innermost first.
    fn chain(&self, output_line: usize) -> Vec<Line> {
        let mut next = self.lines.get(output_line.saturating_sub(1)).copied();
        let mut chain = Vec::new();
        while let Some(line) = next {
            chain.push(line);
            next = self.frames.get(line.frame as usize).and_then(|f| f.caller);
        }
        chain
    }
}
