//! The cage of the worker process: from [`enter`] on it can compute, read standard input, write
//! standard output, and end. Nothing else, whatever runs in it.
//!
//! Several layers say the same thing, so that a hole in one is covered by the next: no descriptors
//! but the pipes, resource limits, no new privileges, landlock where the kernel has it, and a list
//! of allowed system calls. Only the last is indispensable: without it nothing is run.
#![expect(unsafe_code, reason = "prctl, close_range and the C library's time zone have no safe interface")]

use std::collections::{BTreeMap, HashSet};
use std::io;

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use serde::Deserialize;

use crate::protocol::Layers;

/// The address space of a worker: the real bound of its memory, since the engine's own count
/// leaves out what other libraries take.
const ADDRESS_SPACE_BYTES: u64 = 1 << 30;

/// What an operator asks of the cage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Without the list of system calls nothing is run.
    #[default]
    Required,
    /// Neither that list nor landlock, for a system that has them not: object code then has whatever
    /// the daemon's user has, if it breaks the engine.
    UnsafeNone,
}

impl Sandbox {
    /// The word for it in settings, and on the command line of a worker.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::UnsafeNone => "unsafe-none",
        }
    }

    /// What that word means.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Required, Self::UnsafeNone].into_iter().find(|sandbox| sandbox.as_str() == name)
    }
}

/// Why the cage could not be shut.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call of the set-up failed.
    #[error("the worker's cage could not be shut: {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The list of system calls could not be installed; a kernel without seccomp cannot run a vat.
    #[error("the worker's list of system calls could not be installed, and `[worker] sandbox` requires it: {0}")]
    Seccomp(String),
    /// The daemon died while its worker started.
    #[error("the daemon is gone")]
    Orphan,
}

/// Shuts the cage around the calling process, which should have one thread.
pub fn enter(sandbox: Sandbox) -> Result<Layers, Error> {
    // The standard library asks the system for random bytes when the first map is made.
    drop(HashSet::from([0_u8]));
    // SAFETY: plain numbers; no memory is handed over.
    system("PR_SET_DUMPABLE", unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) })?;
    close_descriptors()?;
    let_faults_kill()?;
    // SAFETY: as above.
    system("PR_SET_NO_NEW_PRIVS", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    limit_resources()?;
    if sandbox == Sandbox::UnsafeNone {
        return Ok(Layers { seccomp: false, landlock: false });
    }
    let landlock = deny_by_landlock().unwrap_or(false);
    let filter = filter()?;
    seccompiler::apply_filter_all_threads(&filter).map_err(|error| Error::Seccomp(error.to_string()))?;
    Ok(Layers { seccomp: true, landlock })
}

/// Ends the process without running anything more of it.
pub fn exit(code: i32) -> ! {
    // SAFETY: ends the process at once; `process::exit` would touch the signal stack, which the
    // cage forbids.
    unsafe { libc::_exit(code) }
}

/// Makes local time UTC, now, while the C library can still look for the zone's file.
pub fn fix_time_zone() {
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: called before any other thread exists; `out` is valid for the call.
    unsafe {
        std::env::set_var("TZ", "UTC");
        tzset();
        let mut out = std::mem::zeroed();
        libc::localtime_r(&0, &raw mut out);
    }
}

fn system(what: &'static str, status: i32) -> Result<(), Error> {
    if status == 0 { Ok(()) } else { Err(Error::System { what, source: io::Error::last_os_error() }) }
}

/// Has the system end this process with its parent, which is to be `parent`.
pub fn die_with(parent: Pid) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::System { what: "PR_SET_PDEATHSIG", source: error.into() })?;
    // A parent that died before sends no signal; the closed pipe would tell, this is sooner.
    if getppid() == Some(parent) { Ok(()) } else { Err(Error::Orphan) }
}

/// Puts nothing in the place of standard error.
pub fn silence() -> Result<(), Error> {
    let failed = |source: rustix::io::Errno| Error::System { what: "/dev/null", source: source.into() };
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty()).map_err(failed)?;
    rustix::stdio::dup2_stderr(&null).map_err(failed)
}

