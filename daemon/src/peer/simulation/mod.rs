//! Vats on a bad network, by seed: the protocol's invariants under everything that can happen to it.
//!
//! The vats ([`vat`]) are the real sealing and the real sessions around a model of a database with a
//! transaction. The network loses, repeats, reorders, delays, damages and partitions; processes die
//! before, in and after commits; databases and whole machines go back to old copies; clocks jump;
//! operators retry, drop and resync. [`truth`] remembers everything and checks every step. In half of the
//! seeds nobody ever goes back: there, what arrives is exactly what was sent.
//!
//! In the end the faults stop, operators resync what is stopped, and everything must arrive.
//!
//! `QRT_SEEDS` says how many seeds to run, `QRT_SEED` the first one.

mod dice;
mod truth;
mod vat;

use std::collections::HashSet;

use dice::Dice;
use truth::Truth;
use vat::{Body, Copy, Packet, Vat};

/// What must have happened over a run of the default number of seeds: nothing here is a dead letter.
const ALL: [&str; 29] = [
    "asked a stopped peer",
    "backed up",
    "clock jumped back",
    "clock jumped forward",
    "crashed",
    "crashed after a commit",
    "crashed amid effects",
    "crashed before a commit",
    "damaged",
    "delayed",
    "diverged",
    "duplicated",
    "gave an attempt up",
    "healed",
    "ignored an ack of another request",
    "lost",
    "operator retried",
    "partitioned",
    "peer rolled back",
    "planned a resync",
    "refused a request",
    "reordered",
    "restored",
    "restored with its randomness",
    "resynced",
    "saw a bad frame behind good ones",
    "saw a gap",
    "saw an old message",
    "saw another history",
];

/// What two vats see too: with five, each pair has too little to do with each other.
const RARE: [&str; 2] = ["cleared by itself", "moved before the resync"];

/// Those of them that are done to the vats, rather than seen by them.
const FAULTS: [&str; 14] = [
    "clock jumped back",
    "clock jumped forward",
    "crashed",
    "crashed after a commit",
    "crashed amid effects",
    "crashed before a commit",
    "damaged",
    "duplicated",
    "gave an attempt up",
    "lost",
    "partitioned",
    "reordered",
    "restored",
    "restored with its randomness",
];

const TEN_YEARS_MS: u64 = 315_000_000_000;

struct World {
    vats: Vec<Vat>,
    network: Vec<Packet>,
    /// Pairs that do not reach each other.
    cut: HashSet<(usize, usize)>,
    copies: Vec<(usize, Copy)>,
    dice: Dice,
    truth: Truth,
    connections: u64,
    messages: u64,
    /// Whether databases go back in this run.
    rollbacks: bool,
}

impl World {
    fn new(seed: u64, vats: usize) -> Self {
        let mut dice = Dice::new(seed);
        let keys: Vec<[u8; 32]> = (0..vats).map(|_| dice.bytes()).collect();
        let vats = (0..vats).map(|index| Vat::new(index, &keys, Dice::new(dice.number()))).collect();
        Self {
            vats,
            network: Vec::new(),
            cut: HashSet::new(),
            copies: Vec::new(),
            dice,
            truth: Truth::default(),
            connections: 0,
            messages: 0,
            rollbacks: seed % 2 == 1,
        }
    }

    /// A vat and one of its peers.
    fn some_pair(&mut self) -> (usize, usize) {
        let vat = self.dice.below(self.vats.len());
        let peers = self.vats[vat].peers();
        (vat, peers[self.dice.below(peers.len())])
    }

    fn step(&mut self) {
        for vat in &mut self.vats {
            vat.now_ms += self.dice.number() % 400;
        }
        match self.dice.below(200) {
            0..30 => self.send(),
            30..72 => self.commit(),
            72..112 => self.poll(),
            112..170 => self.deliver(),
            170..174 => self.give_up(),
            174..178 => self.partition(),
            178..181 => self.jump(),
            181..184 => self.crash(),
            184..188 => self.back_up(),
            188..190 => self.restore(),
            190..193 => self.retry(),
            193..197 => self.operate(),
            _ => self.void(),
        }
    }

    fn send(&mut self) {
        let (from, to) = self.some_pair();
        self.send_from(from, to);
    }

    fn send_from(&mut self, from: usize, to: usize) {
        self.messages += 1;
        let json = format!("{{\"to\":\"nobody\",\"args\":{}}}", self.messages);
        self.vats[from].send(to, &json, &mut self.truth);
    }

