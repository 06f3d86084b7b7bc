//! The kernel against a scripted worker: what it gives out, what it believes, what it does when the
//! worker dies. The database is a real one in a scratch directory.

mod budgets;
mod deaths;
mod memory;
mod model;
mod peers;
mod world;

use qrt_shared::control::Listing;
use qrt_shared::id::{MessageName, Target};
use qrt_shared::qjson;
use qrt_shared::view::Awaited;

use super::lane::{Isolation, Lane};
use super::request::{Action, Send};
use super::{Counters, Death, Input, Limits, Order, QueueLimits};
use crate::protocol::{
    CodeError, Content, Delivery, FIRST_MADE, Limit, Made, MadeMemory, MemoryChange, Native, Power, Report, Sent,
    Verdict,
};
use crate::store::read::Queues;
use world::{LIMITS, World};

fn ok() -> Report {
    Report::empty(Verdict::Ok { result: "null".to_owned(), result_error: None })
}

/// The memory a delivery came with, unless it takes it as it finds it.
fn content(delivery: &Delivery) -> Option<&[(String, String)]> {
    match &delivery.target.memory.as_ref().expect("a memory").content {
        Content::Whole(entries) => Some(entries),
        _ => None,
    }
}

/// A report that sets `n` in the memory of the delivery's target.
fn sets(delivery: &Delivery, value: &str) -> Report {
    let memory = delivery.target.memory.as_ref().expect("a memory").memory;
    let set = vec![("n".to_owned(), value.to_owned())];
    Report { memories: vec![MemoryChange { memory, deleted: Vec::new(), set }], ..ok() }
}

#[test]
fn turns_are_streamed_ahead_and_a_memory_under_way_is_sent_once() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    let messages = ["a", "b", "a", "a"].map(|name| world.send(name, "null"));
    let started = world.poll();
    let given: Vec<_> = started.iter().map(|delivery| content(delivery).is_some()).collect();
    assert_eq!(given, [true, true, false, false]);
    assert!(world.done(&started[0], sets(&started[0], "10")).is_none());
    assert!(world.done(&started[1], ok()).is_none());
    // The worker failed this one, so the next finds what the first left.
    let failed = Verdict::Killed { limit: Limit::Ticks, message: "too much".to_owned() };
    assert!(world.done(&started[2], Report::empty(failed)).is_none());
    assert!(world.done(&started[3], sets(&started[3], "12")).is_none());
    assert_eq!(world.memory("a"), "{\"n\":12}");
    assert_eq!(messages.map(|m| world.outcome(m)), ["ok ", "ok ", "killed too much", "ok "]);
    let old = |turn: usize| world.read(|db| db.turns(&Listing::default())).items[turn].changes[0].old.clone();
    assert_eq!(old(3).expect("a value").get(), "10", "what it found was read back for the journal");
}

#[test]
fn a_memory_that_holds_what_its_last_turn_made_is_sent_anew() {
    let mut world = World::new();
    world.install("maker", &[Native::MakeObject]).expect("installed");
    let messages = [world.send("maker", "null"), world.send("maker", "null")];
    let [first, second] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
    let own = format!("{{\"@qref\":{FIRST_MADE}}}");
    let mut report = sets(&first, &own);
    report.made.push(Made {
        maker: first.target.object,
        account: false,
        code: "() => 1".to_owned(),
        power: Power { statics: "{}".to_owned(), natives: Vec::new() },
        memory: MadeMemory::None,
    });
    assert!(world.done(&first, report).is_none());
    // The worker found the handle of that turn, which means nothing any more.
    assert!(world.done(&second, sets(&second, &own)).is_none(), "no lie: it could not know");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("it is delivered again");
    let lasting = format!("{{\"@qref\":{}}}", first.target.object + 1);
    assert_eq!(content(&again).expect("it is sent"), [("n".to_owned(), lasting)]);
    assert!(world.done(&again, ok()).is_none());
    assert_eq!(messages.map(|m| world.outcome(m)), ["ok ", "ok "]);
}

