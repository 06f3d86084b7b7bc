//! `GET /v1/events`: what happens in the vat, a line of JSON each, as it is committed.
//!
//! One task tells all watchers: it takes the last commit, makes one line of it, and waits a tenth of a second before
//! the next, so commits that come faster are told as one. A watcher that does not take its lines in time is cut off;
//! it reads again what it shows, and watches anew. So is the way to begin: the first line says where the vat is.
//! Whoever asks for single events has them read by a task of its own ([`tell`](super::tell)) before each commit's line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use qrt_shared::view::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Refusal;
use super::places::Place;
use super::readers::Readers;
use super::router::Asked;
use super::tell::{Mark, Teller, Wanted};
use crate::totals::Committed;

/// The time between two lines, at least.
const PACE: Duration = Duration::from_millis(100);

/// The time between two lines, at most.
const IDLE: Duration = Duration::from_secs(15);

/// How long a watcher may take for a line.
const STALL: Duration = Duration::from_secs(10);

/// Lines that a watcher may be behind.
const BEHIND: usize = 128;

/// Told commits that are remembered for those who come back: 10 minutes of the fastest.
const MARKS_MAX: usize = 6000;

/// Clients that watch at one time.
const WATCHERS_MAX: usize = 32;

/// What is told to whoever watches.
pub(super) struct Watch {
    lines: broadcast::Sender<Line>,
    marks: Arc<Marks>,
}

/// A line for everybody.
#[derive(Clone)]
struct Line {
    /// The commit it tells.
    mark: Option<Mark>,
    text: Bytes,
}

impl Watch {
    /// Tells of `commits` until there are no more.
    pub(super) fn start(commits: watch::Receiver<Committed>) -> Self {
        let (lines, _) = broadcast::channel(BEHIND);
        let marks = Arc::new(Marks::default());
        marks.keep((&*commits.borrow()).into());
        tokio::spawn(tell(commits, lines.clone(), Arc::clone(&marks)));
        Self { lines, marks }
    }
}

async fn tell(mut commits: watch::Receiver<Committed>, lines: broadcast::Sender<Line>, marks: Arc<Marks>) {
    loop {
        let line = match timeout(IDLE, commits.changed()).await {
            Ok(Ok(())) => commit(&commits.borrow_and_update()),
            Ok(Err(_)) => return,
            Err(_) => Line { mark: None, text: encode(&[Event::Idle]) },
        };
        if let Some(mark) = line.mark {
            marks.keep(mark);
        }
        // Nobody may be there.
        lines.send(line).ok();
        sleep(PACE).await;
    }
}

fn commit(committed: &Committed) -> Line {
    let Committed { commit, totals, stands, .. } = *committed;
    let event = Event::Commit { commit, totals, inbox: stands.inbox, outbox: stands.outbox };
    Line { mark: Some(committed.into()), text: encode(&[event]) }
}

/// A line for each event.
fn encode(events: &[Event]) -> Bytes {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event).expect("an event is plain data");
        text.push(b'\n');
    }
    Bytes::from(text)
}

/// The last commits that were told.
#[derive(Default)]
struct Marks(Mutex<BTreeMap<u64, Mark>>);

impl Marks {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Mark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, mark: Mark) {
        let mut marks = self.all();
        marks.insert(mark.commit, mark);
        if marks.len() > MARKS_MAX {
            marks.pop_first();
        }
    }

    /// Where one goes on who knows `commit`.
    fn at(&self, commit: u64) -> Option<Mark> {
        self.all().range(..=commit).next_back().map(|(_, mark)| *mark)
    }
}

/// `GET /v1/events?after=&tell=&object=`: with the commit that the asker knows, the first line waits for the next one.
pub(super) async fn events(asked: &Asked<'_>, place: &Arc<Place>) -> Result<mpsc::Receiver<Bytes>, Refusal> {
    let after: Option<u64> = asked.parameter("after")?;
    let wanted = Wanted::of(asked)?;
    let Watch { lines, marks } = &asked.state.watch;
    let news = lines.subscribe();
    if lines.receiver_count() > WATCHERS_MAX {
        return Err(Refusal::busy(
            format!("{WATCHERS_MAX} clients watch already"),
            "end one of them, or ask again and again",
        ));
    }
    let now = *asked.state.news.commits.borrow();
    let mark = Mark::from(&now);
    marks.keep(mark);
    let readers = asked.state.readers.clone();
    let teller = match wanted {
        None => None,
        Some(wanted) => {
            let from = after.map_or(Some(mark), |after| marks.at(after.min(mark.commit)));
            Some(readers.ask(move |db| Teller::new(db, &wanted, from, mark)).await?)
        }
    };
    let first = after.is_none_or(|after| after < mark.commit).then(|| commit(&now));
    let (sender, body) = mpsc::channel(1);
    let watcher = Watcher { news, told: mark.commit, readers, teller, sender };
    let place = Arc::clone(place);
    tokio::spawn(async move {
        if watcher.run(first).await.is_err() {
            place.cut();
        }
    });
    Ok(body)
}

/// Whoever watches.
struct Watcher {
    news: broadcast::Receiver<Line>,
    /// The last commit it has heard of.
    told: u64,
    readers: Readers,
    /// Tells it single events, if it asked for any.
    teller: Option<Teller>,
    sender: mpsc::Sender<Bytes>,
}

/// It has to be cut off.
struct Behind;

impl Watcher {
    /// Tells it the `first` line and each that comes, as long as it and the vat are there.
    async fn run(mut self, first: Option<Line>) -> Result<(), Behind> {
        let mut next = first;
        loop {
            let line = match next.take() {
                Some(line) => line,
                None => match self.news.recv().await {
                    // Another task may have been ahead when this one began.
                    Ok(Line { mark: Some(mark), .. }) if mark.commit <= self.told => continue,
                    Ok(line) => line,
                    Err(RecvError::Closed) => return Ok(()),
                    Err(RecvError::Lagged(_)) => return Err(Behind),
                },
            };
            let text = match line.mark {
                Some(mark) => [self.single(mark).await?, line.text].concat().into(),
                None => line.text,
            };
            match timeout(STALL, self.sender.send(text)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(Behind),
            }
        }
    }

    /// The lines of single events until `mark`.
    async fn single(&mut self, mark: Mark) -> Result<Bytes, Behind> {
        self.told = mark.commit;
        let Some(mut teller) = self.teller.take() else { return Ok(Bytes::new()) };
        let asked = self.readers.ask(move |db| {
            let events = teller.news(db, mark)?;
            Ok((teller, encode(&events)))
        });
        // The log says why.
        let (teller, text) = asked.await.map_err(|_| Behind)?;
        self.teller = Some(teller);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_goes_on_from_the_last_told_commit_that_it_can_know_of() {
        let marks = Marks::default();
        let keep = |commit| marks.keep((&Committed { commit, ..Committed::default() }).into());
        let at = |commit| marks.at(commit).map(|mark| mark.commit);
        keep(3);
        keep(7);
        assert_eq!([2, 3, 6, 9].map(at), [None, Some(3), Some(3), Some(7)]);
        (10..).take(MARKS_MAX - 1).for_each(keep);
        assert_eq!([6, 7].map(at), [None, Some(7)], "as many are kept as may be");
    }
}
