//! What budgets hold: a turn to its object's figures, memories and accounts to their totals, compute to
//! its refill; and who pays for what.

use std::collections::HashMap;

use qrt_shared::budget::{ACCOUNT, Budget, OBJECT};
use qrt_shared::control::{Installed, Problem};
use qrt_shared::id::Subject;
use qrt_shared::view::Object;

use super::*;
use crate::protocol::Handle;
use crate::vat::account::Totals;
use crate::vat::checkpoint::Answer;
use crate::vat::request::Install;

const SELF_SENDER: &str = "sender";

impl World {
    /// Installs an object with these budgets; all native powers are its.
    fn budgeted(&mut self, name: &str, own: &str, account: &str) -> Result<Installed, Problem> {
        let read = |text: &str, table| match text {
            "" => Budget::default(),
            text => Budget::parse(text, table).expect("a budget"),
        };
        let answer = self.ask(Action::Install(Install {
            objects: vec![(name.to_owned(), format!("() => '{name}'"), Some(name.parse().expect("a petname")))],
            memory: Some(qjson::parse("{\"n\":1}", "memory").expect("JSON")),
            statics: qjson::parse("{}", "power").expect("JSON"),
            natives: Native::ALL.iter().map(|native| (native.name().to_owned(), *native)).collect(),
            budget: read(own, OBJECT),
            account: read(account, ACCOUNT),
        }))?;
        let Answer::Installed(installed) = answer else { panic!("{answer:?}") };
        Ok(installed)
    }

    fn shown(&self, name: &str) -> Object {
        let target = Target::Petname(name.parse().expect("a petname"));
        self.read(|db| db.object(db.resolve(&target)?, true, &Queues::default()))
    }

    fn why(&self, subject: Option<&str>) -> String {
        let subject = subject.map(|text| text.parse::<Subject>().expect("a subject"));
        let now_ms = self.now_ms;
        let why = self.read(|db| db.why(subject.as_ref(), now_ms));
        format!("{} {}", why.sentence, why.evidence.join(" "))
    }

    /// Sends an object a reference to itself.
    fn send_itself(&mut self, name: &str) -> u64 {
        let qrid = self.shown(name).row.qrid;
        self.send(name, &format!("{{\"@qref\":\"{qrid}\"}}"))
    }

    /// Runs what one message to `name` starts, whose turn reports `report`.
    fn turn(&mut self, name: &str, report: impl FnOnce(&Delivery) -> Report) -> String {
        let message = self.send_itself(name);
        let [delivery] = <[Delivery; 1]>::try_from(self.poll()).expect("its turn");
        let report = report(&delivery);
        assert!(self.done(&delivery, report).is_none());
        self.outcome(message)
    }
}

/// A report of a turn that took so much CPU time and sent so many messages to its own object.
fn sends(delivery: &Delivery, cpu_us: u64, times: usize) -> Report {
    let own = delivery.target.object;
    let message = Sent { sender: own, target: own, args: format!("{{\"@qref\":{own}}}") };
    Report { sent: vec![message; times], cpu_us, ..ok() }
}

fn makes(delivery: &Delivery, account: bool, memory: &str) -> Report {
    let made = Made {
        maker: delivery.target.object,
        account,
        code: "() => 1".to_owned(),
        power: Power { statics: "{}".to_owned(), natives: Vec::new() },
        memory: MadeMemory::New(vec![("text".to_owned(), format!("\"{memory}\""))]),
    };
    Report { made: vec![made], ..ok() }
}

#[test]
fn a_turn_is_held_to_the_figures_of_its_object_and_what_that_makes_inherits_them() {
    let mut world = World::new();
    world.budgeted("own", "ticks=7,cpu=30ms,messages=1,calls=2", "").expect("installed");
    world.install("other", &[]).expect("installed");
    world.send("own", "null");
    world.send("other", "null");
    let [own, other] = <[Delivery; 2]>::try_from(world.poll()).expect("both");
    let budget = own.budget;
    assert_eq!((budget.ticks, budget.cpu_ms, budget.messages, budget.calls), (7, 30, 1, 2));
    assert_eq!(budget.memory_bytes, LIMITS.turn.memory_bytes, "the rest is as the settings say");
    assert_eq!(other.budget, LIMITS.turn);
    // What it makes is sent a message by it, and has its budget.
    let mut report = makes(&own, false, "");
    report.sent.push(Sent { sender: own.target.object, target: FIRST_MADE, args: "null".to_owned() });
    assert!(world.done(&own, report).is_none());
    assert!(world.done(&other, ok()).is_none());
    let [made] = <[Delivery; 1]>::try_from(world.poll()).expect("the new object's turn");
    assert_eq!(made.budget, budget);
    assert!(matches!(world.done(&made, sends(&made, 1, 2)), Some(Order::Kill(_))), "and what it says is checked by it");
    assert_eq!(world.shown("own").budget.to_string(), "calls=2,cpu=30,messages=1,ticks=7");
}

