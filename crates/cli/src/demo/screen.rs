//! What the demo shows: headings, facts and code, in colour on a terminal.

use crate::talk::print;
use std::{io::IsTerminal, time::Instant};

/// The place the demo writes to.
pub struct Screen {
    colour: bool,
    chapter: u32,
    started: Instant,
}

impl Screen {
    /// Standard output, in colour when it is a terminal and `NO_COLOR` is not set.
    pub fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, chapter: 0, started: Instant::now() }
    }

    /// Time since the demo began.
    pub fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// The next chapter.
    pub fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        print(&format!("\n{}", self.painted("1;36", &format!("{}  {title}", self.chapter))));
    }

    /// A plain line.
    pub fn line(&self, text: &str) {
        print(&format!("   {text}"));
    }

    /// A line about somebody.
    pub fn fact(&self, who: &str, text: &str) {
        print(&format!("   {} {text}", self.painted("1", &format!("{who:<8}"))));
    }

    /// A line that proves something.
    pub fn proof(&self, text: &str) {
        print(&format!("   {} {text}", self.painted("32", "✓")));
    }

    /// A block of text as it is.
    pub fn block(&self, text: &str) {
        for line in text.lines() {
            print(&format!("   {}", self.painted("2", &format!("│ {line}"))));
        }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
