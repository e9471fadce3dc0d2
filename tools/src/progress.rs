//! How far long work has come: one line on stderr, and only when that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::output::bytes;

/// Redrawing more often than this only makes the line flicker.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    noun: &'static str,
    total_bytes: Option<u64>,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// `total_bytes` is the size of the whole work, where it is known.
    pub(crate) fn new(noun: &'static str, total_bytes: Option<u64>, wanted: bool) -> Self {
        Self { shown: wanted && io::stderr().is_terminal(), noun, total_bytes, started: Instant::now(), drawn: None }
    }

    /// So many things and bytes are done. Cheap: call it for each.
    pub(crate) fn at(&mut self, done: u64, done_bytes: u64) {
        if !self.shown || self.drawn.unwrap_or(self.started).elapsed() < INTERVAL {
            return;
        }
        self.drawn = Some(Instant::now());
        draw(&format!("\r{}\x1b[K", self.line(done, done_bytes)));
    }

    fn line(&self, done: u64, done_bytes: u64) -> String {
        let share = self
            .total_bytes
            .filter(|total| *total > 0)
            .map(|total| format!(" · {} %", done_bytes.min(total) * 100 / total))
            .unwrap_or_default();
        let rate = done_bytes as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        format!("{done} {} · {}{share} · {}/s", self.noun, bytes(done_bytes), bytes(rate as u64))
    }
}

impl Drop for Progress {
    /// The line goes away; what follows on stderr or stdout begins on a clean one.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            draw("\r\x1b[K");
        }
    }
}

/// A terminal that went away must not stop the work.
fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