#[test]
fn a_memory_is_held_to_its_limit_and_turns_that_took_it_as_left_run_on_what_was_there() {
    let mut world = World::new();
    world.budgeted("own", "stored=10", "").expect("installed");
    assert_eq!(world.turn("own", |delivery| sets(delivery, "123456789")), "ok ", "ten bytes with its key");
    let messages = [world.send("own", "null"), world.send("own", "null")];
    let [first, second] = <[Delivery; 2]>::try_from(world.poll()).expect("both");
    assert!(world.done(&first, sets(&first, "1234567890")).is_none());
    // It saw what the first left, which does not count.
    assert!(world.done(&second, sets(&second, "5")).is_none());
    assert_eq!(world.memory("own"), "{\"n\":123456789}");
    let [again] = <[Delivery; 1]>::try_from(world.poll()).expect("the second, again");
    assert_eq!(content(&again).expect("it is sent"), [("n".to_owned(), "123456789".to_owned())]);
    assert!(world.done(&again, sets(&again, "6")).is_none());
    assert_eq!(messages.map(|m| world.outcome(m)), ["killed a stored memory of 11 bytes, more than 10", "ok "]);
    assert_eq!(world.memory("own"), "{\"n\":6}", "it may shrink at any time");
    let fault = world.read(|db| db.faults(&Listing::default())).items.pop().expect("a fault");
    assert_eq!(fault.error.object, Some(world.shown("own").row.qrid), "whose limit it was");
    assert_eq!(
        world.turn("own", |delivery| makes(delivery, false, "0123456789")),
        "killed a new object's memory of 16 bytes, more than 10"
    );
    let problem = world.budgeted("large", "stored=1", "").expect_err("no room for its first memory");
    assert!(problem.error.contains("first memory is 2 bytes"), "{problem}");
    assert!(
        world
            .read(|db| db.objects(&Listing { filter: "large".into(), ..Listing::default() }, &Queues::default()))
            .items
            .is_empty()
    );
}

#[test]
fn totals_of_an_account_count_what_is_below_and_go_down_again() {
    let mut world = World::new();
    world.budgeted("top", "", "objects=3,memory=60").expect("installed");
    assert_eq!(world.turn("top", |delivery| makes(delivery, true, "x")), "ok ");
    assert_eq!(world.turn("top", |delivery| makes(delivery, false, "x")), "ok ");
    let used = world.shown("top").account_use;
    assert_eq!((used.objects, used.memory_bytes), (3, 2 + 7 + 7), "of the account below too");
    assert_eq!(
        world.turn("top", |delivery| makes(delivery, true, "x")),
        "killed more than 3 objects in this account and those made under it"
    );
    let long = "x".repeat(60);
    assert_eq!(
        world.turn("top", |delivery| sets(delivery, &format!("\"{long}\""))),
        "killed more than 60 bytes of stored memory in this account and those made under it"
    );
    let fault = world.read(|db| db.faults(&Listing::default())).items.pop().expect("a fault");
    assert_eq!(fault.error.object, Some(world.shown("top").row.qrid), "whose account it was");
    // The one below goes, and its room comes back; also over a restart.
    let below = world.read(|db| db.objects(&Listing::default(), &Queues::default())).items[1].qrid.clone();
    world.ask(Action::Remove { object: Target::Qrid(below), account: false }).expect("removed");
    world.vat = world::vat(LIMITS, world.store.counters());
    assert_eq!(world.shown("top").account_use.objects, 2);
    assert_eq!(world.turn("top", |delivery| makes(delivery, true, "x")), "ok ");
}

#[test]
fn a_refused_install_counts_for_nothing() {
    let mut world = World::new();
    world.budgeted("a", "", "").expect("installed");
    world.install("a", &[]).expect_err("the name is taken");
    world.budgeted("b", "", "").expect("installed");
    let used = world.shown("b").account_use;
    assert_eq!((used.objects, used.memory_bytes), (1, 2));
}

