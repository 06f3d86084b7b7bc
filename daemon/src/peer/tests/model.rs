//! Both halves against a model that keeps whole histories where the session keeps a number and a hash.

use proptest::prelude::*;
use qrt_shared::wire::{MessageId, Position, RequestId, Sequence};

use super::super::seal::Head;
use super::super::session::{Answer, Asked, Outbound, State, Verdict, intake};
use super::{ack, position};

#[derive(Debug, Clone)]
enum Op {
    /// The sender numbers a message.
    Push,
    /// The sender asks, with up to so many messages; nothing arrives yet.
    Ask(usize),
    /// A request arrives, maybe again, maybe late.
    Deliver(prop::sample::Index),
    /// An answer arrives, maybe again, maybe late.
    Answer(prop::sample::Index),
    /// The sender, or the receiver, goes back to an old copy.
    Restore { sender: bool, copy: prop::sample::Index },
    /// The operator resyncs, if it is stopped.
    Resync,
}

fn op() -> impl Strategy<Value = Op> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        6 => Just(Op::Push),
        6 => (0_usize..4).prop_map(Op::Ask),
        6 => index().prop_map(Op::Deliver),
        6 => index().prop_map(Op::Answer),
        1 => (any::<bool>(), index()).prop_map(|(sender, copy)| Op::Restore { sender, copy }),
        1 => Just(Op::Resync),
    ]
}

/// The sender: the session's half, and every id it ever numbered in this history.
#[derive(Clone, Default)]
struct Sender {
    outbound: Outbound,
    /// Ids from number 1 on; `None` for those that only the receiver knows, after a resync.
    history: Vec<Option<MessageId>>,
}

impl Sender {
    fn acked(&self) -> usize {
        usize::try_from(self.outbound.acked.number.0).expect("few")
    }

    fn held(&self) -> Vec<MessageId> {
        self.history[self.acked()..].iter().map(|id| id.expect("what is held is known")).collect()
    }
}

#[derive(Clone)]
struct Request {
    asked: Asked,
    name: u8,
    heads: Vec<Head>,
}

#[derive(Default)]
struct World {
    sender: Sender,
    receiver: Vec<MessageId>,
    sender_copies: Vec<Sender>,
    receiver_copies: Vec<Vec<MessageId>>,
    requests: Vec<Request>,
    answers: Vec<(Request, Vec<MessageId>)>,
    drawn: u8,
}

impl World {
    fn id(&mut self) -> MessageId {
        self.drawn += 1;
        MessageId::from_bytes([self.drawn; 16])
    }

    fn push(&mut self) {
        let id = self.id();
        let before = self.sender.outbound.last;
        let numbered = self.sender.outbound.push(&id).expect("few");
        assert_eq!((numbered.number.0, numbered.prev), (before.number.0 + 1, before.tip));
        self.sender.history.push(Some(id));
    }

    fn ask(&mut self, most: usize) {
        let outbound = &self.sender.outbound;
        let name = u8::try_from(self.requests.len()).expect("few");
        let asked = outbound.asked(RequestId::from_bytes([name; 16]));
        let mut at = outbound.acked;
        let mut heads = Vec::new();
        let most = if outbound.first_to_send().is_some() { most } else { 0 };
        for id in self.sender.held().into_iter().take(most) {
            let prev = at.tip;
            at = at.next(&id).expect("few");
            heads.push(Head { number: at.number, id, prev });
        }
        self.requests.push(Request { asked, name, heads });
    }

    fn deliver(&mut self, request: &Request) {
        let before = self.receiver.clone();
        let taken = intake(position(before.iter().copied()), request.heads.iter().copied(), None);
        // The model: a message is next when its number is, and its whole past is ours. Tips stand for
        // pasts, so whether `prev` is right is whether the histories are equal.
        let mut stopped = false;
        for (head, verdict) in request.heads.iter().zip(&taken.verdicts) {
            assert!(!stopped, "nothing is looked at after a stop");
            let next = self.receiver.len() as u64 + 1;
            let wanted = match head.number.0 {
                number if number < next => Verdict::Old,
                number if number > next => Verdict::Gap,
                _ if head.prev == position(self.receiver.iter().copied()).tip => Verdict::Accepted,
                _ => Verdict::OtherHistory,
            };
            assert_eq!(*verdict, wanted);
            match wanted {
                Verdict::Accepted => self.receiver.push(head.id),
                Verdict::Old => {}
                Verdict::Gap | Verdict::OtherHistory => stopped = true,
            }
        }
        assert!(stopped || taken.verdicts.len() == request.heads.len(), "and nothing is left out");
        assert_eq!(taken.position, position(self.receiver.iter().copied()));
        self.answers.push((request.clone(), self.receiver.clone()));
    }

