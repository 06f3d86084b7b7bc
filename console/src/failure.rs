//! Why a verb failed: one line for people, and the exit code for scripts.

use std::fmt;
use std::io;

use qrt_shared::control::ClientError;

use crate::format;

/// What ends a verb early.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: exit 2.
    Usage(String),
    /// The vat's daemon could not be asked, or refused: exit 3 when it is not running, else 1.
    Client(ClientError),
    /// It is not running, and this line says what that means here: exit 3.
    NotRunning(String),
    /// Anything else that did not work: exit 1. One line: what, why, what to do.
    Failed(String),
    /// The verb was left by a signal that `qrt` waits for itself: exit 130, as a shell says it.
    Interrupted,
    /// Nobody reads standard output any more (`qrt ... | head`): exit 0, quietly.
    Pipe,
}

impl Failure {
    /// A failure with this line.
    pub fn new(line: impl Into<String>) -> Self {
        Self::Failed(line.into())
    }

    /// Why, without the program's name before it, for where that is plain.
    pub fn reason(&self) -> String {
        let told = self.told().unwrap_or_default();
        told.strip_prefix("qrt: ").map_or(told.clone(), str::to_owned)
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Pipe => 0,
            Self::Client(ClientError::NotRunning { .. } | ClientError::Stopping { .. }) | Self::NotRunning(_) => 3,
            Self::Client(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted => 130,
        }
    }

    /// What standard error is told: one line, then an excerpt of code if there is one. `None` when
    /// nothing is to be said.
    pub fn told(&self) -> Option<String> {
        let line = match self {
            Self::Pipe => return None,
            Self::Client(ClientError::Refused(problem)) => {
                let error = format::line(&problem.error);
                let hint = format::line(&problem.hint);
                let line = if hint.is_empty() { error } else { format!("{error}: {hint}") };
                match &problem.excerpt {
                    Some(excerpt) => format!("{line}\n{}", format::block(excerpt.trim_end_matches('\n'))),
                    None => line,
                }
            }
            Self::Client(error @ ClientError::Socket { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                format::line(&format!("{error}: run qrt as the vat's own user, or as root"))
            }
            Self::Client(error) => format::line(&error.to_string()),
            Self::Failed(line) | Self::Usage(line) | Self::NotRunning(line) => format::line(line),
            Self::Interrupted => "interrupted".to_owned(),
        };
        Some(format!("qrt: {line}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told().unwrap_or_default())
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<qrt_shared::id::Error> for Failure {
    fn from(error: qrt_shared::id::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An error of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Pipe;
        }
        Self::Failed(format!("cannot write to standard output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrt_shared::control::Problem;

    #[test]
    fn a_refusal_is_one_line_with_what_to_do() {
        let problem = Problem::new("there is no object \"x\"", "`qrt objects` lists them");
        let failure = Failure::Client(ClientError::Refused(problem));
        assert_eq!(failure.to_string(), "qrt: there is no object \"x\": `qrt objects` lists them");
        assert_eq!(failure.code(), 1);
    }

    #[test]
    fn an_error_in_code_shows_its_place() {
        let mut problem = Problem::new("a.js:1:3: SyntaxError: oh\u{1b}[31m", "");
        problem.excerpt = Some("()>1\n  ^\n".to_owned());
        let failure = Failure::Client(ClientError::Refused(problem));
        assert_eq!(failure.to_string(), "qrt: a.js:1:3: SyntaxError: oh\\u{1b}[31m\n()>1\n  ^");
    }

    #[test]
    fn a_stopped_daemon_is_exit_3_and_a_closed_pipe_no_failure() {
        assert_eq!(Failure::Client(ClientError::NotRunning { dir: "d".into() }).code(), 3);
        assert_eq!(Failure::Client(ClientError::NotAVat { dir: "d".into(), advice: String::new() }).code(), 1);
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((pipe.code(), pipe.told()), (0, None));
    }
}
