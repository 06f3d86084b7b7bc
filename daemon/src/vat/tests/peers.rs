//! What the kernel does with other vats: what they send, what is sent to them, and what they may cost.

use std::collections::HashMap;

use qrt_shared::control::{Listing, Problem, Queued};
use qrt_shared::id::{MessageName, ObjectId, PeerName, Qrid, Target, VatId};
use qrt_shared::qjson;
use qrt_shared::view::PeerState;
use qrt_shared::wire::{Ack, MessageId, Position, RequestId, Sequence, Tip};

use super::world::World;
use crate::key::Key;
use crate::peer::seal::{Head, Opened, OpenedRequest};
use crate::peer::session::Asked;
use crate::protocol::{Limit, Report, Verdict};
use crate::store::read::{Parcel, Queues, Standing};
use crate::vat::Input;
use crate::vat::checkpoint::{Answer, Effect};
use crate::vat::peer::attempt::{Answered, Attempt, Failed};
use crate::vat::peer::receive::Busy;
use crate::vat::request::{Action, Send, Ticket};

/// Another vat, as far as a channel knows it.
struct Other {
    vat: VatId,
    sent: Position,
    ids: u8,
}

impl Other {
    fn new(n: u8) -> Self {
        let vat = Key::from_bytes([n; 32]).expect("a key").vat();
        Self { vat, sent: Position::default(), ids: 0 }
    }

    /// Its next message.
    fn next(&mut self, json: &str) -> Opened {
        self.ids += 1;
        let id = MessageId::from_bytes([self.ids; 16]);
        let prev = self.sent.tip;
        self.sent = self.sent.next(&id).expect("a number");
        Opened { head: Head { number: self.sent.number, id, prev }, json: json.as_bytes().to_vec() }
    }

    /// An object of it.
    fn object(&self, n: u8) -> Qrid {
        Qrid::new(self.vat, ObjectId::from_bytes([n; 20]))
    }
}

impl World {
    fn receive(&mut self, from: &Other, messages: Vec<Opened>) -> Result<Ack, Busy> {
        self.received(from, messages).0
    }

    /// What is answered, and what is logged.
    fn received(&mut self, from: &Other, messages: Vec<Opened>) -> (Result<Ack, Busy>, Vec<String>) {
        let request = OpenedRequest { id: RequestId::from_bytes([1; 16]), messages, bad: None };
        let (mut effects, _) = self.step(Input::Received { ticket: Ticket(7), from: from.vat, request });
        let logged = effects.extract_if(.., |effect| matches!(effect, Effect::Log(_)));
        let logged =
            logged.filter_map(|effect| if let Effect::Log(line) = effect { Some(line) } else { None }).collect();
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Received(Ticket(7), answer) => Some(answer),
            _ => None,
        });
        (answer.expect("a request has an answer"), logged)
    }

    /// The id of its object of that name.
    fn id(&self, name: &str) -> ObjectId {
        let target = Target::Petname(name.parse().expect("a petname"));
        self.read(|db| db.object(db.resolve(&target)?, true, &Queues::default())).row.qrid.object
    }

    fn send_to(&mut self, to: &Qrid, args: &str) -> Result<Answer, Problem> {
        let args = qjson::parse(args, "args").expect("JSON");
        self.ask(Action::Send(Send { target: Target::Qrid(to.clone()), args, key: None }))
    }

    fn due(&self) -> Vec<Parcel> {
        let now_ms = self.now_ms;
        self.read(|db| {
            let mut parcels = Vec::new();
            for standing in Standing::ALL {
                parcels.extend(db.due(standing, now_ms, 10, &HashMap::new())?);
            }
            Ok(parcels)
        })
    }

    fn attempted(&mut self, parcel: &Parcel, result: Result<Position, &str>) {
        self.ended(parcel, result, false);
    }

    fn ended(&mut self, parcel: &Parcel, result: Result<Position, &str>, nowhere: bool) {
        let id = RequestId::from_bytes([2; 16]);
        let result = match result {
            Ok(Position { number, tip }) => {
                let at = "http://127.0.0.1:9".parse().expect("a URL");
                let asked = Asked { id, acked: parcel.acked };
                Ok(Answered { asked, ack: Ack { re: id, number, tip, bad: None }, at })
            }
            Err(error) => Err(Failed { error: error.to_owned(), retry_after_ms: None, nowhere }),
        };
        let carried = !parcel.letters.is_empty();
        self.step(Input::Attempted(Attempt { peer: parcel.peer, due_at: parcel.due_at, carried, result }));
    }
}