    fn commit(&mut self) {
        let which = self.dice.below(self.vats.len());
        let vat = &mut self.vats[which];
        if self.dice.one_in(12) {
            vat.crash();
            self.truth.count("crashed before a commit");
            return;
        }
        let mut effects = vat.commit(&mut self.truth);
        match self.dice.below(12) {
            0 => {
                effects.clear();
                vat.crash();
                self.truth.count("crashed after a commit");
            }
            1 if effects.len() > 1 => {
                effects.truncate(1 + self.dice.below(effects.len() - 1));
                vat.crash();
                self.truth.count("crashed amid effects");
            }
            _ => {}
        }
        self.network.append(&mut effects);
    }

    fn poll(&mut self) {
        let (from, to) = self.some_pair();
        self.connections += 1;
        self.network.extend(self.vats[from].poll(to, self.connections, &mut self.truth));
    }

    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let which = if self.dice.one_in(3) { self.dice.below(self.network.len()) } else { 0 };
        let (from, to) = (self.network[which].from, self.network[which].to);
        if self.cut.contains(&(from.min(to), from.max(to))) {
            // It waits in a queue of the network, and may arrive after the partition.
            self.truth.count("delayed");
            let packet = self.network.remove(which);
            self.network.push(packet);
            return;
        }
        if which > 0 {
            self.truth.count("reordered");
        }
        if self.dice.one_in(10) {
            self.network.remove(which);
            self.truth.count("lost");
            return;
        }
        let packet = if self.dice.one_in(8) {
            self.truth.count("duplicated");
            self.network[which].clone()
        } else {
            self.network.remove(which)
        };
        let damaged = self.dice.one_in(20);
        self.arrive(packet, damaged);
    }

    fn arrive(&mut self, mut packet: Packet, damaged: bool) {
        if damaged {
            self.truth.count("damaged");
            let (Body::Request(bytes) | Body::Response { bytes, .. }) = &mut packet.body;
            let at = self.dice.below(bytes.len());
            bytes[at] ^= 1 << self.dice.below(8);
        }
        let vat = &mut self.vats[packet.to];
        match &packet.body {
            Body::Request(bytes) => {
                let accepted = vat.receive(&packet, bytes, &mut self.truth);
                let (to, peers) = (packet.to, vat.peers());
                // Turns on what came in send in the same transaction.
                for _ in 0..accepted {
                    if self.dice.one_in(4) {
                        let next = peers[self.dice.below(peers.len())];
                        self.send_from(to, next);
                    }
                }
            }
            Body::Response { status, bytes, .. } => vat.hear(&packet, *status, bytes, &mut self.truth),
        }
    }

    fn give_up(&mut self) {
        let (from, to) = self.some_pair();
        self.vats[from].give_up(to, &mut self.truth);
    }

    fn partition(&mut self) {
        let (a, b) = self.some_pair();
        let pair = (a.min(b), a.max(b));
        if self.cut.remove(&pair) {
            self.truth.count("healed");
        } else {
            self.cut.insert(pair);
            self.truth.count("partitioned");
        }
    }

    fn jump(&mut self) {
        let which = self.dice.below(self.vats.len());
        let now_ms = &mut self.vats[which].now_ms;
        if self.dice.one_in(2) {
            *now_ms = now_ms.saturating_sub(TEN_YEARS_MS);
            self.truth.count("clock jumped back");
        } else {
            *now_ms += TEN_YEARS_MS;
            self.truth.count("clock jumped forward");
        }
    }

    fn crash(&mut self) {
        let which = self.dice.below(self.vats.len());
        self.vats[which].crash();
        self.truth.count("crashed");
    }

    fn back_up(&mut self) {
        let which = self.dice.below(self.vats.len());
        self.copies.push((which, self.vats[which].copy()));
        self.truth.count("backed up");
    }

    fn restore(&mut self) {
        if !self.rollbacks || self.copies.is_empty() {
            return;
        }
        let copy = self.dice.below(self.copies.len());
        let (which, copy) = &self.copies[copy];
        let cloned = self.dice.one_in(3);
        self.vats[*which].restore(copy, cloned, &mut self.truth);
        self.truth.count(if cloned { "restored with its randomness" } else { "restored" });
    }

    fn retry(&mut self) {
        let (from, to) = self.some_pair();
        self.vats[from].retry(to);
        self.truth.count("operator retried");
    }

    /// An operator turns to a stopped channel, if there is one.
    fn operate(&mut self) {
        let ways = self.vats.iter().enumerate().flat_map(|(from, vat)| vat.stopped().map(move |to| (from, to)));
        let ways: Vec<_> = ways.collect();
        if ways.is_empty() {
            return;
        }
        let (from, to) = ways[self.dice.below(ways.len())];
        if self.vats[from].operator(to) {
            self.truth.count("planned a resync");
        }
    }

    fn void(&mut self) {
        let (from, to) = self.some_pair();
        self.vats[from].void(to, &mut self.dice, &mut self.truth);
    }

    /// The faults stop: everything must arrive, in a bounded number of rounds.
    fn settle(&mut self) {
        self.cut.clear();
        for round in 0..60 {
            for which in 0..self.vats.len() {
                self.vats[which].now_ms += 60_000;
                for peer in self.vats[which].peers() {
                    // The operators look at what is stopped, and in the beginning at everyone.
                    if round < 2 || !self.vats[which].is_settled() {
                        self.vats[which].operator(peer);
                    }
                    self.connections += 1;
                    self.network.extend(self.vats[which].poll(peer, self.connections, &mut self.truth));
                }
            }
            while !self.network.is_empty() {
                let packet = self.network.remove(0);
                let to = packet.to;
                self.arrive(packet, false);
                self.network.extend(self.vats[to].commit(&mut self.truth));
            }
            if round > 1 && self.vats.iter().all(Vat::is_settled) {
                return;
            }
        }
        panic!("the network is whole, and still something waits");
    }

    fn check(&self) {
        for (from, sender) in self.vats.iter().enumerate() {
            for to in sender.peers() {
                let line = &self.vats[to].disk[&from];
                assert_eq!(sender.sent_to(to), (line.inbound.number, line.inbound.tip), "both ends agree");
                assert_eq!(sender.disk[&to].out_history, line.inbox);
                self.truth.settled((from, to), &line.inbox);
            }
        }
    }
}

