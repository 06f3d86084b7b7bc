//! What strangers may cost, by address: connections, requests, bytes in memory.
//!
//! An address is an IPv4 address or an IPv6 /64: who has one address of a /64 has all of them. The gate
//! is asked before anything that costs more than itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In the long run.
    pub per_second: f64,
    /// At once, after a pause.
    pub burst: f64,
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_address: usize,
    /// Requests of one address. A lone message is one, so this is high.
    pub requests: Rate,
    /// Requests of one address that cost a Diffie-Hellman, because their sender's shared key is not kept.
    pub strangers: Rate,
    /// Bytes of bodies in memory, in all.
    pub body_bytes: usize,
    /// Bytes of bodies in memory, of one address.
    pub body_bytes_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 64,
            requests: Rate { per_second: 5_000.0, burst: 5_000.0 },
            strangers: Rate { per_second: 100.0, burst: 200.0 },
            body_bytes: 256 << 20,
            body_bytes_per_address: 32 << 20,
        }
    }
}

/// Addresses remembered before those without news are forgotten.
const REMEMBERED: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

#[derive(Debug)]
struct Entry {
    connections: usize,
    bytes: usize,
    requests: Bucket,
    strangers: Bucket,
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// As of `at`.
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: &Rate, now: Instant) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    fn tokens(&self, rate: &Rate, now: Instant) -> f64 {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() * rate.per_second;
        (self.tokens + refilled).min(rate.burst)
    }

    /// Takes one, or says when there will be one.
    fn take(&mut self, rate: &Rate, now: Instant) -> Result<(), Duration> {
        let tokens = self.tokens(rate, now);
        if tokens < 1.0 {
            return Err(Duration::try_from_secs_f64((1.0 - tokens) / rate.per_second).unwrap_or(Duration::MAX));
        }
        *self = Self { tokens: tokens - 1.0, at: now };
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Books {
    connections: usize,
    bytes: usize,
    addresses: HashMap<Address, Entry>,
}

/// The books of what everyone uses now.
#[derive(Debug, Clone)]
pub struct Gate {
    limits: Limits,
    books: Arc<Mutex<Books>>,
}

/// A connection's place; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    gate: Gate,
    address: Address,
}

/// The bytes of one body; dropped, they are free again.
#[derive(Debug)]
pub struct BodyBytes<'a> {
    place: &'a Place,
    bytes: usize,
}

impl Entry {
    /// Whether forgetting it would give something away.
    fn is_news(&self, limits: &Limits, now: Instant) -> bool {
        self.requests.tokens(&limits.requests, now) < limits.requests.burst
            || self.strangers.tokens(&limits.strangers, now) < limits.strangers.burst
    }
}

impl Gate {
    /// An empty house.
    pub fn new(limits: Limits) -> Self {
        Self { limits, books: Arc::default() }
    }

    fn with<T>(&self, address: Address, now: Instant, work: impl FnOnce(&mut usize, &mut usize, &mut Entry) -> T) -> T {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let Books { connections, bytes, addresses } = &mut *books;
        if addresses.len() >= REMEMBERED {
            addresses.retain(|_, entry| entry.connections > 0 || entry.is_news(&self.limits, now));
        }
        let Limits { requests, strangers, .. } = &self.limits;
        let fresh = || Entry {
            connections: 0,
            bytes: 0,
            requests: Bucket::full(requests, now),
            strangers: Bucket::full(strangers, now),
        };
        work(connections, bytes, addresses.entry(address).or_insert_with(fresh))
    }

    /// A place for a connection from `ip`, if there is one.
    pub fn connect(&self, ip: IpAddr) -> Option<Place> {
        let address = Address::from(ip);
        self.with(address, Instant::now(), |all, _, entry| {
            if *all >= self.limits.connections || entry.connections >= self.limits.connections_per_address {
                return None;
            }
            *all += 1;
            entry.connections += 1;
            Some(Place { gate: self.clone(), address })
        })
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).connections
    }
}

impl Place {
    /// Whether its address may make a request at `now`.
    ///
    /// # Errors
    /// How long it must wait.
    pub fn request(&self, now: Instant) -> Result<(), Duration> {
        let rate = &self.gate.limits.requests;
        self.gate.with(self.address, now, |_, _, entry| entry.requests.take(rate, now))
    }

    /// Whether a request of its address may cost a Diffie-Hellman at `now`.
    ///
    /// # Errors
    /// How long it must wait.
    pub fn stranger(&self, now: Instant) -> Result<(), Duration> {
        let rate = &self.gate.limits.strangers;
        self.gate.with(self.address, now, |_, _, entry| entry.strangers.take(rate, now))
    }

