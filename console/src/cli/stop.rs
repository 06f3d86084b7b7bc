//! `qrt stop`: stop a vat's daemon and wait until it is gone.

use std::path::Path;
use std::time::{Duration, Instant};

use qrt_shared::control::{Client, ClientError};
use qrt_shared::hint;

use super::{Call, Done, patience};
use crate::failure::Failure;

/// How long a daemon that has said it stops may take to end.
const END_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(call: &mut Call) -> Done {
    stop(call.dir()).await?;
    if call.json() {
        call.out.json(&serde_json::json!({}))?;
    } else {
        call.out.line("stopped")?;
    }
    Ok(())
}

/// Stops the daemon of the vat in `dir`; returns when its process has ended, so that the directory
/// can be used again.
pub(super) async fn stop(dir: &Path) -> Done {
    let mut client = match Client::open(dir).await {
        // Whoever wants it stopped has no use for how to start it.
        Err(ClientError::NotRunning { dir }) => {
            let start = hint::word(&dir);
            return Err(Failure::NotRunning(format!(
                "no daemon is running on {dir}, so there is nothing to stop; `qrt start {start}` starts one"
            )));
        }
        opened => opened?,
    };
    // Asked before the stop: afterwards there is nobody to ask.
    let pid = match client.info().await {
        Ok(info) => info.pid,
        // Already on its way out: the socket's silence must do.
        Err(ClientError::Gone { .. } | ClientError::Stopping { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    match client.stop().await {
        // It may end before its answer has left.
        Ok(_) | Err(ClientError::Gone { .. } | ClientError::Stopping { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    drop(client);
    let since = Instant::now();
    while pid.is_some_and(lives) || answers(dir).await {
        if since.elapsed() > END_MAX {
            let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
            return Err(Failure::new(format!(
                "the daemon on {}{process} said it stops but has not ended in {} s: see {}",
                dir.display(),
                END_MAX.as_secs(),
                dir.join("qrtd.log").display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn answers(dir: &Path) -> bool {
    match Client::open(dir).await {
        Ok(_) => true,
        Err(error) => !patience::is_absence(&error),
    }
}

/// Whether the process `pid` runs. A zombie has given up its files and locks: it does not.
pub(super) fn lives(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which stands in parentheses and may hold anything.
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    !state.is_some_and(|state| state.starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stopped_vat_has_nothing_to_stop() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        std::fs::write(dir.path().join("vat.db"), "").expect("a file");
        let failure = stop(dir.path()).await.expect_err("nobody serves");
        assert!(failure.to_string().contains("nothing to stop"), "{failure}");
        assert_eq!(failure.code(), 3);
    }

    #[test]
    fn a_process_lives_until_it_ends() {
        assert!(lives(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("true");
        let since = Instant::now();
        // Not waited for yet: it ends as a zombie.
        while lives(child.id()) {
            assert!(since.elapsed() < END_MAX);
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().expect("it ended");
        assert!(!lives(child.id()));
    }
}
