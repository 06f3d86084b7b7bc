//! The post office: takes what is due from the outbox to other vats, and tells the kernel how it went.
//!
//! It sees the outbox on read-only connections, which show nothing that is not committed: what it can
//! send is a [`Parcel`], and only such a read makes one. Each peer has at most one request under way.
//! Peers of each [`Standing`] have places of their own, so a thousand black holes delay nobody who answers,
//! neither the old ones, which fail, nor new ones, of which nothing is known yet. Nothing is kept here between
//! attempts: a peer costs its row.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qrt_shared::wire::{Plaintext, RequestId, Response};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::driver::{Event, News, now_ms};
use crate::http::channels::Channels;
use crate::http::deliver::{self as http, Candidate, Courier, Failure};
use crate::http::policy::Named;
use crate::peer::seal::Stored;
use crate::peer::session::Asked;
use crate::store::read::{Parcel, ReadError, Reader, Standing};
use crate::vat::Input;
use crate::vat::peer::Origin;
use crate::vat::peer::attempt::{Answered, Attempt, Failed};
use crate::vat::source::PeerNumber;

/// Requests under way to peers of each standing.
const PLACES: usize = 64;

/// How long it sleeps when nothing is due, at most: it also notices then that the clock was set.
const NAP: Duration = Duration::from_secs(30);

/// A difference between two clocks that is a setting of one, not its drift.
const CLOCK_SET_MS: i64 = 2_000;

/// The post office's parts.
pub struct Post {
    dir: PathBuf,
    reader: Mutex<Option<Reader>>,
    channels: Arc<Channels>,
    courier: Courier,
    news: News,
}

/// What is under way: whose place each has.
type UnderWay = HashMap<PeerNumber, Standing>;

impl Post {
    /// The post office of the vat in `dir`.
    pub fn new(dir: PathBuf, channels: Arc<Channels>, courier: Courier, news: News) -> Self {
        Self { dir, reader: Mutex::default(), channels, courier, news }
    }

