//! `GET /v1/events`: what happens in the vat, a line of JSON each, as it is committed.
//!
//! One task tells all watchers: it takes the last commit, makes one line of it, and waits a tenth of a second before
//! the next, so commits that come faster are told as one. A watcher that does not take its lines in time is cut off;
//! it reads again what it shows, and watches anew. So is the way to begin: the first line says where the vat is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use qrt_shared::view::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Refusal;
use super::places::Place;
use super::router::Asked;
use crate::totals::Committed;

/// The time between two lines, at least.
const PACE: Duration = Duration::from_millis(100);

/// The time between two lines, at most.
const IDLE: Duration = Duration::from_secs(15);

/// How long a watcher may take for a line.
const STALL: Duration = Duration::from_secs(10);

/// Lines that a watcher may be behind.
const BEHIND: usize = 128;

/// Clients that watch at one time.
const WATCHERS_MAX: usize = 32;

/// What is told to whoever watches.
pub(super) struct Watch {
    lines: broadcast::Sender<Bytes>,
}

impl Watch {
    /// Tells of `commits` until there are no more.
    pub(super) fn start(commits: watch::Receiver<Committed>) -> Self {
        let (lines, _) = broadcast::channel(BEHIND);
        tokio::spawn(tell(commits, lines.clone()));
        Self { lines }
    }
}

async fn tell(mut commits: watch::Receiver<Committed>, lines: broadcast::Sender<Bytes>) {
    loop {
        let event = match timeout(IDLE, commits.changed()).await {
            Ok(Ok(())) => commit(*commits.borrow_and_update()),
            Ok(Err(_)) => return,
            Err(_) => Event::Idle,
        };
        if lines.receiver_count() > 0 {
            // The last of them may just have gone.
            lines.send(line(&event)).ok();
        }
        sleep(PACE).await;
    }
}

fn commit(Committed { commit, totals, .. }: Committed) -> Event {
    Event::Commit { commit, totals }
}

fn line(event: &Event) -> Bytes {
    let mut text = serde_json::to_vec(event).expect("an event is plain data");
    text.push(b'\n');
    Bytes::from(text)
}

/// `GET /v1/events?after=`: with the commit that the asker knows, the first line waits for the next one.
pub(super) fn events(asked: &Asked<'_>, place: &Arc<Place>) -> Result<mpsc::Receiver<Bytes>, Refusal> {
    let after: Option<u64> = asked.parameter("after")?;
    let mut lines = asked.state.watch.lines.subscribe();
    if asked.state.watch.lines.receiver_count() > WATCHERS_MAX {
        return Err(Refusal::busy(
            format!("{WATCHERS_MAX} clients watch already"),
            "end one of them, or ask again and again",
        ));
    }
    let now = *asked.state.news.commits.borrow();
    let (sender, body) = mpsc::channel(1);
    let place = Arc::clone(place);
    tokio::spawn(async move {
        let mut next = after.is_none_or(|after| after < now.commit).then(|| line(&commit(now)));
        loop {
            let line = match next.take() {
                Some(line) => line,
                None => match lines.recv().await {
                    Ok(line) => line,
                    Err(RecvError::Closed) => return,
                    Err(RecvError::Lagged(_)) => break,
                },
            };
            match timeout(STALL, sender.send(line)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => break,
            }
        }
        place.cut();
    });
    Ok(body)
}
