//! Whose fault a worker's death is, what follows from it, and which worker a turn runs in.

use super::*;
use crate::protocol::{Handle, Running};
use crate::vat::checkpoint::{Death as Row, Write};
use crate::vat::lane::{Isolation, Lane};
use crate::vat::view::View;
use crate::vat::{Checkpoint, Start};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn boom() -> Death {
    Death::Crashed("boom".to_owned())
}

fn too_long() -> Death {
    Death::Deadline { clock: "CPU", limit_ms: 2000 }
}

impl World {
    /// A vat with objects of these names, each an account of its own.
    pub(super) fn of(names: &[&str]) -> Self {
        let mut world = Self::new();
        for name in names {
            world.install(name, &[]).expect("installed");
        }
        world
    }

    fn handle(&self, name: &str) -> Handle {
        self.read(|db| db.resolve(&Target::Petname(name.parse().expect("a petname"))))
    }

    fn qrid(&self, name: &str) -> String {
        self.read(|db| {
            db.object(db.resolve(&Target::Petname(name.parse().expect("a petname")))?, true, &Queues::default())
        })
        .row
        .qrid
        .to_string()
    }

    /// Runs everything that is queued, each time all that may start at once, which `look` sees first.
    fn run_all(&mut self, mut look: impl FnMut(&[Start])) {
        loop {
            let batch = self.starts();
            if batch.is_empty() {
                return;
            }
            look(&batch);
            for start in batch {
                assert!(self.done(&start.delivery, ok()).is_none());
            }
        }
    }

    /// The worker is gone, and says that it ran this.
    fn died_in(&mut self, death: Death, delivery: u64, object: Handle) {
        let ran = Some(Running { delivery, object, since_ns: 0 });
        self.step(Input::Died { death, ran });
    }

    /// Queues a message for `caller` that holds a reference to `callee`, and has its turn load that.
    fn calls(&mut self, caller: &str, callee: &str) -> Start {
        let reference = format!("{{\"@qref\":\"{}\"}}", self.qrid(callee));
        self.send(caller, &reference);
        let start = self.starts().pop().expect("the caller's turn");
        let object = self.handle(callee);
        let (_, order) = self.step(Input::Load { delivery: start.delivery.delivery, object });
        assert!(matches!(order, Some(Order::Loaded(Ok(_)))), "{order:?}");
        start
    }

    fn deaths(&self, name: &str) -> u64 {
        self.read(|db| {
            db.object(db.resolve(&Target::Petname(name.parse().expect("a petname")))?, true, &Queues::default())
        })
        .deaths
    }

    /// The lane in which a message to that object, alone, runs.
    fn lane(&mut self, name: &str) -> Lane {
        self.send(name, "null");
        let [start] = <[Start; 1]>::try_from(self.starts()).expect("its turn");
        assert!(self.done(&start.delivery, ok()).is_none());
        start.lane
    }
}

#[test]
fn the_turn_on_the_page_is_the_suspect_and_those_before_it_are_not() {
    let mut world = World::of(&["a", "b", "c"]);
    let messages = ["a", "b", "c"].map(|name| world.send(name, "null"));
    let given = world.starts();
    // Two answers were under way with it when the worker died on the third.
    world.died_in(boom(), given[2].delivery.delivery, given[2].delivery.target.object);
    let mut batches = Vec::new();
    world.run_all(|batch| batches.push(batch.iter().map(|start| start.fresh).collect::<Vec<_>>()));
    assert_eq!(batches, [vec![false, false], vec![true]], "the suspect runs alone, in a fresh worker");
    assert_eq!(messages.map(|message| world.outcome(message)), ["ok ", "ok ", "ok "]);
    assert_eq!(["a", "b", "c"].map(|name| world.deaths(name)), [0, 0, 1]);
}

#[test]
fn blame_goes_to_the_innermost_object_the_callee_or_the_caller() {
    for (innermost, deaths) in [("callee", [0, 1]), ("caller", [1, 0])] {
        let mut world = World::of(&["caller", "callee"]);
        let start = world.calls("caller", "callee");
        let object = world.handle(innermost);
        world.died_in(too_long(), start.delivery.delivery, object);
        assert_eq!(["caller", "callee"].map(|name| world.deaths(name)), deaths, "{innermost} hung");
        let fault = world.read(|db| db.faults(&Listing::default())).items.remove(0);
        assert_eq!(fault.name.map(|name| name.to_string()).as_deref(), Some("caller"), "it was the caller's message");
        for name in ["caller", "callee"] {
            let own = Lane::Account(world.handle(name));
            assert_eq!(world.lane(name), if name == innermost { own } else { Lane::Shared }, "{name}");
        }
    }
}

