//! The deadline of the turn a worker runs.
//!
//! A worker handles its deliveries in order and says when each is done, so the turn it runs now
//! began after the last answer before it, or when it was given while nothing else was in hand. The
//! worker's page says when exactly, and is believed as far as that is between the watcher's last two
//! looks. Its CPU time is read from the process's own clock: a machine that stalls does not kill good
//! turns. The monotonic clock stands still while the machine sleeps.
//!
//! Counting costs the threads that give and hear turns no lock, unless a turn has deadlines of its own; the watcher looks by itself, and
//! sleeps while the worker has nothing to do.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::page::{Page, now_ns};
use crate::vat::Death;

/// How often a running turn's clocks are read, to know which turn it is; sooner when it could be over.
const EVERY: Duration = Duration::from_millis(50);

/// What the clocks are read for is not known more exactly than this.
const LEAST: Duration = Duration::from_millis(1);

/// How long a turn may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// CPU time, in milliseconds.
    pub cpu_ms: u64,
    /// Wall-clock time, in milliseconds.
    pub wall_ms: u64,
}

impl Deadlines {
    /// How long a turn that runs at `look` goes on at least before it is over: its one thread uses no more
    /// CPU time than passes.
    fn left(self, began: Began, look: Began) -> Result<Duration, Death> {
        let wall = Duration::from_nanos(look.wall_ns.saturating_sub(began.wall_ns));
        let cpu = look.cpu.saturating_sub(began.cpu);
        let clocks = [("CPU", cpu, self.cpu_ms), ("wall-clock", wall, self.wall_ms)];
        clocks.into_iter().try_fold(Duration::MAX, |least, (clock, used, limit_ms)| {
            let left = Duration::from_millis(limit_ms).checked_sub(used);
            left.map(|left| least.min(left)).ok_or(Death::Deadline { clock, limit_ms })
        })
    }
}

/// Watches one worker.
pub(super) struct Watch {
    pid: u32,
    page: Arc<Page>,
    /// The deadlines of most turns.
    deadlines: Deadlines,
    /// Those of the turns that have others, by how many were given before, in order.
    others: Mutex<VecDeque<(u64, Deadlines)>>,
    given: AtomicU64,
    done: AtomicU64,
    over: AtomicBool,
    /// The watcher sleeps until there is a turn; else it looks again by itself.
    asleep: AtomicBool,
    watcher: OnceLock<Thread>,
}

/// When a turn began, by both clocks.
#[derive(Debug, Clone, Copy)]
struct Began {
    /// How many turns were done before it.
    after: u64,
    wall_ns: u64,
    cpu: Duration,
}

impl Watch {
    /// Starts watching process `pid`; `kill` ends it with its reason.
    pub(super) fn start(
        pid: u32,
        page: Arc<Page>,
        deadlines: Deadlines,
        kill: impl Fn(Death) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let watch = Arc::new(Self::of(pid, page, deadlines));
        let watching = Arc::clone(&watch);
        let run = move || watching.watch(kill);
        let watcher = thread::Builder::new().name(format!("watch-{pid}")).spawn(run)?;
        watch.watcher.set(watcher.thread().clone()).ok();
        Ok(watch)
    }

    fn of(pid: u32, page: Arc<Page>, deadlines: Deadlines) -> Self {
        Self {
            pid,
            page,
            deadlines,
            others: Mutex::new(VecDeque::new()),
            given: AtomicU64::new(0),
            done: AtomicU64::new(0),
            over: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            watcher: OnceLock::new(),
        }
    }

    /// The worker was given turns with these deadlines.
    pub(super) fn given(&self, turns: &[Deadlines]) {
        let before = self.given.load(SeqCst);
        for (deadlines, number) in turns.iter().zip(before..).filter(|(deadlines, _)| **deadlines != self.deadlines) {
            self.others().push_back((number, *deadlines));
        }
        self.given.fetch_add(turns.len() as u64, SeqCst);
        if self.asleep.swap(false, SeqCst) {
            self.wake();
        }
    }

    /// It has ended so many.
    pub(super) fn done(&self, turns: u64) {
        self.done.fetch_add(turns, SeqCst);
    }

    fn others(&self) -> MutexGuard<'_, VecDeque<(u64, Deadlines)>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The deadlines of the turn that runs when so many are done.
    fn deadlines_after(&self, done: u64) -> Deadlines {
        let mut others = self.others();
        while others.front().is_some_and(|(number, _)| *number < done) {
            others.pop_front();
        }
        others.front().filter(|(number, _)| *number == done).map_or(self.deadlines, |(_, deadlines)| *deadlines)
    }