#[test]
fn who_has_spent_his_compute_waits_for_the_refill_and_nobody_else_does() {
    let mut world = World::new();
    world.budgeted(SELF_SENDER, "", "cpu=10ms,refill=10ms/s").expect("installed");
    world.install("other", &[]).expect("installed");
    // The operator's message costs it nothing; what it sends itself does.
    assert_eq!(world.turn(SELF_SENDER, |delivery| sends(delivery, 1_000_000, 1)), "ok ");
    let [own] = <[Delivery; 1]>::try_from(world.poll()).expect("its own message");
    assert!(world.done(&own, sends(&own, 25_000, 1)).is_none());
    // It owes 15 ms of 10 a second.
    assert!(world.poll().is_empty());
    assert_eq!(world.vat.wake_at(), Some(world.now_ms + 1501));
    assert_eq!(world.turn("other", |_| ok()), "ok ");
    assert_eq!(world.turn(SELF_SENDER, |_| ok()), "ok ", "what others send it, others pay for");
    let why = [world.why(Some(SELF_SENDER)), world.why(None), world.why(Some("in:3"))];
    for why in why {
        assert!(why.contains("has spent its budget of CPU time; it has some again in 1 s"), "{why}");
        assert!(why.contains("it owes 15000 us"), "{why}");
    }
    assert!(world.read(|db| db.faults(&Listing::default())).items.is_empty(), "it waits unfaulted");
    assert_eq!(world.shown(SELF_SENDER).account_use.cpu_left_us, Some(-15_000));
    // A restart forgives nothing.
    world.vat = world::vat(LIMITS, world.store.counters());
    world.now_ms += 1500;
    assert!(world.poll().is_empty());
    world.now_ms += 100;
    let [own] = <[Delivery; 1]>::try_from(world.poll()).expect("its own message");
    assert!(world.done(&own, ok()).is_none());
    assert_eq!(world.vat.wake_at(), None);
    assert!(world.why(Some(SELF_SENDER)).starts_with("nothing waits for it"));
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting_for_years() {
    let mut world = World::new();
    world.now_ms = 10_000_000;
    world.budgeted(SELF_SENDER, "", "cpu=10ms,refill=10ms/s").expect("installed");
    assert_eq!(world.turn(SELF_SENDER, |delivery| sends(delivery, 0, 1)), "ok ");
    let [own] = <[Delivery; 1]>::try_from(world.poll()).expect("its own message");
    assert!(world.done(&own, sends(&own, 25_000, 1)).is_none());
    assert!(world.poll().is_empty());
    world.now_ms = 5_000_000;
    world.step(Input::ClockSet(-5_000_000));
    assert!(world.poll().is_empty());
    let at_ms = world.vat.wake_at().expect("it waits for the refill");
    assert!(at_ms <= world.now_ms + 2000, "{at_ms}");
}

#[test]
fn an_account_pays_for_what_its_maker_sends_it_and_the_maker_for_what_it_owes_in_all() {
    let mut world = World::new();
    // Below it nobody has a figure of his own: the settings say.
    let account = Totals { compute_us: Some(10_000), refill_us: 1_000, ..LIMITS.account };
    world.vat = world::vat(Limits { account, ..LIMITS }, world.store.counters());
    world.budgeted("game", "", "cpu=10min,refill=1s/s").expect("installed");
    world.send("game", "null");
    let [game] = <[Delivery; 1]>::try_from(world.poll()).expect("the game's turn");
    let mut report = makes(&game, true, "");
    report.made.push(report.made[0].clone());
    let message = |target| Sent { sender: game.target.object, target, args: "null".to_owned() };
    report.sent = vec![message(FIRST_MADE), message(FIRST_MADE), message(FIRST_MADE + 1)];
    assert!(world.done(&game, report).is_none());
    let given = world.poll();
    let [first, second, third] = <[Delivery; 3]>::try_from(given).expect("all three");
    let mut by_object: HashMap<Handle, Vec<Delivery>> = HashMap::new();
    for delivery in [first, second, third] {
        by_object.entry(delivery.target.object).or_default().push(delivery);
    }
    let mut lone: Vec<_> = by_object.into_values().collect();
    lone.sort_by_key(Vec::len);
    let costly = lone.pop().expect("the one with two");
    let order = |world: &mut World, delivery: &Delivery, cpu_us| {
        assert!(world.done(delivery, Report { cpu_us, ..ok() }).is_none());
    };
    let mut all: Vec<_> = costly.iter().map(|delivery| (delivery, 20_000)).collect();
    all.extend(lone[0].iter().map(|delivery| (delivery, 10)));
    all.sort_by_key(|(delivery, _)| delivery.delivery);
    for (delivery, cpu_us) in all {
        order(&mut world, delivery, cpu_us);
    }
    let below: Vec<_> =
        world.read(|db| db.objects(&Listing::default(), &Queues::default())).items.into_iter().skip(1).collect();
    let left = |world: &World, row: usize| {
        let target = Target::Qrid(below[row].qrid.clone());
        world
            .read(|db| db.object(db.resolve(&target)?, true, &Queues::default()))
            .account_use
            .cpu_left_us
            .expect("a limit")
    };
    assert_eq!((left(&world, 0), left(&world, 1)), (-30_000, 9_990), "each pays for what the game sent it");
    let used = world.shown("game").account_use;
    assert_eq!(used.cpu_us, 40_010, "and it counts for the game too");
}

#[test]
fn an_account_has_room_for_so_many_queued_bytes_in_all_its_queues_together() {
    let mut world = World::new();
    world.budgeted(SELF_SENDER, "", "queued=300").expect("installed");
    assert_eq!(world.turn(SELF_SENDER, |delivery| sends(delivery, 0, 3)), "ok ", "never the turn is refused");
    let used = world.shown(SELF_SENDER).account_use;
    assert_eq!(used.queued_bytes, 256, "two references");
    let fault = world.read(|db| db.faults(&Listing::default())).items.pop().expect("a fault");
    assert!(fault.error.message.contains("queue full: the account that pays"), "{:?}", fault.error);
    for delivery in world.poll() {
        assert!(world.done(&delivery, ok()).is_none());
    }
    assert_eq!(world.shown(SELF_SENDER).account_use.queued_bytes, 0);
}

#[test]
fn an_object_that_keeps_killing_workers_is_held_until_it_is_released() {
    let mut world = World::new();
    world.vat = world::vat(Limits { deaths_per_hour: 3, ..LIMITS }, world.store.counters());
    world.install("crasher", &[]).expect("installed");
    let late = |world: &mut World| {
        world.send("crasher", "null");
        assert_eq!(world.poll().len(), 1);
        world.died(Death::Deadline { clock: "CPU", limit_ms: 10 });
    };
    late(&mut world);
    world.now_ms += 60 * 60 * 1000 + 1;
    late(&mut world);
    late(&mut world);
    assert!(!world.shown("crasher").row.held, "the first was more than an hour ago");
    late(&mut world);
    let shown = world.shown("crasher");
    assert!(shown.row.held);
    assert_eq!(shown.held_why.as_deref(), Some("its code killed 3 worker processes within an hour"));
    let why = world.why(Some("crasher"));
    assert!(why.contains("held by the vat itself: its code killed 3 worker processes"), "{why}");
    world.send("crasher", "null");
    assert!(world.poll().is_empty(), "it takes no turns");
    let object = Target::Petname("crasher".parse().expect("a petname"));
    world.ask(Action::Hold { object, held: false }).expect("released");
    assert_eq!(world.shown("crasher").held_why, None);
    assert_eq!(world.poll().len(), 1);
    world.died(Death::Deadline { clock: "CPU", limit_ms: 10 });
    assert!(!world.shown("crasher").row.held, "what was before the release is not held against it");
}

#[test]
fn messages_that_beget_each_other_are_shown_as_a_chain() {
    let mut world = World::new();
    world.install("loop", &[]).expect("installed");
    world.send_itself("loop");
    for _ in 0..1500 {
        let [delivery] = <[Delivery; 1]>::try_from(world.poll()).expect("the next of the chain");
        assert!(world.done(&delivery, sends(&delivery, 1, 1)).is_none());
    }
    let message = world.read(|db| db.inbox(&Listing::default())).items.pop().expect("the last of it");
    assert_eq!(message.chain, 1501);
    for subject in ["loop".to_owned(), message.message.to_string()] {
        assert!(world.why(Some(&subject)).contains("part of a chain of 1501 messages"), "{subject}");
    }
}

/// A thousand accounts under one, ten of which are a hundred times as costly as the others, each sent
/// one message more whenever it has had one.
#[test]
fn of_a_thousand_players_the_costly_few_take_no_share_of_the_others() {
    use crate::vat::shares::{Path, Shares};
    use crate::vat::source::Source;
    let mut shares = Shares::default();
    let paths: HashMap<Handle, Path> =
        (10..1010).map(|player| (player, Path::new(Source::Account(player), player, player, &[1]))).collect();
    for path in paths.values() {
        shares.enter(path);
    }
    let cost = |player: Handle| if player < 20 { 10_000 } else { 100 };
    let mut got: HashMap<Handle, u64> = HashMap::new();
    for _ in 0..200_000 {
        let (_, player) = shares.first().expect("work");
        shares.serve(&paths[&player], 100);
        shares.charge(&paths[&player], i64::try_from(cost(player)).expect("small") - 100);
        *got.entry(player).or_default() += cost(player);
    }
    let honest: Vec<u64> = (20..1010).map(|player| got[&player]).collect();
    let (least, most) = (honest.iter().min().expect("some"), honest.iter().max().expect("some"));
    assert!(most - least <= most / 10, "{least} to {most}");
    let hostile = (10..20).map(|player| got[&player]).max().expect("some");
    assert!(hostile <= most + 10_000, "no more than a share and one turn: {hostile} of {most}");
}
