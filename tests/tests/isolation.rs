//! Which process runs whose code, and who is blamed when one dies: real daemons, real deaths.

use qrt_tests::{Scratch, Vat};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// Runs out of time, not of ticks, unless its argument is something else.
const HANGS: &str = "function (args) { if (args === 'hang') for (;;) {} return args; }";

/// Calls what it is given with an argument, and hangs before or after that if it is told to.
const CALLER: &str = "function (args) {
    const answer = args.callee.call(args.pass);
    if (args.hang) for (;;) {}
    return answer;
}";

/// A lot of ticks and little time: a loop ends by the clock.
const CLOCK: [(&str, &str); 2] = [("ticks", "1000000000"), ("cpu_ms", "300")];

/// A lot of both: a turn runs until its process is killed.
const ENDLESS: [(&str, &str); 3] = [("ticks", "1000000000"), ("cpu_ms", "1000000"), ("wall_ms", "1000000")];

trait Processes {
    fn info(&self) -> Value;
    /// The process of an account's own lane, or of the shared one.
    fn process(&self, account: Option<&str>) -> Option<u64>;
    fn deaths(&self, object: &str) -> u64;
    /// Waits until code of that object runs; in which process.
    fn wait_for_running(&self, qrid: &str) -> u64;
    /// Queues a message without waiting for its turn; its name.
    fn queue(&self, target: &str, args: &str) -> String;
}

impl Processes for Vat {
    fn info(&self) -> Value {
        self.qrt("info", &["--json"]).json()
    }

    fn process(&self, account: Option<&str>) -> Option<u64> {
        let info = self.info();
        let processes = info["worker"]["processes"].as_array().expect("a list").clone();
        let found = processes.iter().find(|process| process["account"].as_str() == account)?;
        found["pid"].as_u64()
    }

    fn deaths(&self, object: &str) -> u64 {
        self.qrt("object", &[object, "--json"]).json()["deaths"].as_u64().expect("a count")
    }

    fn wait_for_running(&self, qrid: &str) -> u64 {
        loop {
            let info = self.info();
            let processes = info["worker"]["processes"].as_array().expect("a list");
            if let Some(process) = processes.iter().find(|process| process["running"] == qrid) {
                return process["pid"].as_u64().expect("a process");
            }
        }
    }

    fn queue(&self, target: &str, args: &str) -> String {
        let dir = self.dir().to_str().expect("UTF-8");
        self.scratch.qrt(&["send", "-d", dir, target, args]).ok()
    }
}

/// Kills a process, as the engine's own crash would end it, and waits until it is gone.
fn kill(pid: u64) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("its process");
    pidfd_send_signal(&process, Signal::KILL).expect("it can be killed");
    let mut gone = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec::try_from(qrt_tests::PATIENCE).expect("a time");
    assert_eq!(rustix::event::poll(&mut gone, Some(&patience)).expect("poll"), 1, "it ends when it is killed");
}