#[test]
fn the_page_cannot_blame_an_object_that_the_turn_was_never_given() {
    let others = |world: &World| [world.handle("other"), world.handle("later"), 999, FIRST_MADE, u64::MAX];
    for index in 0..5 {
        let mut world = World::of(&["a", "later", "other"]);
        for name in ["a", "later"] {
            world.send(name, "null");
        }
        let given = world.starts();
        let object = others(&world)[index];
        world.died_in(too_long(), given[0].delivery.delivery, object);
        assert_eq!(["a", "later", "other"].map(|name| world.deaths(name)), [1, 0, 0], "not {object}");
    }
    // A delivery that is not in flight accuses nobody else either: the oldest unanswered one ran.
    let mut world = World::of(&["a", "b"]);
    for name in ["a", "b"] {
        world.send(name, "null");
    }
    let given = world.starts();
    assert!(world.done(&given[0].delivery, ok()).is_none());
    let (answered, b) = (given[0].delivery.delivery, world.handle("b"));
    world.died_in(too_long(), answered, b);
    assert_eq!(["a", "b"].map(|name| world.deaths(name)), [0, 1]);
    assert_eq!(world.read(|db| db.faults(&Listing::default())).items.len(), 1);
}

#[test]
fn one_crash_makes_no_offender_and_two_on_one_message_do() {
    let mut world = World::of(&["a", "b"]);
    let message = world.send("a", "null");
    world.starts();
    world.died(boom());
    world.run_all(|batch| assert!(batch[0].fresh));
    assert_eq!((world.deaths("a"), world.outcome(message).as_str()), (1, "ok "));
    assert_eq!((world.lane("a"), world.lane("b")), (Lane::Shared, Lane::Shared));
    world.send("a", "null");
    for _ in 0..2 {
        let start = world.starts().pop().expect("its turn");
        assert_eq!(start.lane, Lane::Shared);
        world.died(boom());
    }
    let a = world.handle("a");
    assert_eq!((world.lane("a"), world.lane("b")), (Lane::Account(a), Lane::Shared));
    let killed = world.read(|db| db.object(a, true, &Queues::default())).killed;
    let turns: Vec<_> = killed.iter().map(|death| (death.turn.is_some(), death.how.as_str())).collect();
    assert_eq!(turns, [(true, "boom"), (false, "boom"), (false, "boom")], "the newest first");
}

#[test]
fn an_offence_outlives_the_daemon_and_is_forgotten_when_its_turns_and_its_day_are_over() {
    let mut world = World::of(&["a", "b"]);
    world.send("a", "null");
    world.starts();
    world.died(too_long());
    let own = Lane::Account(world.handle("a"));
    world.vat = world::vat(LIMITS, world.store.counters());
    assert_eq!(world.lane("a"), own, "the database remembers");
    world.now_ms += DAY_MS;
    assert_eq!(world.lane("a"), own, "a day is over, but not ten turns");
    world.now_ms -= DAY_MS;
    for _ in 0..10 {
        assert_eq!(world.lane("b"), Lane::Shared);
    }
    assert_eq!(world.lane("a"), own, "ten turns are over, but not a day");
    world.now_ms += DAY_MS;
    assert_eq!(world.lane("a"), Lane::Shared);
}

#[test]
fn an_offence_that_ends_while_its_turns_are_in_flight_mixes_no_lanes() {
    let mut world = World::of(&["a", "b"]);
    world.send("a", "null");
    world.starts();
    world.died(too_long());
    for _ in 0..10 {
        assert_eq!(world.lane("b"), Lane::Shared);
    }
    world.send("a", "null");
    let [first] = <[Start; 1]>::try_from(world.starts()).expect("its turn");
    assert_eq!(first.lane, Lane::Account(world.handle("a")));
    world.now_ms += DAY_MS;
    world.send("a", "null");
    assert!(world.starts().is_empty(), "it is of another lane now");
    assert!(world.done(&first.delivery, ok()).is_none());
    let [second] = <[Start; 1]>::try_from(world.starts()).expect("the next turn");
    assert_eq!(second.lane, Lane::Shared);
}

#[test]
fn a_death_in_one_lane_is_not_that_of_a_turn_that_another_lane_had_called_back() {
    let mut world = World::of(&["a", "b"]);
    world.vat = world::vat(Limits { isolation: Isolation::Account, ..LIMITS }, world.store.counters());
    for _ in 0..2 {
        world.send("a", "null");
    }
    let given = world.starts();
    let object = Target::Petname("a".parse().expect("a petname"));
    world.ask(Action::Hold { object, held: true }).expect("held");
    assert!(world.done(&given[0].delivery, ok()).is_none(), "it is stale, and the one behind it is called back");
    let message = world.send("b", "null");
    let [b] = <[Start; 1]>::try_from(world.starts()).expect("its turn");
    assert_eq!(b.lane, Lane::Account(world.handle("b")));
    world.died(too_long());
    assert_eq!((world.deaths("a"), world.deaths("b")), (0, 1));
    assert!(world.outcome(message).starts_with("killed more than 2000 ms"));
}