#[test]
fn a_turn_that_was_given_what_a_call_then_changed_runs_again_on_the_new_memory() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    // "a" is sent a reference to "b", so that it may call it.
    let b = world
        .read(|db| {
            Ok(db
                .objects(&Listing { filter: "b".into(), ..Listing::default() }, &Queues::default())?
                .items
                .pop()
                .expect("b"))
        })
        .qrid;
    world.send("a", &format!("{{\"@qref\":\"{b}\"}}"));
    let second = world.send("b", "null");
    let [a, stale] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
    let handle = stale.target.object;
    let (_, order) = world.step(Input::Load { delivery: a.delivery, object: handle });
    let Some(Order::Loaded(Ok(image))) = order else { panic!("it may load what it holds: {order:?}") };
    let memory = image.memory.expect("a memory").memory;
    let set = vec![("n".to_owned(), "2".to_owned())];
    let report = Report { memories: vec![MemoryChange { memory, deleted: Vec::new(), set }], ..ok() };
    assert!(world.done(&a, report).is_none());
    assert_eq!(world.memory("b"), "{\"n\":2}");
    assert!(world.done(&stale, sets(&stale, "99")).is_none(), "no lie: it could not know");
    assert_eq!(world.memory("b"), "{\"n\":2}", "computed from an old memory, it counts for nothing");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("its message is delivered again");
    assert_eq!(content(&again).expect("it is sent"), [("n".to_owned(), "2".to_owned())]);
    assert!(world.done(&again, sets(&again, "3")).is_none());
    assert_eq!((world.memory("b"), world.outcome(second)), ("{\"n\":3}".to_owned(), "ok ".to_owned()));
}

#[test]
fn a_turn_that_was_refused_a_held_object_runs_again_when_that_was_released_meanwhile() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    let b = world
        .read(|db| {
            Ok(db
                .objects(&Listing { filter: "b".into(), ..Listing::default() }, &Queues::default())?
                .items
                .pop()
                .expect("b"))
        })
        .qrid;
    let hold = |held| Action::Hold { object: Target::Petname("b".parse().expect("a petname")), held };
    world.ask(hold(true)).expect("held");
    let message = world.send("a", &format!("{{\"@qref\":\"{b}\"}}"));
    let [a] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
    let object = a.target.object + 1;
    let (_, order) = world.step(Input::Load { delivery: a.delivery, object });
    let Some(Order::Loaded(Err(_))) = order else { panic!("it is held: {order:?}") };
    world.ask(hold(false)).expect("released");
    assert!(world.done(&a, sets(&a, "2")).is_none());
    assert_eq!(world.memory("a"), "{\"n\":1}", "in the order of turns it comes after the release");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("it is delivered again");
    let (_, order) = world.step(Input::Load { delivery: again.delivery, object });
    assert!(matches!(order, Some(Order::Loaded(Ok(_)))), "{order:?}");
    assert!(world.done(&again, sets(&again, "3")).is_none());
    assert_eq!((world.memory("a"), world.outcome(message)), ("{\"n\":3}".to_owned(), "ok ".to_owned()));
}

/// A report an honest worker never makes, on a delivery and given another object's handle.
type Lie = Box<dyn Fn(&Delivery, u64) -> Report>;