    /// A body that takes up nothing yet.
    pub fn body(&self) -> BodyBytes<'_> {
        BodyBytes { place: self, bytes: 0 }
    }
}

impl BodyBytes<'_> {
    /// Takes `more` bytes of memory for the body, or says that there are none.
    #[must_use]
    pub fn grow(&mut self, more: usize) -> bool {
        let Place { gate, address } = self.place;
        let fits = gate.with(*address, Instant::now(), |_, all, entry| {
            let fits =
                *all + more <= gate.limits.body_bytes && entry.bytes + more <= gate.limits.body_bytes_per_address;
            if fits {
                *all += more;
                entry.bytes += more;
            }
            fits
        });
        if fits {
            self.bytes += more;
        }
        fits
    }
}

impl Drop for BodyBytes<'_> {
    fn drop(&mut self) {
        let Place { gate, address } = self.place;
        gate.with(*address, Instant::now(), |_, all, entry| {
            *all -= self.bytes;
            entry.bytes -= self.bytes;
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.with(self.address, Instant::now(), |all, _, entry| {
            *all -= 1;
            entry.connections -= 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections: 3,
        connections_per_address: 2,
        requests: Rate { per_second: 10.0, burst: 2.0 },
        strangers: Rate { per_second: 1.0, burst: 1.0 },
        body_bytes: 100,
        body_bytes_per_address: 60,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_cannot_take_all_places_and_a_place_comes_back() {
        let gate = Gate::new(LIMITS);
        let first = gate.connect(ip("192.0.2.1")).expect("free");
        let _second = gate.connect(ip("::ffff:192.0.2.1")).expect("free");
        assert!(gate.connect(ip("192.0.2.1")).is_none(), "written as IPv6 it is the same address");
        let _other = gate.connect(ip("192.0.2.2")).expect("free");
        assert!(gate.connect(ip("192.0.2.3")).is_none(), "full");
        drop(first);
        assert!(gate.connect(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_whole_64_is_one_address() {
        let gate = Gate::new(LIMITS);
        let _places = [gate.connect(ip("2001:db8::1")), gate.connect(ip("2001:db8::2"))];
        assert!(gate.connect(ip("2001:db8::ffff:3")).is_none());
        assert!(gate.connect(ip("2001:db8:0:1::3")).is_some());
    }

    #[test]
    fn requests_beyond_the_burst_wait_for_the_refill() {
        let gate = Gate::new(LIMITS);
        let place = gate.connect(ip("192.0.2.1")).expect("free");
        let now = Instant::now();
        assert_eq!(place.request(now), Ok(()));
        assert_eq!(place.request(now), Ok(()));
        let wait = place.request(now).expect_err("spent");
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(place.request(now + wait), Ok(()));
        assert!(place.request(now + wait).is_err());
        drop(place);
        let again = gate.connect(ip("192.0.2.1")).expect("free");
        assert!(again.request(now + wait).is_err(), "a new connection is no new bucket");
    }

    #[test]
    fn strangers_are_counted_apart() {
        let gate = Gate::new(LIMITS);
        let place = gate.connect(ip("192.0.2.1")).expect("free");
        let now = Instant::now();
        assert_eq!(place.stranger(now), Ok(()));
        assert_eq!(place.stranger(now), Err(Duration::from_secs(1)));
        assert_eq!(place.request(now), Ok(()));
    }

    #[test]
    fn bodies_fill_a_bounded_memory_and_no_address_all_of_it() {
        let gate = Gate::new(LIMITS);
        let (one, two) = (gate.connect(ip("192.0.2.1")).expect("free"), gate.connect(ip("192.0.2.2")).expect("free"));
        let mut first = one.body();
        assert!(first.grow(60));
        assert!(!one.body().grow(1));
        let mut second = two.body();
        assert!(second.grow(40));
        assert!(!second.grow(1));
        drop(first);
        assert!(second.grow(20));
    }

    #[test]
    fn addresses_without_news_are_forgotten() {
        let gate = Gate::new(Limits { connections: 10_000, ..LIMITS });
        for n in 0..10_000_u32 {
            drop(gate.connect(IpAddr::from(n.to_be_bytes())));
        }
        let remembered = gate.books.lock().expect("not poisoned").addresses.len();
        assert!(remembered <= REMEMBERED, "{remembered}");
    }
}
