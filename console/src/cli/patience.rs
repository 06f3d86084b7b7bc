//! Waiting for a daemon that went away: when to ask again, and when there is no point.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use qrt_shared::control::ClientError;

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
        // A person would wonder about the silence; a script's standard error is for failures.
        if !self.told && self.pause > PAUSE_FIRST * 8 && std::io::stderr().is_terminal() {
            self.told = true;
            writeln!(std::io::stderr(), "qrt: waiting for the daemon on {} to come back", dir.display()).ok();
        }
        tokio::time::sleep(self.pause).await;
        self.pause = PAUSE_MAX.min(self.pause * 2);
        Ok(())
    }
}

/// Whether a daemon that is started again would answer.
pub(super) fn is_absence(error: &ClientError) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, WouldBlock};
    match error {
        ClientError::NotRunning { .. } | ClientError::Stopping { .. } | ClientError::Gone { .. } => true,
        ClientError::Socket { source, .. } => {
            matches!(source.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotFound | WouldBlock)
        }
        _ => false,
    }
}
