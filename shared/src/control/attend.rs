//! Whether anybody is there: a daemon that is stopped (SIGSTOP) or stuck keeps its socket, which takes requests that
//! nobody reads.
//!
//! How long an answer takes says nothing of that: a backup, a full check or a turn before an edit may take minutes. So
//! while one is awaited, the daemon is asked now and then, on a connection of its own, for what it answers at once
//! whatever else it does.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::client::{Client, ClientError};

/// How long an answer is awaited before the daemon is asked whether it is there, and again.
const SILENCE: Duration = Duration::from_secs(5);

/// How long it may take to say so: a machine that is short of everything is no reason to give up a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `answer` comes to, unless the daemon of the vat in `dir` answers nobody.
///
/// # Errors
/// Those of `answer`, and [`ClientError::Hangs`].
pub(super) async fn attended<T>(
    dir: &Path,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let answer = pin!(answer);
    tokio::select! {
        biased;
        answered = answer => answered,
        () = absence(dir) => {
            let seconds = (SILENCE + PATIENCE).as_secs();
            Err(ClientError::Hangs { dir: dir.display().to_string(), seconds })
        }
    }
}

/// Ends when nobody answers.
async fn absence(dir: &Path) {
    let asked = || async {
        let mut client = Client::open(dir).await?;
        client.ask("GET", "/v1/", None::<&()>).await
    };
    loop {
        sleep(SILENCE).await;
        // A refusal is an answer; and a daemon that has ended shows by the connection that is waited on.
        if timeout(PATIENCE, asked()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VERSION;
    use crate::control::{SOCKET, VERSION_HEADER};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::time::Instant;

    fn scratch() -> (tempfile::TempDir, UnixListener) {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let listener = UnixListener::bind(dir.path().join(SOCKET)).expect("a socket");
        (dir, listener)
    }

    async fn reply(stream: &mut UnixStream) {
        let head = format!("HTTP/1.1 200 OK\r\n{VERSION_HEADER}: {VERSION}\r\ncontent-length: 2\r\n\r\n[]");
        stream.write_all(head.as_bytes()).await.expect("somebody reads");
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_answers_nobody_is_given_up() {
        let (dir, _listener) = scratch();
        let mut client = Client::open(dir.path()).await.expect("its socket takes connections");
        let since = Instant::now();
        let error = client.settings().await.expect_err("nobody reads");
        assert!(matches!(error, ClientError::Hangs { seconds: 15, .. }), "{error}");
        assert_eq!(since.elapsed().as_secs(), 15);
        let log = format!("see {}/qrtd.log", dir.path().display());
        assert!(error.to_string().contains(&log), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_as_long_as_the_daemon_says_it_is_there() {
        let (dir, listener) = scratch();
        let mut client = Client::open(dir.path()).await.expect("it serves");
        let since = Instant::now();
        let served = tokio::spawn(async move {
            let (mut asker, _) = listener.accept().await.expect("the client");
            for _ in 0..20 {
                let (mut looker, _) = listener.accept().await.expect("a look whether we are here");
                let read = looker.read(&mut [0; 4096]).await.expect("a request");
                assert!(read > 0);
                reply(&mut looker).await;
            }
            reply(&mut asker).await;
        });
        assert!(client.settings().await.expect("an answer").is_empty());
        assert!(since.elapsed() >= SILENCE * 20);
        served.await.expect("all were answered");
    }
}