#[test]
fn a_worker_that_lies_is_killed_and_nothing_it_said_is_kept() {
    let message = |sender, target| Sent { sender, target, args: "null".to_owned() };
    let made = |maker| Made {
        maker,
        account: false,
        code: "() => 1".to_owned(),
        power: Power { statics: "{}".to_owned(), natives: Vec::new() },
        memory: MadeMemory::None,
    };
    let change = |set: &[(&str, &str)], deleted: &[&str]| {
        let set = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let deleted = deleted.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
        move |d: &Delivery, _: u64| {
            let memory = d.target.memory.as_ref().expect("a memory").memory;
            Report { memories: vec![MemoryChange { memory, deleted: deleted.clone(), set: set.clone() }], ..ok() }
        }
    };
    let result = |text: &'static str| {
        move |_: &Delivery, _: u64| Report::empty(Verdict::Ok { result: text.to_owned(), result_error: None })
    };
    let lies: Vec<(&str, Lie)> = vec![
        (
            "a message to an object it was not given",
            Box::new(move |d, other| Report { sent: vec![message(d.target.object, other)], ..ok() }),
        ),
        (
            "a message from an object that did not run",
            Box::new(move |d, other| Report { sent: vec![message(other, d.target.object)], ..ok() }),
        ),
        (
            "another's memory",
            Box::new(|d, _| {
                let memory = d.target.memory.as_ref().expect("a memory").memory + 1;
                Report { memories: vec![MemoryChange { memory, deleted: Vec::new(), set: Vec::new() }], ..ok() }
            }),
        ),
        ("a memory that is not QJSON", Box::new(change(&[("n", "{")], &[]))),
        ("a number spelled otherwise", Box::new(change(&[("n", "1.0")], &[]))),
        ("a reference in memory that it was not given", Box::new(change(&[("n", "{\"@qref\":2}")], &[]))),
        ("a reference it did not make", Box::new(change(&[("n", "{\"@qref\":4503599627370496}")], &[]))),
        ("a key twice", Box::new(change(&[("n", "1"), ("n", "2")], &[]))),
        ("the deletion of a key that is not there", Box::new(change(&[], &["m"]))),
        ("a result that is not QJSON", Box::new(result("nul"))),
        (
            "a result nested without end",
            Box::new(move |_, _| Report::empty(Verdict::Ok { result: "[".repeat(1 << 20), result_error: None })),
        ),
        (
            "more messages than its budget",
            Box::new(move |d, _| Report { sent: vec![message(d.target.object, FIRST_MADE); 4], ..ok() }),
        ),
        (
            "more bytes than its budget",
            Box::new(|_, _| {
                let result = format!("\"{}\"", "x".repeat(2 << 20));
                Report::empty(Verdict::Ok { result, result_error: None })
            }),
        ),
        ("more log lines than its budget", Box::new(|_, _| Report { log: vec![String::new(); 3], ..ok() })),
        (
            "an object made without the power to",
            Box::new(move |d, _| Report { made: vec![made(d.target.object)], ..ok() }),
        ),
        (
            "an object made by one that did not run",
            Box::new(move |_, other| Report { made: vec![made(other)], ..ok() }),
        ),
        (
            "effects of a failed turn",
            Box::new(move |d, _| {
                let verdict = Verdict::Killed { limit: Limit::Ticks, message: String::new() };
                Report { verdict, sent: vec![message(d.target.object, d.target.object)], ..ok() }
            }),
        ),
        (
            "an error in an object that did not run",
            Box::new(|_, other| {
                let (message, excerpt) = (String::new(), String::new());
                Report::empty(Verdict::Error(CodeError { message, object: Some(other), line: 1, column: 1, excerpt }))
            }),
        ),
    ];
    for (what, lie) in lies {
        let mut world = World::new();
        for name in ["a", "b"] {
            world.install(name, &[]).expect("installed");
        }
        let queued = world.send("a", "null");
        let [delivery] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
        let other = delivery.target.object + 1;
        let order = world.done(&delivery, lie(&delivery, other));
        assert!(matches!(order, Some(Order::Kill(_))), "{what}: {order:?}");
        assert!(world.done(&delivery, ok()).is_none(), "{what}: what it says until it is gone counts for nothing");
        assert_eq!(world.memory("a"), "{\"n\":1}", "{what}");
        assert!(matches!(world.read(|db| db.awaited(queued)), Awaited::Queued), "{what}: its message is kept");
        assert!(world.poll().is_empty(), "{what}: it gets nothing more");
        world.died(Death::Crashed(what.to_owned()));
        let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("once more, with another worker");
        assert!(world.done(&again, ok()).is_none());
        assert_eq!(world.outcome(queued), "ok ", "{what}");
    }
}

