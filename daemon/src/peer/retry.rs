//! When a peer is tried next: a schedule, given the time and random numbers.
//!
//! Full jitter: after the n-th failure in a row the wait is anything up to `base * 2^n`, at most the
//! cap. So peers that failed together do not come back together. A peer that answers is asked again
//! only when there is something to send, or after a day.
//!
//! The time is milliseconds of any clock, best one that never jumps. If it does jump: backwards, the
//! wait begins anew, so a peer waits at most its wait twice and never more than the cap from now;
//! forwards, the peer is due, once, and missed attempts are not made up for.

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The longest wait after one failure, in milliseconds.
    pub base_ms: u64,
    /// The longest wait ever.
    pub cap_ms: u64,
    /// How often a peer is asked where it stands when there is nothing to send.
    pub ask_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base_ms: 1_000, cap_ms: 10 * 60 * 1_000, ask_ms: 24 * 60 * 60 * 1_000 }
    }
}

/// No wait is shorter, however the dice fall: a peer that refuses at once would be hammered.
const FLOOR_MS: u64 = 50;

/// How long to wait after a failure, the `failures`-th before it having been in a row: `random` is any
/// number, `retry_after_ms` what the peer asked for, which is honoured up to the cap.
pub fn wait_ms(policy: &Policy, failures: u32, random: u64, retry_after_ms: Option<u64>) -> u64 {
    let limit_ms = policy.base_ms.saturating_mul(1 << failures.min(32)).min(policy.cap_ms);
    let asked_ms = retry_after_ms.unwrap_or(0).min(policy.cap_ms);
    below(random, limit_ms).max(FLOOR_MS.min(policy.cap_ms)).max(asked_ms)
}

/// When one peer is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Failures in a row.
    failures: u32,
    wait: Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The next attempt may be made.
    Due,
    /// Not before this is over.
    For { since_ms: u64, wait_ms: u64 },
}

impl Schedule {
    /// A peer that is due: at the start of the daemon, or when it becomes known.
    pub fn new() -> Self {
        Self { failures: 0, wait: Wait::Due }
    }

    /// How long it still has to wait; 0: it is due. The caller looks again at the latest then.
    pub fn remaining_ms(&mut self, now_ms: u64) -> u64 {
        let Wait::For { since_ms, wait_ms } = &mut self.wait else { return 0 };
        let Some(passed_ms) = now_ms.checked_sub(*since_ms) else {
            // The clock went back. What has passed is unknown.
            *since_ms = now_ms;
            return *wait_ms;
        };
        wait_ms.saturating_sub(passed_ms)
    }

    /// An attempt was answered with an ack.
    pub fn succeeded(&mut self, policy: &Policy, now_ms: u64) {
        *self = Self { failures: 0, wait: Wait::For { since_ms: now_ms, wait_ms: policy.ask_ms } };
    }

    /// An attempt failed. `random` is any number; `retry_after_ms` is what the peer asked for, which is
    /// honoured up to the cap.
    pub fn failed(&mut self, policy: &Policy, now_ms: u64, random: u64, retry_after_ms: Option<u64>) {
        let wait_ms = wait_ms(policy, self.failures, random, retry_after_ms);
        self.failures = self.failures.saturating_add(1);
        self.wait = Wait::For { since_ms: now_ms, wait_ms };
    }

    /// There is something to send. It makes a peer due, unless it is failing: then it waits with the
    /// others, or a busy vat would hammer a dead one.
    pub fn message(&mut self) {
        if self.failures == 0 {
            self.wait = Wait::Due;
        }
    }

    /// An operator wants it tried now.
    pub fn retry(&mut self) {
        self.wait = Wait::Due;
    }

