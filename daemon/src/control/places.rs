//! Who is connected, and who has to go when there is no room.
//!
//! A client has a place as long as its connection lasts. When none is free, the client that has been idle longest goes:
//! one that has not sent a whole request yet, or does not take its answer, or waits for nothing; then the one that has
//! waited longest for news, which asks again. A request that is being carried out is never broken off. No process may
//! have more than half of the places, so that a program gone wild locks out itself and not the operator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Clients connected at one time.
const CLIENTS_MAX: usize = 64;

/// Those of them that are of one process.
const PROCESS_MAX: usize = CLIENTS_MAX / 2;

/// What a client is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// Nothing that would be missed.
    Idle,
    /// Waiting for news.
    Waiting,
    /// Having a request carried out.
    Working,
}

struct Client {
    pid: i32,
    doing: Doing,
    since: Instant,
    cut: Arc<Notify>,
}

#[derive(Default)]
struct Clients {
    next: u64,
    all: BTreeMap<u64, Client>,
}

impl Clients {
    /// Cuts off whoever is missed least, of a process or of all; those cut already are on their way.
    fn cut(&mut self, pid: Option<i32>) {
        let of = self.all.values_mut().filter(|client| pid.is_none_or(|pid| client.pid == pid));
        let least =
            of.filter(|client| client.doing != Doing::Working).min_by_key(|client| (client.doing, client.since));
        if let Some(client) = least {
            client.cut.notify_one();
        }
    }
}

/// The places.
pub(super) struct Places {
    free: Arc<Semaphore>,
    clients: Mutex<Clients>,
}

/// A client's place.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    cut: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(CLIENTS_MAX)), clients: Mutex::default() })
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a client of process `pid`, once there is one.
    pub(super) async fn take(self: &Arc<Self>, pid: i32) -> Option<Place> {
        {
            let mut clients = self.clients();
            if clients.all.values().filter(|client| client.pid == pid).count() >= PROCESS_MAX {
                clients.cut(Some(pid));
            } else if self.free.available_permits() == 0 {
                clients.cut(None);
            }
        }
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let cut = Arc::new(Notify::new());
        let mut clients = self.clients();
        let number = clients.next;
        clients.next += 1;
        let client = Client { pid, doing: Doing::Idle, since: Instant::now(), cut: Arc::clone(&cut) };
        clients.all.insert(number, client);
        drop(clients);
        Some(Place { places: Arc::clone(self), number, cut, _permit: permit })
    }
}

impl Place {
    /// Says what the client is doing from now on.
    pub(super) fn is(&self, doing: Doing) {
        if let Some(client) = self.places.clients().all.get_mut(&self.number) {
            (client.doing, client.since) = (doing, Instant::now());
        }
    }

    /// Ends the connection: hyper waits for ever for a client that does not take its answer.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Waits until the connection has to end.
    pub(super) async fn gone(&self) {
        self.cut.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.clients().all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_missed_least_goes_when_places_run_out() {
        let places = Places::new();
        let mut taken = Vec::new();
        for number in 0..64 {
            let place = places.take(number / 16).await.expect("a place");
            place.is(match number {
                5 => Doing::Idle,
                7 => Doing::Waiting,
                _ => Doing::Working,
            });
            taken.push(Some(place));
        }
        for victim in [5, 7] {
            let next = tokio::spawn({
                let places = Arc::clone(&places);
                async move { places.take(99).await }
            });
            let gone = taken[victim].take().expect("a place");
            gone.gone().await;
            drop(gone);
            let next = next.await.expect("no panic").expect("a place");
            next.is(Doing::Working);
            taken[victim] = Some(next);
        }
    }

    #[tokio::test]
    async fn a_process_has_no_more_than_half_of_the_places() {
        let places = Places::new();
        let mut taken = Vec::new();
        for _ in 0..PROCESS_MAX {
            taken.push(places.take(7).await.expect("a place"));
        }
        taken.push(places.take(7).await.expect("a place"));
        taken[0].gone().await;
        taken.push(places.take(8).await.expect("a place"));
    }
}