    /// Works for ever, or until the kernel's loop has ended.
    pub async fn run(self: Arc<Self>, due: Arc<Notify>) {
        let (ended, mut endings) = mpsc::unbounded_channel::<PeerNumber>();
        let mut under_way = UnderWay::default();
        let mut clock = Clock::start();
        loop {
            if let Some(by_ms) = clock.set()
                && self.news.events.send(Event::Input(Input::ClockSet(by_ms))).is_err()
            {
                return;
            }
            let next = match self.look(&under_way).await {
                Ok((parcels, next)) => {
                    for parcel in parcels {
                        under_way.insert(parcel.peer, parcel.standing);
                        let (post, ended) = (Arc::clone(&self), ended.clone());
                        tokio::spawn(async move {
                            let peer = parcel.peer;
                            post.attempt(parcel).await;
                            // The loop may have ended meanwhile.
                            ended.send(peer).ok();
                        });
                    }
                    next
                }
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    None
                }
            };
            let nap = next.map_or(NAP, |at| Duration::from_millis(at.saturating_sub(now_ms())).min(NAP));
            let woken = async {
                tokio::select! {
                    () = due.notified() => None,
                    ended = endings.recv() => ended,
                }
            };
            // A nap that ends without news is as good a reason to look again.
            if let Ok(Some(peer)) = timeout(nap.max(Duration::from_millis(1)), woken).await {
                under_way.remove(&peer);
            }
        }
    }

    /// What is due, and when the next is.
    async fn look(self: &Arc<Self>, under_way: &UnderWay) -> Result<(Vec<Parcel>, Option<u64>), ReadError> {
        let post = Arc::clone(self);
        let under_way = under_way.clone();
        let looked = spawn_blocking(move || {
            let mut reader = post.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let reader = match &mut *reader {
                Some(reader) => reader,
                none => none.insert(Reader::open(&post.dir)?),
            };
            reader.ask(|db| {
                let mut parcels = Vec::new();
                for standing in Standing::ALL {
                    let taken = under_way.values().filter(|of| **of == standing).count();
                    parcels.extend(db.due(standing, now_ms(), PLACES.saturating_sub(taken), &under_way)?);
                }
                Ok((parcels, db.next_due(now_ms())?))
            })
        });
        looked.await.map_err(|error| ReadError::Damaged(error.to_string()))?
    }

    /// One attempt at one peer; the kernel has heard of it when this returns.
    async fn attempt(self: &Arc<Self>, parcel: Parcel) {
        let (peer, due_at, carried) = (parcel.peer, parcel.due_at, !parcel.letters.is_empty());
        let (vat, started) = (parcel.vat, Instant::now());
        let result = self.deliver(parcel).await;
        if result.is_ok() {
            self.news.round_trips.took(vat, started.elapsed());
        }
        let attempt = Attempt { peer, due_at, carried, result };
        let (committed, commit) = oneshot::channel();
        // When the loop has ended, the next daemon tries again.
        if self.news.events.send(Event::Attempted { attempt, committed }).is_ok() {
            commit.await.ok();
        }
    }

    async fn deliver(self: &Arc<Self>, parcel: Parcel) -> Result<Answered, Failed> {
        let failed = |error: String| Failed { error, retry_after_ms: None, nowhere: false };
        let candidates: Vec<_> =
            parcel.urls.iter().map(|(url, origin)| Candidate { url: url.clone(), named: named(*origin) }).collect();
        let post = Arc::clone(self);
        let (vat, acked, letters, good) = (parcel.vat, parcel.acked, parcel.letters, parcel.good);
        // Sealing a full request takes a few milliseconds: not on the threads that serve everybody.
        let sealed = spawn_blocking(move || {
            let channel = post.channels.get(vat).map_err(|error| error.to_string())?;
            post.channels.keep(&channel);
            let stored = letters.iter().map(|letter| Stored {
                number: letter.seq,
                random: letter.random,
                text: Plaintext { id: letter.id, prev: letter.prev, json: letter.text.as_bytes() },
            });
            let request = channel.request(stored).map_err(|error| error.to_string())?;
            Ok::<_, String>((channel, request))
        });
        let sealed = sealed.await.unwrap_or_else(|error| Err(error.to_string()));
        let (channel, request) = sealed.map_err(failed)?;
        let make = || {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).expect("the operating system has randomness");
            let id = RequestId::from_bytes(bytes);
            (id, request.body(id))
        };
        let open = |id, response: &Response<'_>| {
            let ack = channel.open_ack(response).map_err(|error| error.to_string())?;
            // Whoever once saw an answer of the peer's can show it again.
            if ack.re == id { Ok(ack) } else { Err("the answer was to another request".to_owned()) }
        };
        match self.courier.deliver(vat, &candidates, good.as_ref(), make, open).await {
            Ok(http::Answered { url, opened: ack }) => {
                Ok(Answered { asked: Asked { id: ack.re, acked }, ack, at: url })
            }
            Err(failure) => {
                let wait = failure.retry_after();
                let retry_after_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                let nowhere = matches!(failure, Failure::NowhereToGo);
                Err(Failed { error: failure.to_string(), retry_after_ms, nowhere })
            }
        }
    }
}

fn named(origin: Origin) -> Named {
    match origin {
        Origin::Operator => Named::ByOperator,
        Origin::Peer | Origin::Hint => Named::ByPeer,
    }
}

/// Notices when somebody sets the wall clock, by one that nobody can set.
struct Clock {
    since: Instant,
    then_ms: u64,
}

impl Clock {
    fn start() -> Self {
        Self { since: Instant::now(), then_ms: now_ms() }
    }

    /// By how much it was set since it was last asked.
    fn set(&mut self) -> Option<i64> {
        let passed_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let by_ms = now_ms().cast_signed().saturating_sub(self.then_ms.saturating_add(passed_ms).cast_signed());
        *self = Self::start();
        (by_ms.abs() > CLOCK_SET_MS).then_some(by_ms)
    }
}
