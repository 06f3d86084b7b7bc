//! A vat as small as the protocol allows: a database with its open transaction, effects under embargo,
//! and what a process forgets when it dies. Sealing and sessions are the real ones.

use std::collections::{BTreeMap, VecDeque};

use qrt_shared::wire::{
    self, MessageId, Plaintext, Position, RANDOM_BYTES, Request, RequestId, Response, Sequence, Tip, encode_response,
    refusal,
};

use super::super::retry::{Policy, Schedule};
use super::super::seal::{Channel, Head, NonceKey, Stored};
use super::super::session::{Answer, Asked, Outbound, Plan, ResyncError, State, Verdict, intake_request};
use super::dice::Dice;
use super::truth::Truth;
use crate::key::Key;

const POLICY: Policy = Policy { base_ms: 1_000, cap_ms: 600_000, ask_ms: 86_400_000 };

/// After this an attempt is given up.
const TIMEOUT_MS: u64 = 30_000;

/// Something on the network.
#[derive(Clone)]
pub(super) struct Packet {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The connection it belongs to.
    pub(super) connection: u64,
    pub(super) body: Body,
}

#[derive(Clone)]
pub(super) enum Body {
    Request(Vec<u8>),
    Response {
        status: u16,
        bytes: Vec<u8>,
        /// What the ack in it says, for the truth only.
        claims: Option<Position>,
    },
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    head: Head,
    random: [u8; RANDOM_BYTES],
    json: String,
}

impl Held {
    fn stored(&self) -> Stored<'_> {
        Stored { number: self.head.number, random: self.random, text: self.plaintext() }
    }

    fn plaintext(&self) -> Plaintext<'_> {
        Plaintext { id: self.head.id, prev: self.head.prev, json: self.json.as_bytes() }
    }
}

/// What the database has of one peer, both ways.
#[derive(Clone, Default)]
pub(super) struct Line {
    pub(super) outbound: Outbound,
    pub(super) held: VecDeque<Held>,
    /// Every id of the sender's history: a real vat keeps only the tip.
    pub(super) out_history: Vec<MessageId>,
    pub(super) inbound: Position,
    pub(super) inbox: Vec<MessageId>,
}

pub(super) type Lines = BTreeMap<usize, Line>;

/// A copy of a database, and of the machine's randomness.
#[derive(Clone)]
pub(super) struct Copy {
    lines: Lines,
    entropy: Dice,
}

struct Pending {
    asked: Asked,
    connection: u64,
    since_ms: u64,
}

pub(super) struct Vat {
    index: usize,
    key: Key,
    nonces: NonceKey,
    channels: BTreeMap<usize, Channel>,
    /// What the last commit left.
    pub(super) disk: Lines,
    /// That and the open transaction.
    pub(super) memory: Lines,
    /// Sends of the open transaction.
    sent: Vec<(usize, MessageId)>,
    /// Answers that wait for the commit.
    embargo: Vec<Packet>,
    /// From here on: the process's own.
    pending: BTreeMap<usize, Pending>,
    schedules: BTreeMap<usize, Schedule>,
    plans: BTreeMap<usize, Plan>,
    /// The operating system's randomness.
    entropy: Dice,
    pub(super) now_ms: u64,
}

impl Vat {
    pub(super) fn new(index: usize, keys: &[[u8; 32]], entropy: Dice) -> Self {
        let key = |n: usize| Key::from_bytes(keys[n]).expect("a usable key");
        let peers = || (0..keys.len()).filter(|peer| *peer != index);
        let own = key(index);
        let channels = peers().map(|peer| (peer, Channel::new(&own, key(peer).vat()).expect("another"))).collect();
        let lines: Lines = peers().map(|peer| (peer, Line::default())).collect();
        let mut vat = Self {
            index,
            nonces: NonceKey::new(&own),
            key: own,
            channels,
            disk: lines.clone(),
            memory: lines,
            sent: Vec::new(),
            embargo: Vec::new(),
            pending: BTreeMap::new(),
            schedules: BTreeMap::new(),
            plans: BTreeMap::new(),
            entropy,
            now_ms: 1_000_000_000_000,
        };
        vat.crash();
        vat
    }

    pub(super) fn peers(&self) -> Vec<usize> {
        self.memory.keys().copied().collect()
    }

