//! Files that are fetched side by side: a bar each on a terminal, a line each elsewhere.

use super::{Ui, seconds};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bar of a file whose size is not known.
const UNSIZED: &str = "{spinner} {bytes:>10}              {wide_msg}";
/// A bar of a file whose size is known.
const SIZED: &str = "{spinner} {bytes:>10} of {total_bytes:<10} {bar:16} {wide_msg}";

/// The files under way.
pub struct Downloads {
    ui: Ui,
    /// Where bars are drawn: on a terminal alone.
    bars: Option<MultiProgress>,
    open: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Downloads {
    /// None is under way yet.
    #[must_use]
    pub fn new(ui: Ui) -> Self {
        let alive = !ui.quiet && std::io::stderr().is_terminal();
        Self {
            ui,
            bars: alive.then(MultiProgress::new),
            open: Mutex::default(),
        }
    }

    /// A file begins to be fetched; without a terminal this line is all that is shown of it.
    pub fn begin(&self, file: &str, line: Option<&str>) {
        let Some(bars) = &self.bars else {
            if let Some(line) = line {
                self.ui.note(line);
            }
            return;
        };
        let bar = ProgressBar::new_spinner().with_style(style(UNSIZED));
        let bar = bars.add(bar.with_message(file.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Some(same) = self.open().insert(file.to_owned(), bar) {
            same.finish_and_clear();
        }
    }

    /// So many bytes of it are there, of so many where that is known.
    pub fn bytes(&self, file: &str, there: u64, of: Option<u64>) {
        let open = self.open();
        let Some(bar) = open.get(file) else { return };
        if let Some(of) = of.filter(|of| bar.length() != Some(*of)) {
            bar.set_style(style(SIZED));
            bar.set_length(of);
        }
        bar.set_position(there);
    }

    /// A try failed, and there is another one after a while.
    pub fn again(&self, file: &str, cause: &str, wait: Duration) {
        let wait = seconds(wait.as_secs().max(1));
        self.note(&format!("{file}: {cause}; again in {wait}"));
    }

    /// It is there, or is not to be had.
    pub fn end(&self, file: &str) {
        if let Some(bar) = self.open().remove(file) {
            bar.finish_and_clear();
        }
    }

    /// Writes a line about the run.
    pub fn note(&self, text: &str) {
        self.aside(|| self.ui.note(text));
    }

    /// Writes a warning.
    pub fn warning(&self, text: &str) {
        self.aside(|| self.ui.warning(text));
    }

    /// Takes the bars away as long as something else is written.
    fn aside(&self, write: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        // Bars that a failed thread left are still bars.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