#[test]
fn a_worker_that_asks_for_an_object_nobody_gave_it_is_killed() {
    for (what, object) in
        [("an object of another", None), ("one that is not", Some(99)), ("one the turn has not made", Some(FIRST_MADE))]
    {
        let mut world = World::new();
        for name in ["a", "other"] {
            world.install(name, &[]).expect("installed");
        }
        world.send("other", "null");
        let other = world.poll().pop().expect("a delivery");
        world.done(&other, ok());
        world.send("a", "null");
        let delivery = world.poll().pop().expect("a delivery");
        let object = object.unwrap_or(other.target.object);
        let (_, order) = world.step(Input::Load { delivery: delivery.delivery, object });
        assert!(matches!(order, Some(Order::Kill(_))), "{what}: {order:?}");
    }
}

#[test]
fn what_a_new_object_did_in_the_turn_that_made_it_is_checked_as_that_of_any_other() {
    let made = |maker, natives: &[Native], memory| Made {
        maker,
        account: false,
        code: "() => 1".to_owned(),
        power: Power {
            statics: "{}".to_owned(),
            natives: natives.iter().map(|native| (native.name().to_owned(), *native)).collect(),
        },
        memory,
    };
    let new = || MadeMemory::New(Vec::new());
    let sent = |sender| vec![Sent { sender, target: FIRST_MADE, args: "null".to_owned() }];
    let maker = [Native::MakeObject];
    for (what, honest, build) in [
        (
            "its own make_object, its own memory",
            true,
            vec![(None, &maker[..], new()), (Some(0), &[][..], MadeMemory::Makers)],
        ),
        ("no make_object", false, vec![(None, &[][..], new()), (Some(0), &[][..], MadeMemory::None)]),
        (
            "no memory to share",
            false,
            vec![(None, &maker[..], MadeMemory::None), (Some(0), &[][..], MadeMemory::Makers)],
        ),
        ("a maker not yet made", false, vec![(Some(1), &maker[..], new()), (None, &maker[..], new())]),
        ("its own maker", false, vec![(Some(0), &maker[..], new())]),
    ] {
        let mut world = World::new();
        world.install("a", &maker).expect("installed");
        world.send("a", "null");
        let delivery = world.poll().pop().expect("a delivery");
        let made = build.into_iter().map(|(by, natives, memory): (Option<u64>, &[Native], _)| {
            made(by.map_or(delivery.target.object, |index| FIRST_MADE + index), natives, memory)
        });
        let report = Report { made: made.collect(), sent: sent(FIRST_MADE), ..ok() };
        let order = world.done(&delivery, report);
        assert_eq!(matches!(order, Some(Order::Kill(_))), !honest, "{what}: {order:?}");
    }
    let mut world = World::new();
    world.install("a", &maker).expect("installed");
    world.send("a", "null");
    let delivery = world.poll().pop().expect("a delivery");
    let report = Report { made: vec![made(delivery.target.object, &[], new())], sent: sent(FIRST_MADE + 1), ..ok() };
    let order = world.done(&delivery, report);
    assert!(matches!(order, Some(Order::Kill(_))), "a message from one that was not made: {order:?}");
}

#[test]
fn a_message_on_which_two_workers_die_is_a_fault_and_its_neighbours_run_in_order() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.install(name, &[]).expect("installed");
    }
    let messages = ["a", "b", "c"].map(|name| world.send(name, "null"));
    let first = world.poll();
    assert_eq!(first.len(), 3);
    assert!(world.done(&first[0], ok()).is_none());
    // The worker runs its deliveries in order, so it died on the second.
    world.died(Death::Crashed("boom".to_owned()));
    assert!(world.done(&first[2], ok()).is_none(), "what was called back counts for nothing");
    let alone = world.poll();
    assert_eq!(alone.iter().map(|d| d.target.object).collect::<Vec<_>>(), [first[1].target.object], "it runs alone");
    world.died(Death::Crashed("boom".to_owned()));
    assert_eq!(world.outcome(messages[1]), "killed the interpreter died on it 2 times: boom");
    let last = world.poll();
    assert_eq!(last.len(), 1);
    assert!(world.done(&last[0], ok()).is_none());
    assert_eq!([world.outcome(messages[0]), world.outcome(messages[2])], ["ok ", "ok "]);
    assert_eq!(world.read(|db| db.faults(&Listing::default())).items[0].message, MessageName::In(messages[1]));
}