    fn line(&mut self, peer: usize) -> &mut Line {
        self.memory.get_mut(&peer).expect("a peer")
    }

    fn schedule(&mut self, peer: usize) -> &mut Schedule {
        self.schedules.get_mut(&peer).expect("a peer")
    }

    /// The process dies and a new one starts from the last commit.
    pub(super) fn crash(&mut self) {
        self.memory = self.disk.clone();
        self.sent.clear();
        self.embargo.clear();
        self.pending.clear();
        self.plans.clear();
        self.schedules = self.memory.keys().map(|peer| (*peer, Schedule::new())).collect();
    }

    /// A message is sent by a turn of the open transaction.
    pub(super) fn send(&mut self, to: usize, json: &str, truth: &mut Truth) {
        let id = {
            let at = self.memory[&to].outbound.last;
            let number = at.number.next().expect("few");
            let fresh = self.entropy.bytes();
            self.nonces.id(&fresh, self.channels[&to].peer(), number, &at.tip, json.as_bytes())
        };
        let numbered = self.line(to).outbound.push(&id).expect("few");
        let head = Head { number: numbered.number, id, prev: numbered.prev };
        self.hold(to, head, json.to_owned(), truth);
        self.sent.push((to, id));
        self.schedule(to).message();
    }

    /// A row of the outbox is written: its nonce is drawn, once.
    fn hold(&mut self, to: usize, head: Head, json: String, truth: &mut Truth) {
        let text = Plaintext { id: head.id, prev: head.prev, json: json.as_bytes() };
        let fresh = self.entropy.bytes();
        let random = self.nonces.message(&fresh, self.channels[&to].peer(), head.number, &text);
        let way = (self.index, to);
        let line = self.line(to);
        truth.numbered(way, &head, &line.out_history, &json);
        line.out_history.push(head.id);
        line.held.push_back(Held { head, random, json });
    }

    /// The commit: what was open lasts, and what waited for it may leave, in this order.
    pub(super) fn commit(&mut self, truth: &mut Truth) -> Vec<Packet> {
        self.disk = self.memory.clone();
        for (to, id) in self.sent.drain(..) {
            truth.committed_send((self.index, to), id);
        }
        for (peer, line) in &self.disk {
            truth.committed_inbox((*peer, self.index), line.inbound, &line.inbox);
        }
        for packet in &self.embargo {
            if let Body::Response { claims: Some(claims), .. } = &packet.body {
                truth.ack_leaves((packet.to, self.index), *claims);
            }
        }
        std::mem::take(&mut self.embargo)
    }

    /// The next request to a peer, if one is due.
    pub(super) fn poll(&mut self, to: usize, connection: u64, truth: &mut Truth) -> Option<Packet> {
        let now_ms = self.now_ms;
        if let Some(pending) = self.pending.get(&to) {
            if now_ms.abs_diff(pending.since_ms) < TIMEOUT_MS {
                return None;
            }
            self.give_up(to, truth);
        }
        if self.schedule(to).remaining_ms(now_ms) > 0 {
            return None;
        }
        let id = RequestId::from_bytes(self.entropy.bytes());
        let (open, disk) = (&self.memory[&to], &self.disk[&to]);
        let mut leaving = Vec::new();
        if let Some(first) = open.outbound.first_to_send() {
            // Only what is committed as it is, from the oldest on.
            let committed = disk.held.iter().skip_while(|held| held.head.number < first);
            let same = committed.zip(&open.held).take_while(|(disk, open)| disk == open);
            leaving.extend(same.map(|(held, _)| held));
        }
        let request = self.channels[&to].request(leaving.iter().map(|held| held.stored())).expect("short");
        let body = request.body(id);
        for (frame, held) in Request::decode(&body).expect("well-formed").frames.iter().zip(&leaving) {
            truth.leaves((self.index, to), &held.head.id);
            truth.sealed((self.index, to), frame.nonce, &held.plaintext().encode());
        }
        if open.outbound.state != State::Ok {
            assert_eq!(request.frames(), 0, "a stopped channel only asks");
            truth.count("asked a stopped peer");
        }
        self.pending.insert(to, Pending { asked: open.outbound.asked(id), connection, since_ms: now_ms });
        Some(Packet { from: self.index, to, connection, body: Body::Request(body) })
    }