    fn answer(&mut self, request: &Request, theirs: &[MessageId]) {
        let before = self.sender.clone();
        let said: Position = position(theirs.iter().copied());
        let held = before.held();
        let answer = self.sender.outbound.answer(&request.asked, &ack(request.name, said), held);
        let ours = before.history.get(..theirs.len());
        let known = ours.filter(|ours| ours.iter().zip(theirs).all(|(ours, theirs)| ours.is_none_or(|o| o == *theirs)));
        let n = theirs.len() as u64;
        let outbound = &self.sender.outbound;
        if before.outbound.acked.number < request.asked.acked {
            // It was asked before a resync, or before the sender went back: it says nothing of what is now.
            assert_eq!(answer, Answer::Overtaken);
            assert_eq!(*outbound, before.outbound);
        } else if n < request.asked.acked.0 {
            assert!(matches!((answer, outbound.state), (Answer::Stopped { .. }, State::PeerRolledBack(_))));
        } else if n < before.outbound.acked.number.0 {
            assert_eq!(answer, Answer::Overtaken);
            assert_eq!(*outbound, before.outbound);
        } else if known.is_some() && said.tip == tip_of(&before, n) {
            let cleared = before.outbound.state != State::Ok;
            assert_eq!(answer, Answer::Fits { drop_to: Sequence(n), cleared });
            assert_eq!((outbound.acked, outbound.last, outbound.state), (said, before.outbound.last, State::Ok));
        } else {
            assert!(matches!((answer, outbound.state), (Answer::Stopped { .. }, State::Diverged(_))));
        }
        if matches!(answer, Answer::Stopped { .. }) {
            assert_eq!((outbound.acked, outbound.last), (before.outbound.acked, before.outbound.last));
            assert_eq!(outbound.first_to_send(), None);
        }
    }

    fn resync(&mut self) {
        // Just before it acts it asks, and the answer comes at once.
        self.ask(0);
        let request = self.requests.last().expect("just asked").clone();
        self.deliver(&request);
        let theirs = self.receiver.clone();
        self.answer(&request, &theirs);
        let Ok(plan) = self.sender.outbound.plan() else { return };
        let held = self.sender.held();
        assert_eq!(plan.theirs, position(theirs.iter().copied()));
        let renumbered = self.sender.outbound.resync(&plan, held.clone()).expect("nothing moved");
        assert_eq!(renumbered.iter().map(|r| r.id).collect::<Vec<_>>(), held);
        self.sender.history = vec![None; theirs.len()];
        self.sender.history.extend(held.into_iter().map(Some));
        // What it holds now arrives.
        self.ask(usize::MAX);
        let request = self.requests.last().expect("just asked").clone();
        self.deliver(&request);
        assert_eq!(position(self.receiver.iter().copied()), self.sender.outbound.last);
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Push => self.push(),
            Op::Ask(most) => self.ask(*most),
            Op::Deliver(which) if !self.requests.is_empty() => {
                let request = which.get(&self.requests).clone();
                self.deliver(&request);
            }
            Op::Answer(which) if !self.answers.is_empty() => {
                let (request, theirs) = which.get(&self.answers).clone();
                self.answer(&request, &theirs);
            }
            Op::Restore { sender: true, copy } if !self.sender_copies.is_empty() => {
                self.sender = copy.get(&self.sender_copies).clone();
                // The process that asked is gone, and with it its answers; its requests travel on.
                self.answers.clear();
            }
            Op::Restore { sender: false, copy } if !self.receiver_copies.is_empty() => {
                self.receiver = copy.get(&self.receiver_copies).clone();
            }
            Op::Resync => {
                self.answers.clear();
                self.resync();
            }
            _ => {}
        }
        self.sender_copies.push(self.sender.clone());
        self.receiver_copies.push(self.receiver.clone());
    }
}

/// The tip after `number` messages of the sender's history, as far as the session must know it.
fn tip_of(sender: &Sender, number: u64) -> qrt_shared::wire::Tip {
    let skip = usize::try_from(number - sender.outbound.acked.number.0).expect("few");
    let held = sender.held().into_iter().take(skip);
    held.fold(sender.outbound.acked, |at, id| at.next(&id).expect("few")).tip
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn numbers_and_tips_decide_as_whole_histories_would(ops in proptest::collection::vec(op(), 1..60)) {
        let mut world = World::default();
        for op in &ops {
            world.step(op);
        }
    }
}
