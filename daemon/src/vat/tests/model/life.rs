//! The daemon's life around its turns: what it is asked, its commits, its ends, its workers' ends.

use super::oracle::Fault;
use super::program::Ask;
use super::run::{Run, What};
use super::worker::Said;
use crate::protocol::Handle;
use crate::vat::lane::Lane;
use crate::vat::{Death, Input};

impl Run {
    /// The operator asks for something; whether it was anything new.
    pub(super) fn ask(&mut self) -> bool {
        let again = if self.dice.one_in(3) { self.again.pop() } else { None };
        let new = again.is_none();
        let under_way = self.flights.iter().filter(|flight| !flight.void).take(2);
        let busy: Vec<Handle> =
            under_way.flat_map(|flight| flight.loads.iter().chain([&flight.way.1])).copied().collect();
        let ask = again.unwrap_or_else(|| self.operator.ask(&self.model, &busy));
        self.put(ask);
        new
    }

    pub(super) fn put(&mut self, ask: Ask) {
        self.tickets += 1;
        // What it names may have gone with a daemon that never told anybody.
        let Some(input) = self.machine.request(self.tickets, &ask) else { return };
        let seen = self.machine.step(input, self.now_ms, true);
        assert!(seen.turn.is_none() && seen.order.is_none(), "an ask runs no turn");
        let (turns, before) = (self.model.turns.len(), self.model.before.len());
        let refused = match &ask {
            Ask::Retry(fault) => self.model.faults.get(fault).is_some_and(Fault::is_refused),
            Ask::Send { to, .. } => self.model.objects.contains_key(to),
            _ => false,
        };
        let mut heard = self.model.ask(&ask, self.now_ms);
        self.model.step_ends();
        let edits = matches!(ask, Ask::Upgrade { .. } | Ask::Remove { .. } | Ask::MemorySet { .. } | Ask::Hold { .. });
        let answer = heard.pop().expect("an answer");
        self.hit(match (&ask, answer.as_str()) {
            (Ask::Send { .. }, "refused") if refused => "operator's message refused",
            (Ask::Retry(_), "refused") if refused => "refused message has no room again",
            (_, "refused") => "ask refused",
            (Ask::Send { .. }, answer) if answer.ends_with("true") => "key used again",
            (Ask::Remove { .. }, _) => "object removed",
            (Ask::Hold { .. }, _) => "object held or released",
            (Ask::Retry(_), _) if refused => "refused message retried",
            (Ask::Retry(_), _) => "fault retried",
            (Ask::Drop(_), _) => "fault dropped",
            (Ask::Send { .. }, _) => "message sent",
            _ => "other ask",
        });
        if self.model.turns.len() > turns && self.flights.iter().any(|flight| !flight.void) {
            self.hit("edit with turns in flight");
        }
        self.resized(before);
        self.touch(edits);
        self.expected.extend(heard);
        self.expected.push(format!("{} {answer}", self.tickets));
        self.open.insert(self.tickets, ask.clone());
        self.remember(What::Asked(ask), seen.drawn);
        self.steps_since_commit += 1;
    }

    /// Commits; everything that may be seen then is seen, and is what was expected.
    pub(super) fn commit(&mut self) {
        let let_out = self.machine.commit();
        self.committed = self.model.clone();
        self.history_committed = self.history.len();
        assert_eq!(let_out, std::mem::take(&mut self.expected), "what a commit lets out");
        for line in let_out {
            let mut words = line.split(' ');
            let (first, second, third) = (words.next(), words.next(), words.next());
            let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok()).expect("a number");
            if first == Some("ended") {
                let message = number(second);
                let told = self.machine.awaited(message);
                let ended = !matches!(told.as_str(), "queued" | "unknown");
                assert_eq!(ended, self.model.outcomes.contains_key(&message), "message {message} has ended: {told}");
                self.told.insert(message, told);
                continue;
            }
            self.open.remove(&number(first));
            // A retried message may be an object's, whose end nobody can ask for.
            if second == Some("queued") {
                let message = number(third);
                self.told.entry(message).or_insert_with(|| "queued".to_owned());
            }
        }
        self.steps_since_commit = 0;
        self.hit("commit");
        if self.dice.one_in(4) {
            self.compare("after a commit");
        }
    }

    /// The daemon dies between two commits.
    pub(super) fn crash(&mut self) {
        if self.dice.one_in(4) {
            // In the middle of a step whose rows were not written yet.
            if let Some(Said::Done { delivery, report }) = self.workers.hear() {
                drop(self.machine.step(Input::Done { delivery, report }, self.now_ms, false));
                self.hit("daemon died in the middle of a step");
            }
        }
        self.hit(if self.steps_since_commit > 0 { "daemon died before a commit" } else { "daemon died at rest" });
        self.reopen();
    }

    /// The daemon dies after a commit and before it told anybody, or takes the commit for failed.
    pub(super) fn commit_lost(&mut self) {
        if self.steps_since_commit > 0 {
            drop(self.machine.commit());
            self.committed = self.model.clone();
            self.history_committed = self.history.len();
            self.hit("daemon died after a commit");
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        let kill = self.dice.one_in(2);
        self.machine.crash(kill);
        if kill {
            self.hit("daemon killed, files as they lay");
        }
        self.shy.clear();
        self.model = self.committed.clone();
        self.history.truncate(self.history_committed);
        self.expected.clear();
        self.workers.clear();
        self.flights.clear();
        (self.unanswered, self.next_delivery, self.lane, self.condemned) = (0, 0, Lane::Shared, false);
        self.steps_since_commit = 0;
        for ask in std::mem::take(&mut self.open).into_values() {
            let keyed = matches!(ask, Ask::Send { key: Some(_), .. });
            if keyed || self.dice.one_in(2) {
                self.hit("ask repeated");
                self.again.push(ask);
            }
        }
        self.compare("after the daemon's end");
        for (message, told) in self.told.clone() {
            let now = self.machine.awaited(message);
            let kept = self.model.outcomes.contains_key(&message) || self.model.queue.contains_key(&message);
            let stands = now == told || told == "queued" && now != "unknown" || now == "unknown" && !kept;
            assert!(stands, "message {message}: {told}, then {now}");
        }
    }

    pub(super) fn lose_worker(&mut self, death: Death, what: &'static str) {
        if let Some(worker) = self.workers.heard().filter(|worker| !worker.is_gone()) {
            worker.end(death);
            self.hit(what);
        }
    }

    pub(super) fn retire_worker(&mut self) {
        if let Some(worker) = self.workers.heard() {
            worker.leave();
            self.hit("worker retired");
        }
    }
}