#[test]
fn a_deadline_is_final_at_once_and_a_replaced_worker_is_nobodys_fault() {
    let mut world = World::new();
    world.install("a", &[]).expect("installed");
    let message = world.send("a", "null");
    for _ in 0..5 {
        assert_eq!(world.poll().len(), 1);
        world.died(Death::Replaced);
    }
    assert_eq!(world.poll().len(), 1);
    world.died(Death::Deadline { clock: "CPU", limit_ms: 2000 });
    assert_eq!(world.outcome(message), "killed more than 2000 ms of CPU time in one turn");
    assert!(world.poll().is_empty());
}

#[test]
fn a_worker_that_dies_in_a_turn_that_was_called_back_harms_no_other_message() {
    for death in [Death::Crashed("boom".to_owned()), Death::Deadline { clock: "CPU", limit_ms: 2000 }] {
        let mut world = World::new();
        for name in ["a", "b"] {
            world.install(name, &[]).expect("installed");
        }
        let messages = ["a", "b"].map(|name| world.send(name, "null"));
        let [a, b] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
        let object = Target::Petname("a".parse().expect("a petname"));
        let value = qjson::parse("7", "value").expect("JSON");
        world.ask(Action::MemorySet { object, key: "n".to_owned(), value, expect: None }).expect("set");
        assert!(world.done(&a, ok()).is_none(), "it ran on the old memory: both are called back");
        assert_eq!(world.poll().len(), 2, "and given out again, behind what the worker still has");
        // It has not come to them: it ran what it was given of "b" before.
        world.died(death.clone());
        for message in messages {
            assert_eq!(world.outcome(message), "Queued", "{death:?}");
        }
        let again = world.poll();
        assert_eq!(again.len(), 2, "nobody is suspected, so nobody runs alone");
        // The next worker has nothing that was called back: what it dies on is to blame.
        world.died(death.clone());
        let alone = world.poll();
        let expected = if death == Death::Crashed("boom".to_owned()) { a } else { b };
        assert_eq!(alone.iter().map(|d| d.target.object).collect::<Vec<_>>(), [expected.target.object], "{death:?}");
    }
}

#[test]
fn the_count_of_deaths_outlives_the_daemon() {
    let mut world = World::new();
    world.install("a", &[]).expect("installed");
    let message = world.send("a", "null");
    world.poll();
    world.died(Death::Crashed("boom".to_owned()));
    world.vat = world::vat(LIMITS, world.store.counters());
    world.poll();
    world.died(Death::Crashed("boom".to_owned()));
    assert!(world.outcome(message).starts_with("killed"));
}

#[test]
fn what_is_refused_leaves_no_row_and_no_number_is_lost() {
    let mut world = World::new();
    world.install("a", &[]).expect("installed");
    let before = world.store.counters().clone();
    let problem = world.install("a", &[]).expect_err("the name is taken");
    assert!(problem.error.contains("something else is named a"), "{problem:?}");
    let after = world.store.counters().clone();
    assert_eq!(Counters { commits: before.commits, ..after }, before);
    assert_eq!(world.read(|db| db.objects(&Listing::default(), &Queues::default())).items.len(), 1);
}

#[test]
fn made_objects_get_lasting_handles_everywhere() {
    let mut world = World::new();
    world.install("maker", &[Native::MakeObject]).expect("installed");
    world.send("maker", "null");
    let [delivery] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
    let own = format!("{{\"@qref\":{FIRST_MADE}}}");
    let mut report = sets(&delivery, &own);
    report.made.push(Made {
        maker: delivery.target.object,
        account: false,
        code: "() => 1".to_owned(),
        power: Power { statics: format!("{{\"me\":{own}}}"), natives: Vec::new() },
        memory: MadeMemory::New(vec![("me".to_owned(), own.clone())]),
    });
    report.sent.push(Sent { sender: delivery.target.object, target: FIRST_MADE, args: own.clone() });
    assert!(world.done(&delivery, report).is_none());
    let [next] = <[Delivery; 1]>::try_from(world.poll()).expect("the message to the new object");
    let handle = next.target.object;
    assert_eq!(handle, delivery.target.object + 1);
    let lasting = format!("{{\"@qref\":{handle}}}");
    assert_eq!(next.args, lasting);
    assert_eq!(next.target.power.statics, format!("{{\"me\":{lasting}}}"));
    assert_eq!(content(&next).expect("it is sent"), [("me".to_owned(), lasting)]);
}

