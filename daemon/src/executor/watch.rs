//! The deadline of the turn a worker runs.
//!
//! A worker handles its deliveries in order and says when each is done, so the turn it runs now
//! began when the one before it was done, or when it was given while nothing else was in hand. Its
//! CPU time is read from the process's own clock: a machine that stalls does not kill good turns.
//! The monotonic clock stands still while the machine sleeps.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::vat::Death;

/// How often a running turn's clocks are read. A turn may run over by so much.
const EVERY: Duration = Duration::from_millis(50);

/// How long a turn may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Wall-clock time, in milliseconds.
    pub wall_ms: u64,
}

/// Watches one worker.
pub(super) struct Watch {
    pid: u32,
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    in_hand: u64,
    since: Instant,
    cpu_since: Duration,
    /// The watcher sleeps until there is a turn; else it looks again by itself.
    asleep: bool,
    over: bool,
}

impl State {
    /// A turn begins now.
    fn begin(&mut self) {
        self.since = Instant::now();
        // Read lazily: the watcher notes the CPU clock when it first sees this turn.
        self.cpu_since = Duration::MAX;
    }
}

impl Watch {
    /// Starts watching process `pid`; `kill` ends it with its reason.
    pub(super) fn start(
        pid: u32,
        deadlines: Deadlines,
        kill: impl Fn(Death) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let state = State { in_hand: 0, since: Instant::now(), cpu_since: Duration::ZERO, asleep: false, over: false };
        let watch = Arc::new(Self { pid, state: Mutex::new(state), news: Condvar::new() });
        let watching = Arc::clone(&watch);
        let run = move || watching.watch(deadlines, kill);
        thread::Builder::new().name(format!("watch-{pid}")).spawn(run)?;
        Ok(watch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker was given so many turns.
    pub(super) fn given(&self, turns: u64) {
        let mut state = self.state();
        state.in_hand += turns;
        if state.in_hand == turns {
            state.begin();
            if state.asleep {
                self.news.notify_one();
            }
        }
    }

    /// It has ended one.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.in_hand = state.in_hand.saturating_sub(1);
        state.begin();
    }

    /// It is gone.
    pub(super) fn over(&self) {
        self.state().over = true;
        self.news.notify_one();
    }

    fn watch(&self, deadlines: Deadlines, kill: impl Fn(Death)) {
        let mut state = self.state();
        while !state.over {
            if state.in_hand == 0 {
                state.asleep = true;
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.asleep = false;
                continue;
            }
            let (now, cpu) = (Instant::now(), cpu_time(self.pid).unwrap_or_default());
            if state.cpu_since == Duration::MAX {
                state.cpu_since = cpu;
            }
            let wall_ms = now.duration_since(state.since).as_millis();
            let cpu_ms = cpu.saturating_sub(state.cpu_since).as_millis();
            let overrun = [("CPU", cpu_ms, deadlines.cpu_ms), ("wall-clock", wall_ms, deadlines.wall_ms)];
            if let Some((clock, _, limit_ms)) = overrun.into_iter().find(|(_, used, limit)| *used > u128::from(*limit))
            {
                drop(state);
                kill(Death::Deadline { clock, limit_ms });
                return;
            }
            state = self.news.wait_timeout(state, EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The CPU time process `pid` has used.
fn cpu_time(pid: u32) -> io::Result<Duration> {
    // What clock_getcpuclockid(3) computes: the process's scheduler clock.
    const CPUCLOCK_SCHED: libc::clockid_t = 2;
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let clock = (!pid << 3) | CPUCLOCK_SCHED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "rustix has no clock of another process")]
    // SAFETY: `time` is a timespec that lives through the call; any clock id may be asked for.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).map_err(io::Error::other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_spins_uses_cpu_time() {
        let before = cpu_time(std::process::id()).expect("our own clock");
        let mut sum = 0_u64;
        while cpu_time(std::process::id()).expect("our own clock").saturating_sub(before) < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