    /// The peer was heard of: it is alive, so a long wait makes no sense any more.
    pub fn heard(&mut self, policy: &Policy, now_ms: u64, random: u64) {
        if self.failures == 0 {
            return;
        }
        let remaining_ms = self.remaining_ms(now_ms);
        // Not at once: a peer that talks but does not answer must not make us spin.
        let wait_ms = remaining_ms.min(below(random, policy.base_ms).max(FLOOR_MS));
        self.wait = Wait::For { since_ms: now_ms, wait_ms };
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

/// A number from 0 to `limit`, as likely as another, made from `random`.
fn below(random: u64, limit: u64) -> u64 {
    let wide = u128::from(random) * (u128::from(limit) + 1);
    u64::try_from(wide >> 64).expect("a fraction of a u64 is one")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy { base_ms: 1_000, cap_ms: 600_000, ask_ms: 86_400_000 };

    fn failed(times: u32, now_ms: u64, random: u64) -> Schedule {
        let mut schedule = Schedule::new();
        (0..times).for_each(|_| schedule.failed(&POLICY, now_ms, random, None));
        schedule
    }

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let longest: Vec<u64> = (1..13).map(|n| failed(n, 0, u64::MAX).remaining_ms(0)).collect();
        assert_eq!(longest[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(longest[9..], [512_000, 600_000, 600_000]);
        assert_eq!(failed(5_000, 0, u64::MAX).remaining_ms(0), 600_000);
    }

    #[test]
    fn waits_are_spread_evenly_and_none_is_shorter_than_the_floor() {
        assert_eq!(failed(1, 0, 0).remaining_ms(0), FLOOR_MS);
        assert_eq!(failed(4, 0, u64::MAX / 2).remaining_ms(0), 4_000);
    }

    #[test]
    fn an_answer_ends_the_backoff_and_the_peer_is_asked_again_after_a_day() {
        let mut schedule = failed(8, 0, u64::MAX);
        schedule.succeeded(&POLICY, 5);
        assert_eq!(schedule.remaining_ms(5), 86_400_000);
        schedule.message();
        assert_eq!(schedule.remaining_ms(5), 0);
        schedule.failed(&POLICY, 5, u64::MAX, None);
        assert_eq!(schedule.remaining_ms(5), 1_000);
    }

    #[test]
    fn a_new_message_does_not_hurry_a_failing_peer_but_an_operator_does() {
        let mut schedule = failed(3, 0, u64::MAX);
        schedule.message();
        assert_eq!(schedule.remaining_ms(0), 4_000);
        schedule.retry();
        assert_eq!(schedule.remaining_ms(0), 0);
        schedule.failed(&POLICY, 0, u64::MAX, None);
        assert_eq!(schedule.remaining_ms(0), 8_000, "and its backoff goes on where it was");
    }

    #[test]
    fn a_peer_that_is_heard_of_is_tried_soon_but_not_at_once() {
        let mut schedule = failed(10, 0, u64::MAX);
        schedule.heard(&POLICY, 10, u64::MAX);
        assert_eq!(schedule.remaining_ms(10), 1_000);
        schedule.heard(&POLICY, 500, u64::MAX);
        assert_eq!(schedule.remaining_ms(500), 510, "hearing more of it puts nothing off");
        let mut due = Schedule::new();
        due.heard(&POLICY, 0, u64::MAX);
        assert_eq!(due.remaining_ms(0), 0);
    }

    #[test]
    fn what_a_peer_asks_for_is_honoured_up_to_the_cap() {
        let mut schedule = Schedule::new();
        schedule.failed(&POLICY, 0, 0, Some(30_000));
        assert_eq!(schedule.remaining_ms(0), 30_000);
        schedule.failed(&POLICY, 0, 0, Some(u64::MAX));
        assert_eq!(schedule.remaining_ms(0), POLICY.cap_ms);
    }

    #[test]
    fn a_clock_that_jumps_back_ten_years_stalls_nobody() {
        let now = 400_000_000_000;
        let mut schedule = failed(1, now, u64::MAX);
        let back = now - 315_000_000_000;
        assert_eq!(schedule.remaining_ms(back), 1_000);
        assert_eq!(schedule.remaining_ms(back + 400), 600);
        assert_eq!(schedule.remaining_ms(back + 1_000), 0);
    }

    proptest! {
        #[test]
        fn however_the_clock_jumps_nobody_stalls_beyond_the_cap_or_bursts(
            clocks in proptest::collection::vec(any::<u64>(), 1..60), randoms in any::<[u64; 8]>(),
        ) {
            let mut schedule = Schedule::new();
            let mut attempts = 0;
            for (clock, random) in clocks.iter().zip(randoms.iter().cycle()) {
                let remaining = schedule.remaining_ms(*clock);
                prop_assert!(remaining <= POLICY.cap_ms);
                // Left alone, it is due when it said it would be.
                if let Some(then) = clock.checked_add(remaining) {
                    prop_assert_eq!(schedule.clone().remaining_ms(then), 0);
                }
                if remaining == 0 {
                    attempts += 1;
                    schedule.failed(&POLICY, *clock, *random, None);
                    prop_assert!(schedule.remaining_ms(*clock) >= FLOOR_MS, "one jump, one attempt");
                }
            }
            prop_assert!(attempts <= clocks.len());
        }
    }
}