#[test]
fn the_journal_is_cut_at_its_old_end_and_its_bytes_stay_counted() {
    let mut world = World::new();
    world.vat = world::vat(Limits { journal_turns: 10, ..LIMITS }, world.store.counters());
    world.install("a", &[]).expect("installed");
    for n in 0..40 {
        world.send("a", "null");
        let [delivery] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
        let report = sets(&delivery, &n.to_string());
        assert!(world.done(&delivery, report).is_none());
    }
    let turns = world.read(|db| db.turns(&Listing::default())).items;
    assert_eq!(turns.iter().map(|turn| turn.turn).collect::<Vec<_>>(), (31..=40).collect::<Vec<_>>());
    let database = rusqlite::Connection::open(world.dir.path().join(crate::store::FILE)).expect("the database");
    let number = |sql: &str| database.query_row(sql, [], |row| row.get::<_, u64>(0)).expect("a number");
    assert_eq!(number("SELECT journal_bytes FROM vat"), number("SELECT sum(bytes) FROM turn"));
    assert_eq!(number("SELECT min(turn) FROM turn_change"), 31);
}

#[test]
fn an_edit_comes_before_the_turns_that_were_streamed_ahead_of_it() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
        world.send(name, "null");
    }
    let [a, b] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
    let target = Target::Petname("b".parse().expect("a petname"));
    let value = qjson::parse("7", "value").expect("JSON");
    world.ask(Action::MemorySet { object: target.clone(), key: "n".to_owned(), value, expect: None }).expect("set");
    assert!(world.done(&a, ok()).is_none());
    assert!(world.done(&b, sets(&b, "2")).is_none());
    assert_eq!(world.memory("b"), "{\"n\":7}", "it was computed before the edit");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("it is delivered again");
    assert_eq!(content(&again).expect("it is sent"), [("n".to_owned(), "7".to_owned())]);
    world.ask(Action::Hold { object: target.clone(), held: true }).expect("held");
    assert!(world.done(&again, sets(&again, "8")).is_none());
    assert_eq!(world.memory("b"), "{\"n\":7}", "a held object takes no turn, not even one under way");
    assert!(world.poll().is_empty());
    world.ask(Action::Hold { object: target, held: false }).expect("released");
    let [last] = <[Delivery; 1]>::try_from(world.poll()).expect("now it may");
    assert!(world.done(&last, sets(&last, "8")).is_none());
    assert_eq!(world.memory("b"), "{\"n\":8}");
}

#[test]
fn an_edit_comes_between_a_turn_and_the_next_that_takes_its_memory_as_it_was_left() {
    let mut world = World::new();
    world.install("a", &[]).expect("installed");
    for _ in 0..2 {
        world.send("a", "null");
    }
    let [first, second] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
    assert!(content(&second).is_none(), "it takes the memory as the first leaves it");
    assert!(world.done(&first, sets(&first, "10")).is_none());
    let object = Target::Petname("a".parse().expect("a petname"));
    let value = qjson::parse("7", "value").expect("JSON");
    world.ask(Action::MemorySet { object, key: "n".to_owned(), value, expect: None }).expect("set");
    assert!(world.done(&second, sets(&second, "11")).is_none());
    assert_eq!(world.memory("a"), "{\"n\":7}", "the worker knew nothing of the edit");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("it is delivered again");
    assert_eq!(content(&again).expect("it is sent"), [("n".to_owned(), "7".to_owned())]);
}