/// One whole run.
fn world(seed: u64, vats: usize, steps: usize) -> World {
    let mut world = World::new(seed, vats);
    for _ in 0..steps {
        world.step();
    }
    world.settle();
    world.check();
    world
}

/// Runs seeds, and sees that everything happened that must.
fn run(vats: usize, steps: usize, seeds: u64, must_happen: &[&str]) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("QRT_SEED").unwrap_or(1);
    let wanted = number("QRT_SEEDS");
    let seeds = wanted.unwrap_or(seeds);
    let mut total = std::collections::BTreeMap::<&str, u64>::new();
    let mut messages = 0;
    for seed in first..first + seeds {
        // A failing seed says its name.
        let named = Named(seed);
        let world = world(seed, vats, steps);
        let faults: u64 = FAULTS.iter().filter_map(|fault| world.truth.counts.get(fault)).sum();
        assert!(faults >= 20, "only {faults} faults");
        for (what, count) in &world.truth.counts {
            *total.entry(what).or_default() += count;
        }
        messages += world.messages;
        std::mem::forget(named);
    }
    let faults: u64 = FAULTS.iter().filter_map(|fault| total.get(fault)).sum();
    let report = format!("{vats} vats, {seeds} seeds x {steps} steps, {messages} messages, {faults} faults: {total:?}");
    if wanted.is_none() {
        let missing: Vec<_> = must_happen.iter().filter(|what| !total.contains_key(*what)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?} in {report}");
    }
    // Shown with --nocapture.
    std::io::Write::write_all(&mut std::io::stderr(), format!("{report}\n").as_bytes()).ok();
}

/// Says which seed failed.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        let line = format!("this was QRT_SEED={} QRT_SEEDS=1\n", self.0);
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).ok();
    }
}

#[test]
fn two_vats_lose_repeat_and_reorder_nothing_but_what_an_operator_was_told() {
    run(2, 800, 100, &[ALL.as_slice(), &RARE].concat());
}

#[test]
fn five_vats_lose_repeat_and_reorder_nothing_but_what_an_operator_was_told() {
    run(5, 3_000, 30, &ALL);
}

#[test]
fn a_seed_repeats_to_the_bit() {
    let (one, other) = (world(7, 2, 500), world(7, 2, 500));
    assert_eq!(one.truth.counts, other.truth.counts);
    assert_eq!(one.vats[0].sent_to(1), other.vats[0].sent_to(1));
}
