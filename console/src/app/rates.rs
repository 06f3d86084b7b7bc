//! What the vat did lately, second by second.

use std::collections::VecDeque;

use qrt_shared::view::Totals;

/// Seconds that are remembered.
const SECONDS: usize = 300;

/// Samples of totals, one a second, and what they say of each second.
#[derive(Debug, Default)]
pub struct Rates {
    last: Option<(u64, Totals)>,
    seconds: VecDeque<Totals>,
}

impl Rates {
    /// Takes a sample; called once a second.
    pub fn sample(&mut self, now: u64, totals: Totals) {
        let Some((at, before)) = self.last.replace((now, totals)) else { return };
        let passed_ms = now.saturating_sub(at).max(1);
        // Totals count from the daemon's start: less than before means another daemon.
        let per_second = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now) * 1000 / passed_ms;
        self.seconds.push_back(Totals {
            turns: per_second(totals.turns, before.turns),
            failed: per_second(totals.failed, before.failed),
            ticks: per_second(totals.ticks, before.ticks),
            cpu_us: per_second(totals.cpu_us, before.cpu_us),
            commits: per_second(totals.commits, before.commits),
            received: per_second(totals.received, before.received),
            sent: per_second(totals.sent, before.sent),
            acknowledged: per_second(totals.acknowledged, before.acknowledged),
            attempts: per_second(totals.attempts, before.attempts),
            attempts_failed: per_second(totals.attempts_failed, before.attempts_failed),
        });
        while self.seconds.len() > SECONDS {
            self.seconds.pop_front();
        }
    }

    /// The last second.
    pub fn now(&self) -> Totals {
        self.seconds.back().copied().unwrap_or_default()
    }

    /// One figure of each of the last `count` seconds, oldest first.
    pub fn history(&self, count: usize, of: impl Fn(&Totals) -> u64) -> Vec<u64> {
        self.seconds.iter().skip(self.seconds.len().saturating_sub(count)).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_daemon_counts_from_nothing() {
        let mut rates = Rates::default();
        let turns = |turns| Totals { turns, ..Totals::default() };
        rates.sample(0, turns(100));
        rates.sample(2000, turns(300));
        assert_eq!(rates.now().turns, 100);
        rates.sample(3000, turns(7));
        assert_eq!(rates.history(9, |second| second.turns), [100, 7]);
    }
}