#[test]
fn a_turn_of_an_object_removed_meanwhile_counts_for_nothing_however_it_ends() {
    for death in [None, Some(Death::Crashed("boom".to_owned())), Some(Death::Deadline { clock: "CPU", limit_ms: 1 })] {
        let mut world = World::new();
        for name in ["a", "b"] {
            world.install(name, &[]).expect("installed");
        }
        let message = world.send("a", "null");
        world.send("b", "null");
        let [a, b] = <[Delivery; 2]>::try_from(world.poll()).expect("both are with the worker");
        let object = Target::Petname("a".parse().expect("a petname"));
        world.ask(Action::Remove { object, account: false }).expect("removed");
        match death {
            None => assert!(world.done(&a, sets(&a, "2")).is_none()),
            Some(death) => world.died(death),
        }
        assert_eq!(world.outcome(message), "error the object was removed");
        assert_eq!(world.read(|db| db.faults(&Listing::default())).items.len(), 1, "one fault, not two");
        let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("b runs");
        assert_eq!(again.target.object, b.target.object);
        assert!(world.done(&again, ok()).is_none());
        assert_eq!(world.store.counters().inbox, 0);
    }
}

#[test]
fn sources_take_turns_and_nothing_is_sent_ahead_of_a_slow_turn() {
    let mut world = World::new();
    for name in ["flood", "a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    // The flood's object sends to "a": its account is a source of its own.
    let a = world
        .read(|db| db.object(db.resolve(&Target::Petname("a".parse().expect("a petname")))?, true, &Queues::default()))
        .row
        .qrid;
    world.send("flood", &format!("{{\"@qref\":\"{a}\"}}"));
    let [flood] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
    let to_a = Sent { sender: flood.target.object, target: flood.target.object + 1, args: "null".to_owned() };
    assert!(world.done(&flood, Report { sent: vec![to_a; 3], ..ok() }).is_none());
    for _ in 0..3 {
        world.send("b", "null");
    }
    let started = world.poll();
    let targets: Vec<_> = started.iter().map(|delivery| delivery.target.object - flood.target.object).collect();
    assert!(targets == [1, 2, 1, 2, 1, 2] || targets == [2, 1, 2, 1, 2, 1], "one of each in turn: {targets:?}");

    let slow = Report { cpu_us: 1_900_000, ..ok() };
    let order = world.done(&started[0], slow);
    assert!(matches!(order, Some(Order::Replace)), "what was planned behind a slow turn is planned anew: {order:?}");
    world.died(Death::Replaced);
    let again = world.poll();
    let slow = started[0].target.object;
    assert_eq!(again.len(), 3, "what the other source has goes first");
    assert!(again.iter().all(|delivery| delivery.target.object != slow));
    for delivery in &again {
        world.done(delivery, ok());
    }
    for _ in 0..2 {
        let [alone] = <[Delivery; 1]>::try_from(world.poll()).expect("one at a time: each may be slow");
        assert_eq!(alone.target.object, slow);
        assert!(world.done(&alone, Report { cpu_us: 50_000, ..ok() }).is_none());
    }
    while let [delivery, ..] = world.poll().as_slice() {
        assert!(world.done(delivery, ok()).is_none());
    }
    assert_eq!(world.store.counters().inbox, 0, "every message ran");
    assert_eq!(world.store.counters().next_turn, 1 + 1 + 6, "and ran once");
}

#[test]
fn a_full_queue_refuses_the_message_and_never_the_turn() {
    let mut world = World::new();
    for name in ["flood", "a"] {
        world.install(name, &[]).expect("installed");
    }
    let limits = Limits { queue: QueueLimits { messages: 2, ..LIMITS.queue }, ..LIMITS };
    world.vat = world::vat(limits, world.store.counters());
    let a = world
        .read(|db| db.object(db.resolve(&Target::Petname("a".parse().expect("a petname")))?, true, &Queues::default()))
        .row
        .qrid;
    let hold = |held| Action::Hold { object: Target::Petname("a".parse().expect("a petname")), held };
    world.ask(hold(true)).expect("held");
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let message = world.send("flood", &format!("{{\"@qref\":\"{a}\"}}"));
        let [flood] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
        let to_a = Sent { sender: flood.target.object, target: flood.target.object + 1, args: "7".to_owned() };
        assert!(world.done(&flood, Report { sent: vec![to_a; 2], ..ok() }).is_none());
        outcomes.push(world.outcome(message));
    }
    assert_eq!(outcomes, ["ok ", "ok ", "ok "], "the sender's turns are ok");
    let faults = world.read(|db| db.faults(&Listing::default())).items;
    let errors: Vec<_> = faults.iter().map(|fault| fault.error.message.as_str()).collect();
    assert_eq!(errors, ["queue full: its source has too much queued for this object"; 2], "two are kept");
    assert!(faults.iter().all(|fault| fault.args.get() == "7" && fault.turn.is_none()), "whole");
    assert_eq!(
        world.read(|db| db.object(db.resolve(&Target::Qrid(a.clone()))?, true, &Queues::default())).row.refused,
        2,
        "two are counted"
    );
    // The operator has a queue of its own, which is as long.
    let args = || qjson::parse("1", "args").expect("JSON");
    let send = || Action::Send(Send { target: Target::Qrid(a.clone()), args: args(), key: None });
    world.ask(send()).expect("room");
    world.ask(send()).expect("room");
    let problem = world.ask(send()).expect_err("no room");
    assert!(problem.error.contains("full"), "{problem:?}");
    world.ask(Action::FaultRetry(faults[0].id)).expect_err("no room for what had no room");
    world.ask(hold(false)).expect("released");
    for delivery in world.poll() {
        assert!(world.done(&delivery, ok()).is_none());
    }
    world.ask(Action::FaultRetry(faults[0].id)).expect("room now");
    let [retried] = <[Delivery; 1]>::try_from(world.poll()).expect("a delivery");
    assert_eq!(retried.args, "7");
    assert!(world.done(&retried, ok()).is_none());
    let Counters { inbox, inbox_bytes, faults, .. } = *world.store.counters();
    assert_eq!((inbox, inbox_bytes, faults), (0, 0, 1));
}