#[test]
fn what_another_vat_sends_runs_once_in_order_and_is_acknowledged_as_far_as_it_follows() {
    let (mut world, mut other) = (World::of(&["a"]), Other::new(3));
    let a = world.id("a");
    let messages: Vec<_> = (0..4).map(|n| other.next(&format!(r#"{{"to":"{a}","args":{n}}}"#))).collect();
    let ack = world.receive(&other, messages[..2].to_vec()).expect("taken");
    assert_eq!(ack.number, Sequence(2));
    let ack = world.receive(&other, messages[1..3].to_vec()).expect("taken");
    assert_eq!((ack.number, world.store.counters().inbox), (Sequence(3), 3), "an old one is acknowledged again");
    let mut wrong = messages[3].clone();
    wrong.head.prev = Tip::ZERO;
    let ack = world.receive(&other, vec![wrong]).expect("an answer");
    assert_eq!(ack.number, Sequence(3), "another history is not taken");
    let ack = world.receive(&other, messages[3..].to_vec()).expect("taken");
    assert_eq!(ack.position(), other.sent);
    let ran: Vec<_> = world.poll().iter().map(|delivery| delivery.args.clone()).collect();
    assert_eq!(ran, ["0", "1", "2", "3"]);
}

#[test]
fn a_question_of_nobody_knows_whom_leaves_no_trace() {
    let (mut world, other) = (World::of(&["a"]), Other::new(3));
    let before = world.store.counters().clone();
    let ack = world.receive(&other, Vec::new()).expect("an answer");
    assert_eq!(ack.position(), Position::default());
    assert_eq!(*world.store.counters(), before);
}

#[test]
fn what_can_be_given_to_no_object_is_a_fault_with_its_head_and_stops_nothing() {
    let (mut world, mut other) = (World::of(&["a"]), Other::new(3));
    let a = world.id("a");
    let nobody = ObjectId::from_bytes([9; 20]);
    let messages = [
        format!(r#"{{"to":"{nobody}","args":"{}"}}"#, "x".repeat(1000)),
        "no JSON".to_owned(),
        format!(r#"{{"to":"{a}","args":{{"@x":1}}}}"#),
        r#"{"void":"dropped"}"#.to_owned(),
        format!(r#"{{"to":"{a}","args":7}}"#),
    ];
    let messages = messages.iter().map(|json| other.next(json)).collect();
    assert_eq!(world.receive(&other, messages).expect("taken").number, Sequence(5));
    let faults = world.read(|db| db.faults(&Listing::default())).items;
    assert_eq!(faults.len(), 2, "of three, as many as the limit says");
    assert!(faults[0].error.message.contains("no such object") && faults[0].target.is_none());
    assert_eq!(faults[0].head.as_ref().expect("a head").len(), 256);
    let problem = world.ask(Action::FaultRetry(faults[0].id)).expect_err("the rest of it is gone");
    assert!(problem.error.contains("head"), "{problem:?}");
    world.ask(Action::FaultDrop(faults[0].id)).expect("dropped");
    let counters = world.store.counters();
    assert_eq!((counters.faults, counters.undeliverable, counters.inbox), (1, 1, 1));
}

#[test]
fn strangers_are_so_many_and_no_more_however_they_are_heard_of() {
    let mut world = World::of(&["a"]);
    let a = world.id("a");
    let mut first = Other::new(3);
    // References with hints to ever more vats.
    let references: Vec<_> =
        (10..20).map(|n| format!(r#"{{"@qref":"{}?at=http://10.0.0.{n}:1"}}"#, Other::new(n).object(1))).collect();
    let message = first.next(&format!(r#"{{"to":"{a}","args":[{}]}}"#, references.join(",")));
    world.receive(&first, vec![message]).expect("taken");
    assert_eq!(world.read(|db| db.peers(&Listing::default())).items.len(), 3);
    let mut late = Other::new(4);
    let message = late.next("{}");
    assert_eq!(world.receive(&late, vec![message]), Err(Busy::Strangers));
    // Whom an operator names is no stranger.
    let urls = vec!["http://127.0.0.1:5".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: late.vat, urls }).expect("added");
    let mut late = Other::new(4);
    let message = late.next("{}");
    assert_eq!(world.receive(&late, vec![message]).expect("taken").number, Sequence(1));
    assert_eq!(world.store.counters().strangers, 3);
}

#[test]
fn a_request_of_which_nothing_is_taken_leaves_a_line_in_the_log_and_nobody_in_the_database() {
    let (mut world, mut other) = (World::of(&["a"]), Other::new(3));
    let before = world.store.counters().clone();
    let first = other.next("{}");
    let mut wrong = first.clone();
    wrong.head.prev = Tip::from_bytes([1; 32]);
    let second = other.next("{}");
    for (message, why) in [(&second, "missing"), (&wrong, "another history")] {
        let (answer, logged) = world.received(&other, vec![message.clone()]);
        assert_eq!(answer.expect("an answer").number, Sequence(0));
        assert!(matches!(logged.as_slice(), [line] if line.contains(why)), "{logged:?}");
    }
    assert_eq!(*world.store.counters(), before);
    // However many are sent, and however they fail.
    let lines: usize = (0..100).map(|_| world.received(&other, vec![second.clone()]).1.len()).sum();
    assert!(lines < 20, "{lines} lines within a minute");
    world.receive(&other, vec![first, second]).expect("taken");
    let nonsense: Vec<_> = (0..100).map(|_| other.next("nonsense")).collect();
    assert!(world.received(&other, nonsense).1.is_empty());
    world.now_ms += 60_000;
    let line = other.next("nonsense");
    let (_, logged) = world.received(&other, vec![line]);
    assert!(matches!(logged.as_slice(), [line] if line.contains("dropped") && line.contains("left out")), "{logged:?}");
}

#[test]
fn what_strangers_have_queued_is_counted_once_while_they_are_strangers_and_when_it_is_retried() {
    let (mut world, mut first, mut second) = (World::of(&["a"]), Other::new(3), Other::new(4));
    let json = format!(r#"{{"to":"{}","args":"{}"}}"#, world.id("a"), "x".repeat(700_000));
    let own = first.next(&json);
    world.receive(&first, vec![own.clone()]).expect("taken");
    let message = second.next(&json);
    assert_eq!(world.receive(&second, vec![message.clone()]), Err(Busy::StrangersBytes));
    let again = world.receive(&first, vec![own]).expect("what is sent again is not counted again");
    assert_eq!(again.number, Sequence(1));
    // It fails, and the operator has it queued again: it is still a stranger's.
    let turn = world.poll().pop().expect("its turn");
    let killed = Verdict::Killed { limit: Limit::Ticks, message: "too much".to_owned() };
    assert!(world.done(&turn, Report::empty(killed)).is_none());
    world.ask(Action::FaultRetry(1)).expect("queued again");
    assert_eq!(world.receive(&second, vec![message.clone()]), Err(Busy::StrangersBytes));
    world.ask(Action::PeerAdd { vat: first.vat, urls: Vec::new() }).expect("named");
    world.receive(&second, vec![message]).expect("what waits is no stranger's any more");
}

#[test]
fn what_is_for_another_vat_is_seen_by_nobody_before_its_commit_and_goes_with_its_ack() {
    let (mut world, other) = (World::of(&["a"]), Other::new(3));
    let urls = vec!["http://127.0.0.1:5".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: other.vat, urls }).expect("added");
    assert!(world.due().is_empty(), "there is nothing to say");
    let Ok(Answer::Queued(Queued { message: MessageName::Out(_, 1), .. })) = world.send_to(&other.object(1), "1")
    else {
        panic!("the first message on the channel");
    };
    world.send_to(&other.object(2), "2").expect("queued");
    let [parcel] = <[Parcel; 1]>::try_from(world.due()).expect("one peer has mail");
    assert_eq!(parcel.letters.iter().map(|letter| letter.seq.0).collect::<Vec<_>>(), [1, 2]);
    let first = Position::default().next(&parcel.letters[0].id).expect("a number");
    assert_eq!(parcel.letters[1].prev, first.tip, "each names the history it follows");

    world.attempted(&parcel, Err("refused"));
    assert!(world.due().is_empty(), "it waits");
    world.now_ms += 1000;
    let [again] = <[Parcel; 1]>::try_from(world.due()).expect("at most a second after the first failure");
    let bytes =
        |parcel: &Parcel| parcel.letters.iter().map(|letter| (letter.random, letter.text.clone())).collect::<Vec<_>>();
    assert_eq!(bytes(&again), bytes(&parcel), "and it is the same at each attempt");
    world.attempted(&again, Ok(Position::default()));
    assert!(world.due().is_empty(), "who acknowledges nothing of it is not asked again at once");
    world.now_ms += 2000;
    assert_eq!(world.due().len(), 1);
    world.attempted(&again, Ok(first));
    let counters = world.store.counters();
    assert_eq!((counters.outbox, counters.outbox_bytes), (1, again.letters[1].text.len() as u64));
    let [rest] = <[Parcel; 1]>::try_from(world.due()).expect("the rest is due at once");
    assert_eq!(rest.letters.len(), 1);
}

#[test]
fn what_an_operator_wants_while_an_attempt_is_under_way_is_done_after_it() {
    let (mut world, other) = (World::of(&["a"]), Other::new(3));
    world.send_to(&other.object(1), "1").expect("queued");
    let parcel = world.due().pop().expect("mail");
    // Somebody says where it is while there is still nowhere to go.
    let urls = vec!["http://127.0.0.1:5".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: other.vat, urls }).expect("added");
    world.ended(&parcel, Err("no location"), true);
    let parcel = world.due().pop().expect("it is tried there at once");

    world.now_ms += 10;
    let name = PeerName::Vat(other.vat);
    world.ask(Action::Retry(Some(name.clone()))).expect("due");
    world.attempted(&parcel, Err("refused"));
    let parcel = world.due().pop().expect("once more, since it was wanted after this attempt had begun");
    world.attempted(&parcel, Err("refused"));
    assert!(world.due().is_empty(), "and then it waits");

    // The same of one that is stopped, which would else be asked in a day.
    world.now_ms += 10_000;
    let parcel = world.due().pop().expect("again");
    let ahead = Position { number: Sequence(9), tip: Tip::ZERO };
    world.attempted(&parcel, Ok(ahead));
    assert!(world.due().is_empty());
    for _ in 0..2 {
        world.now_ms += 10;
        world.ask(Action::Retry(Some(name.clone()))).expect("due");
    }
    let question = world.due().pop().expect("a question");
    world.now_ms += 10;
    world.ask(Action::Retry(Some(name))).expect("due");
    world.attempted(&question, Ok(ahead));
    assert_eq!(world.due().len(), 1);

    // And of one whose place somebody tells anew while the old one is tried.
    let parcel = world.due().pop().expect("still that question");
    world.now_ms += 10;
    let urls = vec!["http://127.0.0.1:6".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: other.vat, urls }).expect("added");
    world.attempted(&parcel, Err("refused"));
    assert_eq!(world.due().pop().expect("it is tried there").urls.len(), 2);
}

#[test]
fn where_a_peer_proved_itself_last_is_tried_first_whatever_it_says_of_itself_later() {
    let (mut world, mut other) = (World::of(&["a"]), Other::new(3));
    let to = world.id("a");
    let [first, second, third] = [5, 9, 6].map(|port| format!("http://127.0.0.1:{port}"));
    for at in [[&first, &second], [&second, &third]] {
        let message = other.next(&format!(r#"{{"to":"{to}","args":1,"at":["{}","{}"]}}"#, at[0], at[1]));
        world.receive(&other, vec![message]).expect("taken");
        world.send_to(&other.object(1), "1").expect("queued");
        let parcel = world.due().pop().expect("mail");
        let tried: Vec<_> = parcel.urls.iter().map(|(url, _)| url.to_string()).collect();
        assert_eq!(tried, at.map(String::clone));
        let good = (at[0] == &second).then(|| second.parse().expect("a URL"));
        assert_eq!(parcel.good, good, "only where it has answered");
        // It answers at the second.
        let before = Position { number: parcel.acked, tip: parcel.letters[0].prev };
        let position = parcel.letters.iter().try_fold(before, |before, letter| before.next(&letter.id));
        world.attempted(&parcel, Ok(position.expect("a number")));
    }
    let message = other.next(&format!(r#"{{"to":"{to}","args":1,"at":["{third}","{second}"]}}"#));
    world.receive(&other, vec![message]).expect("taken");
    world.send_to(&other.object(1), "1").expect("queued");
    let urls = world.due().pop().expect("mail").urls;
    assert_eq!(urls[0].0.to_string(), second);
}

#[test]
fn a_peer_has_a_place_among_its_like() {
    let (mut world, other) = (World::of(&["a"]), Other::new(3));
    let urls = vec!["http://127.0.0.1:5".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: other.vat, urls }).expect("added");
    for n in 0..3 {
        world.send_to(&other.object(1), &n.to_string()).expect("queued");
    }
    let parcel = world.due().pop().expect("mail");
    assert_eq!(parcel.standing, Standing::Unknown, "it was never tried");
    let first = Position::default().next(&parcel.letters[0].id).expect("a number");
    world.attempted(&parcel, Ok(first));
    let parcel = world.due().pop().expect("the rest");
    assert_eq!(parcel.standing, Standing::Proven);
    world.attempted(&parcel, Err("refused"));
    world.now_ms += 1000;
    assert_eq!(world.due().pop().expect("again").standing, Standing::Failing);
}

#[test]
fn a_peer_that_went_back_stops_the_channel_until_the_operator_decides_on_numbers() {
    let (mut world, other) = (World::of(&["a"]), Other::new(3));
    let urls = vec!["http://127.0.0.1:5".parse().expect("a URL")];
    world.ask(Action::PeerAdd { vat: other.vat, urls }).expect("added");
    for n in 0..3 {
        world.send_to(&other.object(1), &n.to_string()).expect("queued");
    }
    let parcel = world.due().pop().expect("mail");
    let [first, second] = [0, 1].map(|at| parcel.letters[at].id);
    let one = Position::default().next(&first).expect("a number");
    world.attempted(&parcel, Ok(one.next(&second).expect("a number")));
    let parcel = world.due().pop().expect("the third");
    world.attempted(&parcel, Ok(one));
    let name = PeerName::Vat(other.vat);
    let peer = world.read(|db| db.peer(&name));
    assert_eq!((peer.state, peer.theirs, peer.pending), (PeerState::PeerRolledBack, Some(1), 1));
    world.now_ms += 10_000;
    assert!(world.due().is_empty(), "nothing is sent");
    let resync = |expect| Action::Resync { peer: PeerName::Vat(other.vat), expect };
    let Ok(Answer::Resynced(plan)) = world.ask(resync(None)) else { panic!("it says what it would be") };
    assert_eq!((plan.may_be_lost, plan.may_be_repeated, plan.renumbered), (1, 1, Some((2, 2))));
    let mut other_plan = plan.expect.clone();
    other_plan.last_in = 0;
    world.ask(resync(Some(other_plan))).expect_err("not what was agreed to");
    world.ask(resync(Some(plan.expect))).expect("done");
    let again = world.due().pop().expect("it goes on");
    let letter = &again.letters[0];
    assert_eq!((letter.seq, letter.prev, letter.id), (Sequence(2), one.tip, parcel.letters[0].id));
    assert_ne!(letter.random, parcel.letters[0].random, "another number is sealed under another nonce");
    assert_eq!(world.read(|db| db.peer(&name)).state, PeerState::Ok);
}