#[test]
fn the_deaths_that_are_remembered_are_bounded() {
    let mut world = World::of(&["a"]);
    let object = world.handle("a");
    for turn in 1..=9 {
        let row = Row { at: turn, object, account: object, message: turn, turn: Some(turn), how: "boom".to_owned() };
        let writes = vec![Write::Death { row: Box::new(row), remembered: 3 }];
        world.store.apply(&mut Checkpoint { writes, ..Checkpoint::default() }).expect("rows");
    }
    world.store.commit().expect("a commit");
    let killed = world.read(|db| db.object(object, true, &Queues::default())).killed;
    assert_eq!(killed.iter().map(|death| death.turn).collect::<Vec<_>>(), [Some(9), Some(8), Some(7)]);
    assert_eq!(world.deaths("a"), 9, "but counted all the same");
    assert_eq!(world.store.offenders().expect("a read").len(), 1);
}

#[test]
fn turns_in_flight_are_of_one_lane() {
    let mut world = World::of(&["a", "b"]);
    let limits = Limits { isolation: Isolation::Account, ..LIMITS };
    world.vat = world::vat(limits, world.store.counters());
    for name in ["a", "a", "b", "b", "a"] {
        world.send(name, "null");
    }
    let mut lanes = Vec::new();
    world.run_all(|batch| {
        let own = |start: &Start| Lane::Account(start.delivery.target.object);
        assert!(batch.iter().all(|start| start.lane == batch[0].lane && start.lane == own(start)), "{batch:?}");
        lanes.push((batch[0].lane, batch.len()));
    });
    let (a, b) = (Lane::Account(world.handle("a")), Lane::Account(world.handle("b")));
    let ran = |lane| lanes.iter().filter(|(other, _)| *other == lane).map(|(_, turns)| turns).sum::<usize>();
    assert_eq!((ran(a), ran(b)), (3, 2));
}

#[test]
fn a_worker_that_ran_two_accounts_is_replaced_before_its_accounts_next_turn() {
    for (isolation, spoilt) in [(Isolation::Account, true), (Isolation::Shared, false)] {
        let mut world = World::of(&["caller", "callee"]);
        world.vat = world::vat(Limits { isolation, ..LIMITS }, world.store.counters());
        let start = world.calls("caller", "callee");
        let next = world.send("caller", "1");
        let behind = world.starts().pop().expect("it is streamed behind");
        let order = world.done(&start.delivery, ok());
        assert_eq!(matches!(order, Some(Order::Replace)), spoilt, "{isolation:?}: {order:?}");
        assert!(world.done(&behind.delivery, sets(&behind.delivery, "66")).is_none());
        if spoilt {
            assert_eq!(world.memory("caller"), "{\"n\":1}", "nothing it says from then on counts");
            assert!(world.starts().is_empty(), "and it gets nothing more");
            world.died(Death::Replaced);
            let again = world.starts().pop().expect("the next turn, in another worker");
            assert!(world.done(&again.delivery, sets(&again.delivery, "2")).is_none());
            assert_eq!(world.memory("caller"), "{\"n\":2}");
        }
        assert_eq!(world.outcome(next), "ok ");
    }
}

#[test]
fn what_a_spoilt_worker_dies_of_is_no_fault_of_the_turns_behind() {
    let mut world = World::of(&["caller", "callee"]);
    world.vat = world::vat(Limits { isolation: Isolation::Account, ..LIMITS }, world.store.counters());
    let start = world.calls("caller", "callee");
    let next = world.send("caller", "1");
    let behind = world.starts().pop().expect("it is streamed behind");
    assert!(matches!(world.done(&start.delivery, ok()), Some(Order::Replace)));
    // What the callee left there hangs the worker before that has gone.
    world.died_in(too_long(), behind.delivery.delivery, behind.delivery.target.object);
    assert_eq!(world.deaths("caller"), 0);
    let again = world.starts().pop().expect("it is delivered again");
    assert!(world.done(&again.delivery, ok()).is_none());
    assert_eq!(world.outcome(next), "ok ");
}

#[test]
fn a_deadline_ends_no_message_before_an_earlier_one_on_the_same_way() {
    let mut world = World::of(&["a", "b"]);
    let messages = ["a", "b", "a"].map(|name| world.send(name, "null"));
    let given = world.starts();
    // The answers of the first two were under way.
    world.died_in(too_long(), given[2].delivery.delivery, given[2].delivery.target.object);
    assert!(world.read(|db| db.faults(&Listing::default())).items.is_empty());
    for start in world.starts() {
        assert!(world.done(&start.delivery, ok()).is_none());
    }
    let [alone] = <[Start; 1]>::try_from(world.starts()).expect("the last, alone");
    world.died_in(too_long(), alone.delivery.delivery, alone.delivery.target.object);
    let killed = "killed more than 2000 ms of CPU time in one turn";
    assert_eq!(messages.map(|message| world.outcome(message)), ["ok ", "ok ", killed]);
    let order: Vec<_> = world.read(|db| db.turns(&Listing::default())).items;
    let place = |message| order.iter().position(|turn| turn.message == Some(MessageName::In(message)));
    assert!(place(messages[0]) < place(messages[2]), "{order:?}");
    assert_eq!(order.len(), 3);
}
