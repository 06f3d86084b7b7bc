//! Whom a verb asks before it does what cannot be taken back; the default answer is no.

#[cfg(test)]
use std::io::Write;
use std::io::{self, BufRead, BufReader};

use crate::failure::Failure;
use crate::output::Output;

/// The person, or script, that uses the verb.
pub(super) struct Operator {
    answers: Box<dyn BufRead>,
    /// Not standard output: that is for the verb's result.
    asked: Output,
}

impl Operator {
    /// Whoever is at standard input and standard error.
    pub(super) fn here() -> Self {
        // `Stdin` is locked for each read alone: a verb may read it for something else.
        Self { answers: Box::new(BufReader::new(io::stdin())), asked: Output::to(io::stderr()) }
    }

    /// Somebody who types `answers`, and reads `asked`.
    #[cfg(test)]
    pub(super) fn scripted(answers: &'static str, asked: impl Write + 'static) -> Self {
        Self { answers: Box::new(answers.as_bytes()), asked: Output::to(asked) }
    }

    /// Shows `lines`, the last of which is a question, and reads the answer; anything but y is no.
    pub(super) fn agrees(&mut self, lines: &[String]) -> Result<bool, Failure> {
        self.asked.line(format!("{} [y/N]", lines.join("\n")))?;
        self.asked.flush()?;
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.map_err(|error| Failure::new(format!("cannot read the answer: {error}: say --yes")))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Shared;

    #[test]
    fn anything_but_yes_is_no() {
        for (answer, agreed) in
            [("y\n", true), ("yes\n", true), ("", false), ("\n", false), ("n\n", false), ("ye", false)]
        {
            let asked = Shared::default();
            let mut operator = Operator::scripted(answer, asked.clone());
            assert_eq!(operator.agrees(&["It goes.".into(), "Sure?".into()]).expect("an answer"), agreed, "{answer:?}");
            assert_eq!(asked.text(), "It goes.\nSure? [y/N]\n");
        }
    }
}
