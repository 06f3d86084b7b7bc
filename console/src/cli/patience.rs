//! Waiting for a daemon that went away or does not answer: when to ask again, and when there is no point.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use qrt_shared::control::ClientError;

use crate::format;

/// The first pause before asking again.
const PAUSE_FIRST: Duration = Duration::from_millis(20);

/// The longest: a restarted daemon is noticed within this time.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Doubling pauses between attempts to reach a daemon.
pub(super) struct Patience {
    pause: Duration,
    told: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { pause: PAUSE_FIRST, told: false }
    }

    /// The daemon answered: the next absence starts anew.
    pub(super) fn answered(&mut self) {
        *self = Self::new();
    }

    /// Pauses after `error` when it says that the daemon is away and may come back.
    ///
    /// # Errors
    /// `error` itself when asking again cannot help.
    pub(super) async fn pause_after(&mut self, error: ClientError, dir: &Path) -> Result<(), ClientError> {
        if !is_absence(&error) {
            return Err(error);
        }
        if let Some(note) = self.note(&error, dir, std::io::stderr().is_terminal()) {
            writeln!(std::io::stderr(), "qrt: {}", format::line(&note)).ok();
        }
        tokio::time::sleep(self.pause).await;
        self.pause = PAUSE_MAX.min(self.pause * 2);
        Ok(())
    }

    /// What whoever waits is told, once in an absence.
    fn note(&mut self, error: &ClientError, dir: &Path, is_terminal: bool) -> Option<String> {
        let note = match error {
            // It will not end by itself, so a script's log has to say it too.
            ClientError::Hangs { .. } => format!("{error}; waiting"),
            // A person would wonder about the silence; a script's standard error is for failures.
            _ if is_terminal && self.pause > PAUSE_FIRST * 8 => {
                format!("waiting for the daemon on {} to come back", dir.display())
            }
            _ => return None,
        };
        (!std::mem::replace(&mut self.told, true)).then_some(note)
    }
}

/// Whether a daemon that is started again would answer.
pub(super) fn is_absence(error: &ClientError) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, WouldBlock};
    match error {
        ClientError::NotRunning { .. }
        | ClientError::Stopping { .. }
        | ClientError::Gone { .. }
        | ClientError::Hangs { .. } => true,
        ClientError::Socket { source, .. } => {
            matches!(source.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotFound | WouldBlock)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_a_daemon_that_hangs_is_told_of_once_also_to_a_script() {
        let mut patience = Patience::new();
        let hangs = ClientError::Hangs { dir: "/v".into(), seconds: 10 };
        let note = patience.note(&hangs, Path::new("/v"), false).expect("a line");
        assert!(
            note.starts_with("the daemon on /v has not answered for 10 s") && note.ends_with("; waiting"),
            "{note}"
        );
        assert_eq!(patience.note(&hangs, Path::new("/v"), false), None);
        patience.answered();
        assert!(patience.note(&hangs, Path::new("/v"), false).is_some());
        assert!(is_absence(&hangs), "it may be continued, or another started");
    }

    #[test]
    fn only_a_person_is_told_of_a_restart_that_takes_long() {
        let gone = ClientError::NotRunning { dir: "/v".into() };
        let mut patience = Patience { pause: PAUSE_MAX, told: false };
        assert_eq!(patience.note(&gone, Path::new("/v"), false), None);
        let note = patience.note(&gone, Path::new("/v"), true);
        assert_eq!(note.as_deref(), Some("waiting for the daemon on /v to come back"));
        assert_eq!(Patience::new().note(&gone, Path::new("/v"), true), None, "it may be back in a moment");
    }
}
