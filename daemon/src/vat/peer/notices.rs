//! Lines of the log about what other vats send. They decide how much that is, so lines are so many in a
//! minute and no more, over all of them; what was left out is counted and said with the next line.

/// Over which time lines are counted.
const WINDOW_MS: u64 = 60_000;

/// How many lines in that time.
const LINES_MAX: u64 = 20;

/// See the module. It is forgotten when the daemon ends.
#[derive(Debug, Default)]
pub(in crate::vat) struct Notices {
    /// When the first line of this window was.
    since_ms: u64,
    lines: u64,
    left_out: u64,
}

impl Notices {
    /// What is to be logged instead of `line`, if anything is.
    pub(in crate::vat) fn note(&mut self, now_ms: u64, line: impl FnOnce() -> String) -> Option<String> {
        let passed = now_ms.checked_sub(self.since_ms).is_none_or(|passed_ms| passed_ms >= WINDOW_MS);
        if passed {
            (self.since_ms, self.lines) = (now_ms, 0);
        }
        if self.lines == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        let line = line();
        Some(match std::mem::take(&mut self.left_out) {
            0 => line,
            left_out => format!("{line} ({left_out} lines about other vats were left out before this one)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_are_written_in_a_minute_and_the_next_says_how_many_were_not() {
        let mut notices = Notices::default();
        let mut written = |now_ms, times: u64| {
            let lines = (0..times).filter_map(|n| notices.note(now_ms, || format!("line {n}")));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(written(1_000_000, 25).len(), 20);
        assert!(written(1_059_999, 2).is_empty());
        assert_eq!(written(1_060_000, 1), ["line 0 (7 lines about other vats were left out before this one)"]);
        assert_eq!(written(1_060_000, 1), ["line 0"]);
        assert_eq!(written(900_000, 25).len(), 20, "a clock that was set back silences nobody for long");
    }
}