#[test]
fn a_held_object_keeps_nothing_else_waiting_and_order_within_each_queue() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    let object = || Target::Petname("a".parse().expect("a petname"));
    world.ask(Action::Hold { object: object(), held: true }).expect("held");
    for n in 0..40 {
        world.send(if n % 2 == 0 { "a" } else { "b" }, &n.to_string());
    }
    let run = |world: &mut World| {
        let mut ran = Vec::new();
        loop {
            let deliveries = world.poll();
            if deliveries.is_empty() {
                return ran;
            }
            for delivery in deliveries {
                ran.push(delivery.args.parse::<u64>().expect("a number"));
                assert!(world.done(&delivery, ok()).is_none());
            }
        }
    };
    assert_eq!(run(&mut world), (0..20).map(|n| 2 * n + 1).collect::<Vec<_>>());
    // A restart knows the queue from the database.
    world.vat = world::vat(LIMITS, world.store.counters());
    assert_eq!(run(&mut world), [0; 0]);
    world.ask(Action::Hold { object: object(), held: false }).expect("released");
    assert_eq!(run(&mut world), (0..20).map(|n| 2 * n).collect::<Vec<_>>());
}

#[test]
fn accounts_with_workers_of_their_own_are_served_in_stretches_and_each_in_its_time() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.install(name, &[]).expect("installed");
    }
    world.vat = world::vat(Limits { isolation: Isolation::Account, ..LIMITS }, world.store.counters());
    for n in 0..160 {
        world.send(if n % 2 == 0 { "a" } else { "b" }, &n.to_string());
    }
    let mut stretches: Vec<(Lane, usize)> = Vec::new();
    loop {
        let starts = world.starts();
        let Some(first) = starts.first() else { break };
        assert!(starts.iter().all(|start| start.lane == first.lane), "one lane at a time");
        match stretches.last_mut() {
            Some((lane, turns)) if *lane == first.lane => *turns += starts.len(),
            _ => stretches.push((first.lane, starts.len())),
        }
        for start in &starts {
            assert!(world.done(&start.delivery, Report { cpu_us: 400, ..ok() }).is_none());
        }
    }
    assert_eq!(stretches.iter().map(|(_, turns)| turns).sum::<usize>(), 160);
    assert!((4..40).contains(&stretches.len()), "neither a hand-over a message nor one account first: {stretches:?}");
}