    /// An attempt failed.
    pub(super) fn give_up(&mut self, to: usize, truth: &mut Truth) {
        if self.pending.remove(&to).is_some() {
            truth.count("gave an attempt up");
            let (now_ms, random) = (self.now_ms, self.entropy.number());
            self.schedule(to).failed(&POLICY, now_ms, random, None);
        }
    }

    /// A request arrives; the answer waits for the commit. Returns how many messages were accepted.
    pub(super) fn receive(&mut self, packet: &Packet, bytes: &[u8], truth: &mut Truth) -> usize {
        let (from, connection) = (packet.from, packet.connection);
        let mut answer = |status, bytes, claims| {
            let body = Body::Response { status, bytes, claims };
            self.embargo.push(Packet { from: self.index, to: from, connection, body });
        };
        let us = self.key.vat();
        // A flipped bit may leave another vat's key there, whose box this is not.
        let request = Request::decode(bytes).ok().filter(|request| request.from == self.channels[&from].peer());
        let opened = request.and_then(|request| self.channels[&from].open_request(&request).ok());
        let Some(opened) = opened else {
            truth.count("refused a request");
            answer(400, refusal(us), None);
            return 0;
        };
        let line = self.memory.get_mut(&from).expect("a peer");
        let intake = intake_request(line.inbound, &opened);
        let mut accepted = 0;
        for (verdict, message) in intake.verdicts.iter().zip(&opened.messages) {
            match verdict {
                Verdict::Accepted => {
                    truth.accepted((from, self.index), &message.head, &message.json, &line.inbox);
                    line.inbox.push(message.head.id);
                    accepted += 1;
                }
                Verdict::Old => truth.count("saw an old message"),
                Verdict::Gap => truth.count("saw a gap"),
                Verdict::OtherHistory => truth.count("saw another history"),
            }
        }
        if intake.bad.is_some() {
            truth.count("saw a bad frame behind good ones");
        }
        line.inbound = intake.position;
        let ack = intake.ack(opened.id);
        let random = self.nonces.ack(&self.entropy.bytes(), self.channels[&from].peer(), &ack);
        let sealed = self.channels[&from].seal_ack(random, &ack);
        truth.sealed((self.index, from), sealed.frame().nonce, &ack.encode());
        answer(200, encode_response(us, &sealed.frame()), Some(intake.position));
        accepted
    }

    /// An answer arrives, maybe late, maybe to a request of an earlier process.
    pub(super) fn hear(&mut self, packet: &Packet, status: u16, bytes: &[u8], truth: &mut Truth) {
        let from = packet.from;
        let Some(pending) = self.pending.get(&from) else { return };
        let (asked, same) = (pending.asked, pending.connection == packet.connection);
        let ack = match status {
            200 => Response::decode(bytes).ok().and_then(|response| self.channels[&from].open_ack(&response).ok()),
            _ => None,
        };
        let Some(ack) = ack else {
            if same {
                self.give_up(from, truth);
            }
            return;
        };
        let way = (self.index, from);
        let line = self.line(from);
        let ids: Vec<MessageId> = line.held.iter().map(|held| held.head.id).collect();
        let before = line.outbound;
        let answer = line.outbound.answer(&asked, &ack, ids.iter().copied());
        match answer {
            Answer::NotOurs => {
                truth.count("ignored an ack of another request");
                return;
            }
            Answer::Overtaken => {}
            Answer::Fits { drop_to, cleared } => {
                let gone = line.held.iter().take_while(|held| held.head.number <= drop_to).count();
                truth.dropped(way, ack.tip, &ids[..gone]);
                line.held.drain(..gone);
                if cleared {
                    truth.count("cleared by itself");
                }
            }
            Answer::Stopped { news } => {
                assert_eq!((line.outbound.acked, line.outbound.last), (before.acked, before.last));
                match line.outbound.state {
                    State::Diverged(_) if news => truth.count("diverged"),
                    State::PeerRolledBack(_) if news => truth.count("peer rolled back"),
                    _ => {}
                }
            }
        }
        let waiting = line.outbound.first_to_send().is_some();
        self.pending.remove(&from);
        self.after_answer(from, ack.bad.is_some(), waiting);
        self.resync(from, answer, truth);
    }

    fn after_answer(&mut self, from: usize, bad: bool, waiting: bool) {
        let (now_ms, random) = (self.now_ms, self.entropy.number());
        let schedule = self.schedule(from);
        if bad {
            schedule.failed(&POLICY, now_ms, random, None);
            return;
        }
        schedule.succeeded(&POLICY, now_ms);
        if waiting {
            schedule.message();
        }
    }