fn reference(qrid: &str) -> String {
    format!(r#"{{"@qref":"{qrid}"}}"#)
}

#[test]
fn who_hangs_is_blamed_the_callee_or_the_caller_and_nobody_else() {
    let vat = Scratch::default().vat_with(&CLOCK);
    let callee = vat.install("callee", HANGS, &[]);
    let other = vat.install("other", HANGS, &[]);
    let caller = vat.install("caller", CALLER, &[]);
    let shared = vat.process(None).expect("the shared process");

    let args = format!(r#"{{"callee": {}, "pass": "hang"}}"#, reference(&callee));
    let ended = vat.send("caller", &args);
    assert_eq!(ended["error"], "more than 300 ms of CPU time in one turn");
    assert_eq!(["caller", "callee", "other"].map(|name| vat.deaths(name)), [0, 1, 0], "the callee hung");
    let killed = vat.qrt("object", &["callee", "--json"]).json()["killed"][0].clone();
    assert_eq!((&killed["turn"], &killed["how"]), (&ended["turn"], &ended["error"]));
    assert!(vat.qrt("object", &["callee"]).ok().contains("its code killed its process 1 time"));

    let args = format!(r#"{{"callee": {}, "pass": "fine", "hang": true}}"#, reference(&other));
    vat.send("caller", &args);
    assert_eq!(["caller", "callee", "other"].map(|name| vat.deaths(name)), [1, 1, 0], "the caller hung");

    // Both have a process of their own now; everybody else goes on in the shared one.
    assert_eq!(vat.result("callee", "1"), 1);
    let args = format!(r#"{{"callee": {}, "pass": 2}}"#, reference(&other));
    assert_eq!(vat.result("caller", &args), 2);
    assert_eq!(vat.result("other", "3"), 3);
    let processes = [Some(callee.as_str()), Some(caller.as_str()), None].map(|account| vat.process(account));
    assert!(processes[0].is_some() && processes[2].is_some() && processes[0] != processes[2], "{processes:?}");
    assert_eq!(processes[1], None, "what ran another account's code is gone");
    assert_ne!(processes[2], Some(shared), "the first death was the shared process's");
    assert!(vat.process(Some(&other)).is_none(), "who did nothing shares");
}

#[test]
fn deaths_are_counted_through_kills_of_the_daemon() {
    let vat = Scratch::default().vat_with(&ENDLESS);
    let bad = vat.install("bad", HANGS, &[]);
    vat.install("good", "() => 'fine'", &[]);
    let message = vat.queue("bad", "\"hang\"");
    let first = vat.wait_for_running(&bad);
    kill(first);
    while vat.deaths("bad") == 0 {}
    // It runs once more, in a fresh process.
    while vat.wait_for_running(&bad) == first {}
    vat.kill();
    vat.start();
    assert_eq!(vat.deaths("bad"), 1);
    kill(vat.wait_for_running(&bad));
    vat.wait_for_turn(1);
    let turn = vat.journal().remove(0);
    assert!(message.contains(&turn.message.expect("a message").to_string()), "{message}");
    assert_eq!(turn.error.expect("an error").message, "the interpreter died on it 2 times: killed by signal 9");
    vat.kill();
    vat.start();
    assert_eq!(vat.deaths("bad"), 2);
    assert_eq!((vat.result("good", "null"), vat.result("bad", "1")), ("fine".into(), 1.into()));
    let (own, shared) = (vat.process(Some(&bad)).expect("its own"), vat.process(None).expect("the shared one"));
    assert_ne!(own, shared, "an offender is one after a restart, too");
}

#[test]
fn under_isolation_accounts_have_processes_of_their_own_and_a_few_are_kept() {
    let vat = Scratch::default().vat_with(&[("isolation", "\"account\""), ("processes", "2")]);
    let qrids = ["a", "b", "c"].map(|name| vat.install(name, HANGS, &[]));
    let pids: Vec<_> = ["a", "b"]
        .into_iter()
        .zip(&qrids)
        .map(|(name, qrid)| {
            assert_eq!(vat.result(name, "1"), 1);
            vat.process(Some(qrid)).expect("a process of its own")
        })
        .collect();
    assert_ne!(pids[0], pids[1]);
    assert_eq!(vat.result("a", "2"), 2);
    assert_eq!(vat.process(Some(&qrids[0])), Some(pids[0]), "it is kept");
    assert_eq!(vat.process(None), None, "nobody shares");
    assert_eq!(vat.result("c", "3"), 3);
    assert_eq!(vat.process(Some(&qrids[1])), None, "what ran longest ago made room");
    assert_eq!(vat.process(Some(&qrids[0])), Some(pids[0]));
    assert_eq!(vat.info()["worker"]["processes"].as_array().map(Vec::len), Some(2));
    assert_eq!(vat.info()["worker"]["deaths"], 0);
}

#[test]
fn under_isolation_a_process_that_ran_two_accounts_runs_no_other_turn() {
    let vat = Scratch::default().vat_with(&[("isolation", "\"account\"")]);
    let caller = vat.install("caller", CALLER, &[]);
    let callee = vat.install("callee", HANGS, &[]);
    let own = "function (args, power) {
        if (!power.memory.child) power.memory.child = power.make_object('() => 7');
        return power.memory.child.call(null);
    }";
    let maker = vat.install("maker", own, &[]);
    assert_eq!(vat.result("maker", "null"), 7);
    let before = vat.process(Some(&maker)).expect("a process");
    assert_eq!(vat.result("maker", "null"), 7);
    assert_eq!(vat.process(Some(&maker)), Some(before), "an account may call itself");

    let call = format!(r#"{{"callee": {}, "pass": 1}}"#, reference(&callee));
    let plain = format!(r#"{{"callee": {}, "pass": 1}}"#, reference(&caller));
    let error = vat.send("caller", &plain)["error"].as_str().expect("it calls itself with nothing to call").to_owned();
    let before = vat.process(Some(&caller)).expect("a process");
    assert_eq!(vat.result("caller", &call), 1);
    assert_eq!(vat.send("caller", &plain)["error"], error.as_str());
    let after = vat.process(Some(&caller)).expect("another process");
    assert_ne!(after, before, "it ran code of another account");
    vat.send("caller", &plain);
    assert_eq!(vat.process(Some(&caller)), Some(after));
    assert_eq!(vat.info()["worker"]["deaths"], 0, "nobody was to blame");
}

#[test]
fn the_death_of_an_idle_process_disturbs_no_turn() {
    let mut settings = ENDLESS.to_vec();
    settings.push(("isolation", "\"account\""));
    let vat = Scratch::default().vat_with(&settings);
    let idle = vat.install("idle", "() => 'idle'", &[]);
    let busy = vat.install("busy", HANGS, &[]);
    assert_eq!(vat.result("idle", "null"), "idle");
    let bystander = vat.process(Some(&idle)).expect("a process");
    vat.queue("busy", "\"hang\"");
    let running = vat.wait_for_running(&busy);
    kill(bystander);
    while vat.info()["worker"]["deaths"] == 0 {}
    assert_eq!(vat.wait_for_running(&busy), running, "the turn goes on where it was");
    assert_eq!(["idle", "busy"].map(|name| vat.deaths(name)), [0, 0], "and nobody is blamed");
    assert_eq!(vat.process(Some(&idle)), None);
    let inbox = vat.qrt("inbox", &["--json"]).json();
    assert_eq!(inbox[0]["deaths"], 0);
}

#[test]
fn who_asks_for_something_in_a_turn_called_back_while_another_account_runs_spoils_nobody() {
    let settings = [("isolation", "\"account\""), ("ticks", "1000000000"), ("wall_ms", "30000")];
    let vat = Scratch::default().vat_with(&settings);
    let callee = vat.install("callee", "() => 1", &[]);
    // Its first turn is long; those behind it ask for an object.
    let code = "function (args, power) {
        power.memory.turns = (power.memory.turns || 0) + 1;
        if (args.long) { for (let n = 0; n < 10000000; n++); return 'long'; }
        return args.callee.call(null);
    }";
    vat.install("other", "function () { for (let n = 0; n < 10000000; n++); return 1; }", &[]);
    let asker = vat.install("asker", code, &[]);
    let ask = format!(r#"{{"callee": {}}}"#, reference(&callee));
    vat.queue("asker", r#"{"long": true}"#);
    vat.queue("asker", &ask);
    vat.wait_for_running(&asker);
    vat.queue("other", "null");
    // The long turn is stale now: it and those behind it, which run by then, are called back.
    vat.qrt("memory-set", &["asker", "by-hand", "1"]).ok();
    vat.wait_for_turn(4);
    let journal = vat.journal();
    assert!(journal.iter().all(|turn| turn.error.is_none()), "{journal:?}");
    assert_eq!(vat.deaths("asker"), 0);
    assert_eq!(vat.info()["worker"]["deaths"], 0);
}

#[test]
fn a_process_is_replaced_after_its_turns_and_no_turn_suffers() {
    let vat = Scratch::default().vat_with(&[("worker.turns", "10")]);
    let counter = "function (n, power) { return power.memory.n = (power.memory.n || 0) + 1; }";
    let qrid = vat.install("counter", counter, &[]);
    let starter = "function (args, power) { for (let n = 0; n < 100; n++) power.counter.sendOnly(n); }";
    vat.install("starter", starter, &["--power", &format!(r#"{{"counter": {}}}"#, reference(&qrid))]);
    let before = vat.process(None).expect("a process");
    vat.result("starter", "null");
    vat.wait_for_turn(101);
    let journal = vat.journal();
    assert_eq!(journal.len(), 101);
    for (turn, count) in journal[1..].iter().zip(1..) {
        assert_eq!(turn.result.get(), count.to_string());
    }
    assert_ne!(vat.process(None), Some(before));
    assert_eq!(vat.info()["worker"]["deaths"], 0);
    let log = std::fs::read_to_string(vat.dir().join("qrtd.log")).expect("the log");
    let started = log.lines().filter(|line| line.contains("the worker is replaced")).count();
    assert!(started >= 9, "ten turns each: {started}");
}

#[test]
fn the_cage_is_required_unless_a_setting_says_otherwise_and_then_info_says_so() {
    let caged = Scratch::default().vat();
    let open = Scratch::default().vat_with(&[("sandbox", "\"unsafe-none\"")]);
    for (vat, on) in [(&caged, true), (&open, false)] {
        vat.install("object", "() => 1", &[]);
        assert_eq!(vat.result("object", "null"), 1);
        let info = vat.info();
        assert_eq!(info["worker"]["sandbox"]["seccomp"], on);
        assert_eq!(vat.qrt("info", &[]).ok().contains("NONE"), !on);
        let pid = info["worker"]["pid"].as_u64().expect("a process");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let filters = if on { "Seccomp:\t2" } else { "Seccomp:\t0" };
        assert!(status.lines().any(|line| line == filters), "{status}");
        assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    }
}
