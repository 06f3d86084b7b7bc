//! What the tour prints: numbered steps, what was done, and each check's verdict.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::failure::Failure;
use crate::output::{Output, Tone};

/// Characters of what was found and what was expected.
const WHY_MAX: usize = 400;

/// The tour as it is told, and how its checks went.
pub(super) struct Report<'a> {
    out: &'a mut Output,
    steps: u32,
    checks: u32,
    failed: u32,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut Output) -> Self {
        Self { out, steps: 0, checks: 0, failed: 0 }
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) -> io::Result<()> {
        self.steps += 1;
        let line = self.out.paint(Tone::Title, &format!("{:>2}. {title}", self.steps));
        let gap = if self.steps == 1 { "" } else { "\n" };
        self.out.line(format!("{gap}{line}"))?;
        self.out.flush()
    }

    /// Tells what was done.
    pub(super) fn tell(&mut self, text: &str) -> io::Result<()> {
        self.out.line(format!("    {text}"))?;
        self.out.flush()
    }

    /// Checks that `found` is `expected`, both as the vat says it; `claim` is what that means.
    pub(super) fn equal<T: PartialEq + Debug>(&mut self, claim: &str, found: &T, expected: &T) -> io::Result<()> {
        let so = found == expected;
        self.checks += 1;
        self.failed += u32::from(!so);
        let verdict = if so { self.out.paint(Tone::Good, "ok    ") } else { self.out.paint(Tone::Bad, "FAILED") };
        let why = if so { String::new() } else { format!(" (found {found:?}, expected {expected:?})") };
        self.out.line(format!("    {verdict}  {claim}{}", crate::format::clip(&why, WHY_MAX)))?;
        self.out.flush()
    }

    /// The last lines.
    ///
    /// # Errors
    /// A check failed.
    pub(super) fn end(self, scratch: &Path) -> Result<(), Failure> {
        let checks = format!("{} of {} checks ok; ", self.checks - self.failed, self.checks);
        let checks = if self.checks == 0 { "" } else { &checks };
        self.out.line(format!("\n{checks}{} is removed.", scratch.display()))?;
        if self.failed > 0 {
            return Err(Failure::new(format!(
                "{} of {} checks of the demo failed: the lines marked FAILED say what was found",
                self.failed, self.checks
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Shared;

    #[test]
    fn a_failed_check_is_told_and_fails_the_demo() {
        let shared = Shared::default();
        let mut out = Output::to(shared.clone());
        let mut report = Report::new(&mut out);
        report.step("Count").expect("a buffer");
        report.equal("one is one", &1, &1).expect("a buffer");
        report.equal("two is one", &2, &1).expect("a buffer");
        assert_eq!(report.end(Path::new("/tmp/x")).expect_err("a check failed").code(), 1);
        assert_eq!(
            shared.text(),
            " 1. Count\n    ok      one is one\n    FAILED  two is one (found 2, expected 1)\n\n1 of 2 checks ok; /tmp/x \
             is removed.\n"
        );
    }
}