    /// The operator looks at a stopped peer: is told what a resync would do, and has it ask once more.
    pub(super) fn operator(&mut self, peer: usize) -> bool {
        let plan = self.memory[&peer].outbound.plan().ok();
        self.schedule(peer).retry();
        plan.is_some_and(|plan| self.plans.insert(peer, plan).is_none())
    }

    /// Peers whose channel is stopped.
    pub(super) fn stopped(&self) -> impl Iterator<Item = usize> {
        self.memory.iter().filter(|(_, line)| line.outbound.state != State::Ok).map(|(peer, _)| *peer)
    }

    /// The operator has a peer tried now.
    pub(super) fn retry(&mut self, peer: usize) {
        self.schedule(peer).retry();
    }

    /// The operator's resync, after the answer just before it.
    fn resync(&mut self, peer: usize, answer: Answer, truth: &mut Truth) {
        let Some(plan) = self.plans.remove(&peer) else { return };
        if !matches!(answer, Answer::Stopped { .. }) {
            return;
        }
        let way = (self.index, peer);
        let line = self.line(peer);
        let ids: Vec<MessageId> = line.held.iter().map(|held| held.head.id).collect();
        let state = line.outbound.state;
        match line.outbound.resync(&plan, ids.iter().copied()) {
            Ok(renumbered) => {
                truth.resynced(way, state, &plan, &ids);
                truth.count("resynced");
                line.out_history = truth.history(way, plan.theirs.tip);
                let texts: Vec<String> = line.held.drain(..).map(|held| held.json).collect();
                for (moved, json) in renumbered.iter().zip(texts) {
                    let head = Head { number: moved.to.number, id: moved.id, prev: moved.to.prev };
                    self.hold(peer, head, json, truth);
                }
                self.schedule(peer).retry();
            }
            Err(ResyncError::Moved(_)) => truth.count("moved before the resync"),
            Err(error) => panic!("{error}"),
        }
    }

    /// The operator drops a queued message: a void takes its number and id, under a new nonce.
    pub(super) fn void(&mut self, peer: usize, dice: &mut Dice, truth: &mut Truth) {
        let way = (self.index, peer);
        let count = self.memory[&peer].held.len();
        if count == 0 {
            return;
        }
        let which = dice.below(count);
        let (fresh, receiver) = (self.entropy.bytes(), self.channels[&peer].peer());
        let nonces = self.nonces.clone();
        let line = self.line(peer);
        let held = &mut line.held[which];
        line.outbound.void(held.head.number).expect("it is held");
        held.json = wire::void("not needed");
        held.random = nonces.message(&fresh, receiver, held.head.number, &held.plaintext());
        let past = usize::try_from(held.head.number.0 - 1).expect("few");
        truth.numbered(way, &held.head, &line.out_history[..past], &held.json);
        truth.count("voided");
    }

    pub(super) fn copy(&self) -> Copy {
        Copy { lines: self.disk.clone(), entropy: self.entropy.clone() }
    }

    /// The database is replaced by an old copy; of a cloned machine the randomness too.
    pub(super) fn restore(&mut self, copy: &Copy, cloned: bool, truth: &mut Truth) {
        let mut forgotten = Vec::new();
        for (peer, line) in &self.disk {
            let old = &copy.lines[peer];
            let gone = line.out_history.iter().filter(|id| !old.out_history.contains(id));
            forgotten.extend(gone.chain(line.inbox.iter().filter(|id| !old.inbox.contains(id))).copied());
        }
        truth.restored(self.index, forgotten);
        self.disk = copy.lines.clone();
        if cloned {
            self.entropy = copy.entropy.clone();
        }
        self.crash();
    }

    /// Nothing is held, and no channel is stopped.
    pub(super) fn is_settled(&self) -> bool {
        let settled = |line: &Line| line.held.is_empty() && line.outbound.state == State::Ok;
        self.memory.values().all(settled) && self.disk.values().all(settled)
    }

    /// What the database says of a channel's sending half, for the last check.
    pub(super) fn sent_to(&self, peer: usize) -> (Sequence, Tip) {
        let last = self.disk[&peer].outbound.last;
        (last.number, last.tip)
    }
}
