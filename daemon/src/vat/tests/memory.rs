//! Large Memories: what the kernel tells of one, and what it believes of what became of it.

use qrt_shared::id::Target;
use qrt_shared::qjson;

use super::super::checkpoint::Answer;
use super::super::request::Action;
use super::super::{Input, Order};
use super::world::World;
use super::{ok, sets};
use crate::protocol::{Content, Delivery, Handle, MemoryChange, MemoryHandle, Page, Report, Sent, Wanted};

fn set(world: &mut World, key: &str, value: &str) {
    let object = Target::Petname("a".parse().expect("a petname"));
    let value = qjson::parse(value, "value").expect("JSON");
    world.ask(Action::MemorySet { object, key: key.to_owned(), value, expect: None }).expect("set");
}

/// A world with an object `a`, whose large memory has the key `friend`, a Reference to `b`.
fn world() -> World {
    let mut world = World::new();
    world.install("a", &[]).expect("installed");
    let Ok(Answer::Installed(installed)) = world.install("b", &[]) else { panic!("installed") };
    set(&mut world, "pad", &format!("\"{}\"", "x".repeat(20 << 10)));
    set(&mut world, "friend", &format!(r#"{{"@qref":"{}"}}"#, installed.objects[0].qrid));
    world
}

fn memory(delivery: &Delivery) -> MemoryHandle {
    delivery.target.memory.as_ref().expect("a memory").memory
}

fn known(delivery: &Delivery) -> (&[(String, String)], u64) {
    match &delivery.target.memory.as_ref().expect("a memory").content {
        Content::ByKey { known, settled } => (known, *settled),
        other => panic!("a large memory is given by key, not as {other:?}"),
    }
}

fn ask(world: &mut World, delivery: &Delivery, wanted: Wanted) -> Page {
    let memory = memory(delivery);
    match world.step(Input::Ask { delivery: delivery.delivery, memory, wanted }).1 {
        Some(Order::Entries(page)) => page,
        other => panic!("it may ask for what it was given: {other:?}"),
    }
}

fn key(name: &str) -> Wanted {
    Wanted::Key(name.to_owned())
}

fn sends_to(delivery: &Delivery, target: Handle) -> Report {
    Report { sent: vec![Sent { sender: delivery.target.object, target, args: "null".to_owned() }], ..ok() }
}

#[test]
fn a_turn_may_hold_of_a_large_memory_what_it_was_told() {
    for told in [true, false] {
        let mut world = world();
        world.send("b", "null");
        let b = world.poll().pop().expect("a delivery");
        world.done(&b, ok());
        world.send("a", "null");
        let delivery = world.poll().pop().expect("a delivery");
        assert!(known(&delivery).0.is_empty());
        if told {
            let friend = format!("{{\"@qref\":{}}}", b.target.object);
            assert_eq!(ask(&mut world, &delivery, key("friend")).entries, [("friend".to_owned(), friend)]);
        }
        assert!(ask(&mut world, &delivery, key("nothing")).entries.is_empty());
        let order = world.done(&delivery, sends_to(&delivery, b.target.object));
        assert_eq!(matches!(order, Some(Order::Kill(_))), !told, "{order:?}");
    }
}

#[test]
fn a_worker_that_asks_for_a_memory_it_was_not_given_is_killed() {
    let mut world = world();
    world.send("a", "null");
    world.send("b", "null");
    let started = world.poll();
    for (delivery, memory) in [
        (started[0].delivery, memory(&started[1])),
        (started[0].delivery, 999),
        (started[1].delivery, memory(&started[1])),
        (999, memory(&started[0])),
    ] {
        let mut world = self::world();
        world.send("a", "null");
        world.send("b", "null");
        world.poll();
        let (_, order) = world.step(Input::Ask { delivery, memory, wanted: key("n") });
        assert!(matches!(order, Some(Order::Kill(_))), "{delivery} {memory}: {order:?}");
    }
}

#[test]
fn pages_give_every_key_once_in_order_and_end() {
    let mut world = world();
    for at in (0..40).rev() {
        set(&mut world, &at.to_string(), &format!("\"{}\"", "y".repeat(5000)));
    }
    world.send("a", "null");
    let delivery = world.poll().pop().expect("a delivery");
    let (mut keys, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let Page { entries, next } = ask(&mut world, &delivery, Wanted::Page { after });
        keys.extend(entries.into_iter().map(|(key, _)| key));
        pages += 1;
        let Some(next) = next else { break };
        after = Some(next);
    }
    let expected = (0..40).map(|at| at.to_string()).chain(["n", "pad", "friend"].map(str::to_owned));
    assert_eq!((keys, pages > 3), (expected.collect::<Vec<_>>(), true));
    let beyond = ask(&mut world, &delivery, Wanted::Page { after: Some(u64::MAX) });
    assert!(beyond.entries.is_empty() && beyond.next.is_none(), "no page of a captured worker's is an error");
}

#[test]
fn what_a_message_names_is_sent_along_and_changes_before_it_make_no_turn_stale() {
    let mut world = world();
    for _ in 0..3 {
        world.send("a", r#"{"n":"pad","key":["n","m"]}"#);
    }
    let started = world.poll();
    for delivery in &started {
        let given = known(delivery);
        assert_eq!(given, (&[("n".to_owned(), "1".to_owned())][..], started[0].delivery), "short values of keys only");
    }
    for (value, delivery) in ["2", "3", "4"].iter().zip(&started) {
        assert!(world.done(delivery, sets(delivery, value)).is_none());
    }
    assert!(world.memory("a").starts_with("{\"n\":4,"), "each counts");
    assert!(world.poll().is_empty(), "none is delivered again");
}

#[test]
fn an_operators_change_calls_back_the_turns_that_were_sent_what_it_changed() {
    let mut world = world();
    world.send("a", r#"["n"]"#);
    let delivery = world.poll().pop().expect("a delivery");
    set(&mut world, "n", "7");
    world.done(&delivery, sets(&delivery, "2"));
    assert!(world.memory("a").starts_with("{\"n\":7,"), "it was computed before the edit");
    let again = world.poll().pop().expect("it is delivered again");
    assert_eq!(known(&again).0, [("n".to_owned(), "7".to_owned())]);
}

#[test]
fn changes_of_a_large_memory_are_checked_and_journalled_by_key() {
    let change = |delivery: &Delivery, deleted: &[&str], set: &[(&str, &str)]| Report {
        memories: vec![MemoryChange {
            memory: memory(delivery),
            deleted: deleted.iter().map(|key| (*key).to_owned()).collect(),
            set: set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }],
        ..ok()
    };
    let mut world = world();
    world.send("a", "null");
    let delivery = world.poll().pop().expect("a delivery");
    let order = world.done(&delivery, change(&delivery, &["nothing"], &[]));
    assert!(matches!(order, Some(Order::Kill(_))), "a key that was not there: {order:?}");
    let mut world = self::world();
    world.send("a", "null");
    let delivery = world.poll().pop().expect("a delivery");
    assert!(world.done(&delivery, change(&delivery, &["pad", "n"], &[("new", "2"), ("n", "3")])).is_none());
    assert!(world.memory("a").ends_with(",\"new\":2,\"n\":3}"), "{}", world.memory("a"));
    world.send("a", "null");
    let delivery = world.poll().pop().expect("a delivery");
    let Content::Whole(entries) = &delivery.target.memory.as_ref().expect("a memory").content else {
        panic!("it is small now")
    };
    assert_eq!(entries.len(), 3);
}