/// Takes away the standard library's handlers of faults, which tell of a stack that overflowed and would be
/// killed for that: a fault is to be told from a forbidden system call.
fn let_faults_kill() -> Result<(), Error> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: no handler of ours is replaced, and the default one runs no code.
        let before = unsafe { libc::signal(signal, libc::SIG_DFL) };
        system("signal", if before == libc::SIG_ERR { -1 } else { 0 })?;
    }
    Ok(())
}

fn close_descriptors() -> Result<(), Error> {
    // SAFETY: nothing in the worker owns a descriptor above standard error.
    let status = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if status == 0 {
        return Ok(());
    }
    let source = io::Error::last_os_error();
    if source.raw_os_error() != Some(libc::ENOSYS) {
        return Err(Error::System { what: "close_range", source });
    }
    // A kernel before 5.9.
    let highest = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(65536).min(65536);
    for descriptor in 3..i32::try_from(highest).unwrap_or(65536) {
        // SAFETY: as above; a descriptor that is not open is an error without consequence.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

fn deny_by_landlock() -> Result<bool, landlock::RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn limit_resources() -> Result<(), Error> {
    for (resource, limit) in [
        (Resource::As, ADDRESS_SPACE_BYTES),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .map_err(|error| Error::System { what: "setrlimit", source: error.into() })?;
    }
    Ok(())
}

/// A system call that the worker may make.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// What the system calls it.
    pub name: &'static str,
    number: i64,
    only: Only,
}

/// With which arguments. The system compares the lower half of each.
#[derive(Debug, Clone, Copy)]
enum Only {
    Any,
    /// The argument of that number is this.
    Is(u8, u32),
    /// It has none of these bits.
    Without(u8, i32),
}

impl Allowed {
    /// Whether the call may be made with these arguments.
    pub fn permits(&self, arguments: &[u64]) -> bool {
        let argument = |at: u8| arguments.get(usize::from(at)).map(|argument| argument & u64::from(u32::MAX));
        match self.only {
            Only::Any => true,
            Only::Is(at, value) => argument(at) == Some(value.into()),
            Only::Without(at, bits) => {
                argument(at).is_some_and(|argument| argument & u64::from(bits.unsigned_abs()) == 0)
            }
        }
    }

    fn rules(&self) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let (argument, operator, value) = match self.only {
            Only::Any => return Ok(Vec::new()),
            Only::Is(argument, value) => (argument, SeccompCmpOp::Eq, value.into()),
            Only::Without(argument, bits) => (argument, SeccompCmpOp::MaskedEq(bits.unsigned_abs().into()), 0),
        };
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        Ok(vec![SeccompRule::new(vec![condition])?])
    }
}

/// The system calls that a worker makes under load, and no other. `tests/tests/syscalls.rs` watches it make them.
pub const ALLOWED: [Allowed; 8] = [
    Allowed { name: "read", number: libc::SYS_read, only: Only::Is(0, 0) },
    Allowed { name: "write", number: libc::SYS_write, only: Only::Is(0, 1) },
    Allowed { name: "mmap", number: libc::SYS_mmap, only: Only::Without(2, libc::PROT_EXEC) },
    Allowed { name: "munmap", number: libc::SYS_munmap, only: Only::Any },
    Allowed { name: "mremap", number: libc::SYS_mremap, only: Only::Any },
    Allowed { name: "brk", number: libc::SYS_brk, only: Only::Any },
    Allowed { name: "clock_gettime", number: libc::SYS_clock_gettime, only: Only::Any },
    Allowed { name: "exit_group", number: libc::SYS_exit_group, only: Only::Any },
];

fn filter() -> Result<BpfProgram, Error> {
    let refuse = |error: seccompiler::BackendError| Error::Seccomp(error.to_string());
    let rules = ALLOWED.iter().map(|allowed| Ok((allowed.number, allowed.rules().map_err(refuse)?)));
    let rules = rules.collect::<Result<BTreeMap<_, _>, Error>>()?;
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(refuse)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)
        .and_then(TryInto::try_into)
        .map_err(refuse)
}