    /// It is gone.
    pub(super) fn over(&self) {
        self.over.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.unpark();
        }
    }

    /// Whether it has answered all it was given.
    pub(super) fn is_idle(&self) -> bool {
        self.done.load(SeqCst) >= self.given.load(SeqCst)
    }

    fn watch(&self, kill: impl Fn(Death)) {
        let mut turn: Option<Began> = None;
        let mut last_look = Began { after: 0, wall_ns: now_ns(), cpu: Duration::ZERO };
        while !self.over.load(SeqCst) {
            if self.is_idle() {
                self.asleep.store(true, SeqCst);
                // Looked at again: whoever gives a turn from now on sees that the watcher sleeps.
                if self.is_idle() && !self.over.load(SeqCst) {
                    thread::park();
                }
                self.asleep.store(false, SeqCst);
                turn = None;
                continue;
            }
            let after = self.done.load(SeqCst);
            let look = Began { after, wall_ns: now_ns(), cpu: cpu_time(self.pid).unwrap_or_default() };
            let began = match turn {
                Some(began) if began.after == after => began,
                Some(_) => self.began(last_look, look),
                None => look,
            };
            (turn, last_look) = (Some(began), look);
            match self.deadlines_after(after).left(began, look) {
                Ok(left) => thread::park_timeout(left.clamp(LEAST, EVERY)),
                Err(overrun) => return kill(overrun),
            }
        }
    }

    /// When the turn began that runs at `look` and did not at `last`: when the page says, if that is
    /// between the two. What it used of the CPU until now is no more than the time since.
    fn began(&self, last: Began, look: Began) -> Began {
        let since = self.page.read().map(|running| running.since_ns);
        let Some(wall_ns) = since.filter(|since| (last.wall_ns..=look.wall_ns).contains(since)) else { return look };
        let used = Duration::from_nanos(look.wall_ns - wall_ns);
        Began { wall_ns, cpu: look.cpu.saturating_sub(used).max(last.cpu), ..look }
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
    use std::os::fd::AsFd;

    use super::*;
    use crate::page::Published;

    #[test]
    fn a_process_that_spins_uses_cpu_time() {
        let before = cpu_time(std::process::id()).expect("our own clock");
        let mut sum = 0_u64;
        while cpu_time(std::process::id()).expect("our own clock").saturating_sub(before) < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }

    #[test]
    fn a_turn_that_has_deadlines_of_its_own_is_held_to_those_and_its_neighbours_are_not() {
        let (page, _) = Page::new().expect("a page");
        let (most, own) = (Deadlines { cpu_ms: 100, wall_ms: 100 }, Deadlines { cpu_ms: 1, wall_ms: 7 });
        let watch = Watch::of(std::process::id(), Arc::new(page), most);
        watch.given(&[most, own]);
        watch.given(&[most, most, own]);
        let held: Vec<_> = [0, 1, 2, 4, 5].iter().map(|done| watch.deadlines_after(*done) == own).collect();
        assert_eq!(held, [false, true, false, true, false]);
    }

    #[test]
    fn the_next_look_is_when_the_turn_could_be_over_by_either_clock() {
        let at =
            |wall_ms: u64, cpu_ms| Began { after: 0, wall_ns: wall_ms * 1_000_000, cpu: Duration::from_millis(cpu_ms) };
        let deadlines = Deadlines { cpu_ms: 1000, wall_ms: 3000 };
        let left = |look| deadlines.left(at(500, 70), look);
        assert_eq!(left(at(600, 170)), Ok(Duration::from_millis(900)));
        assert_eq!(left(at(3400, 270)), Ok(Duration::from_millis(100)));
        assert_eq!(left(at(1600, 1070)), Ok(Duration::ZERO), "all of it may be used");
        assert_eq!(left(at(1600, 1071)), Err(Death::Deadline { clock: "CPU", limit_ms: 1000 }));
        assert_eq!(left(at(3501, 170)), Err(Death::Deadline { clock: "wall-clock", limit_ms: 3000 }));
    }

    #[test]
    fn the_page_is_believed_only_between_the_last_two_looks() {
        let (page, theirs) = Page::new().expect("a page");
        let published = Published::map(theirs.as_fd()).expect("a mapping");
        let deadlines = Deadlines { cpu_ms: 1, wall_ms: 1 };
        let watch = Watch::of(std::process::id(), Arc::new(page), deadlines);
        published.begin(1, 1);
        let since = watch.page.read().expect("a turn runs").since_ns;
        let look = |wall_ns, cpu_ms| Began { after: 1, wall_ns, cpu: Duration::from_millis(cpu_ms) };
        let second = 1_000_000_000;
        for (last, now, began) in [
            (since - second, since + second, since),
            (since + 1, since + second, since + second),
            (since - second, since - 1, since - 1),
        ] {
            assert_eq!(watch.began(look(last, 100), look(now, 5100)).wall_ns, began);
        }
        let began = watch.began(look(since - second, 100), look(since + second, 5100));
        assert_eq!(began.cpu, Duration::from_millis(4100), "it used no more than the time since");
        let began = watch.began(look(since - second, 100), look(since + second, 500));
        assert_eq!(began.cpu, Duration::from_millis(100), "nor more than since the last look");
    }
}
