//! The worker process: what the system lets it do, and what it is given.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use qrt_tests::Scratch;

/// Re-runs this test program as a process that enters the worker's cage and then tries `what`.
/// How it ended: the signal that killed it, or the exit code.
fn caged(what: &str) -> Result<i32, i32> {
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "in_the_cage", "--nocapture", "--test-threads=1"])
        .env("QRT_TEST_CAGED", what)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    status.signal().map_or_else(|| Ok(status.code().expect("an exit code")), Err)
}

/// Not a test by itself: the other side of [`caged`].
#[test]
fn in_the_cage() {
    let Ok(what) = std::env::var("QRT_TEST_CAGED") else { return };
    let attempt: fn() = match what.as_str() {
        "nothing" => || {},
        "open a file" => || tried(fs::File::open("/etc/passwd")),
        "write a file" => || tried(fs::write("/tmp/qrt-escaped", "")),
        "open a socket" => || tried(std::net::UdpSocket::bind("127.0.0.1:0")),
        "connect" => || tried(std::net::TcpStream::connect("127.0.0.1:9")),
        "connect to a unix socket" => || tried(std::os::unix::net::UnixStream::connect("/tmp/none")),
        "run a program" => || tried(Command::new("/bin/true").status()),
        "start a thread" => || tried(std::thread::Builder::new().spawn(|| {}).map(std::thread::JoinHandle::join)),
        "signal its parent" => || tried(rustix::process::kill_process(parent(), rustix::process::Signal::CONT)),
        "map executable memory" => || {
            // A mapping that can be written and executed is what native code would need first.
            let (size, flags) = (4096, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            #[expect(unsafe_code, reason = "the attempt is a system call")]
            // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of ours.
            let _ = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_EXEC, flags, -1, 0) };
        },
        "tear a hole in a shared page" => || {
            let (size, flags) = (4096, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
            #[expect(unsafe_code, reason = "the attempt is a system call")]
            // SAFETY: a mapping of our own, of which nothing is used.
            let _ = unsafe {
                let page = libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ, flags, -1, 0);
                libc::madvise(page, size, libc::MADV_REMOVE)
            };
        },
        "read another descriptor" => || tried(rustix::io::read(stderr(), &mut [0_u8; 1])),
        "write another descriptor" => || tried(rustix::io::write(stderr(), b"x")),
        "learn its own path" => || tried(fs::read_link("/proc/self/exe")),
        "change its limits" => || {
            let limit = rustix::process::Rlimit { current: None, maximum: None };
            tried(rustix::process::setrlimit(rustix::process::Resource::As, limit));
        },
        "touch what is not there" => || {
            #[expect(unsafe_code, reason = "the attempt is a fault")]
            // SAFETY: none; the process ends here, which is what is looked at.
            let _ = unsafe { std::ptr::with_exposed_provenance::<u8>(8).read_volatile() };
        },
        "leave by itself" => || exit(7),
        other => panic!("no attempt is called {other}"),
    };
    qrtd::worker::sandbox::enter(qrtd::worker::Sandbox::Required).expect("the cage shuts");
    attempt();
    exit(0);
}

/// Whatever an attempt that came back gave.
fn tried<T>(_: T) {}

fn parent() -> rustix::process::Pid {
    rustix::process::Pid::from_raw(1).expect("a process id")
}

fn stderr() -> std::os::fd::BorrowedFd<'static> {
    rustix::stdio::stderr()
}

/// The only way out that the cage leaves: what runs at a normal exit needs more.
fn exit(code: i32) -> ! {
    #[expect(unsafe_code, reason = "std's way out does more than the cage allows")]
    // SAFETY: ends the process at once.
    unsafe {
        libc::_exit(code)
    }
}

#[test]
fn a_caged_process_lives_until_it_reaches_out() {
    assert_eq!(caged("nothing"), Ok(0));
    assert_eq!(caged("leave by itself"), Ok(7));
    for what in [
        "open a file",
        "write a file",
        "open a socket",
        "connect",
        "connect to a unix socket",
        "run a program",
        "start a thread",
        "signal its parent",
        "map executable memory",
        "tear a hole in a shared page",
        "read another descriptor",
        "write another descriptor",
        "learn its own path",
        "change its limits",
    ] {
        assert_eq!(caged(what), Err(libc::SIGSYS), "{what}");
    }
    assert!(!std::path::Path::new("/tmp/qrt-escaped").exists());
}

#[test]
fn a_fault_in_the_cage_is_told_from_reaching_out() {
    assert_eq!(caged("touch what is not there"), Err(libc::SIGSEGV));
}

#[test]
fn the_running_worker_has_two_pipes_no_environment_and_every_layer_on() {
    let vat = Scratch::default().vat();
    vat.install("counter", "() => 1", &[]);
    assert_eq!(vat.result("counter", "null"), 1);
    let info = vat.qrt("info", &["--json"]).json();
    let pid = info["worker"]["pid"].as_u64().expect("a worker");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of status");
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!(line("Seccomp"), "2", "a filter is on");
    assert_eq!(line("NoNewPrivs"), "1");
    assert_eq!(line("Threads"), "1");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
    let limit = |name: &str| limits.lines().find(|line| line.starts_with(name)).expect("a limit").to_owned();
    assert!(limit("Max file size").contains(" 0 "), "{limits}");
    assert!(limit("Max core file size").contains(" 0 "), "{limits}");
    assert!(!limit("Max address space").contains("unlimited"), "{limits}");
    // Only root may look into a process that is not dumpable; that it cannot be looked into is the
    // same claim.
    if let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) {
        let mut open: Vec<String> = descriptors
            .map(|entry| entry.expect("an entry").path())
            .map(|path| fs::read_link(path).expect("a link").display().to_string())
            .collect();
        open.sort_unstable();
        assert_eq!(open.len(), 3, "{open:?}");
        assert!(open[0] == "/dev/null" && open[1..].iter().all(|target| target.starts_with("pipe:")), "{open:?}");
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its mappings");
        let shared: Vec<&str> = maps.lines().filter(|line| line.contains(" rw-s ")).collect();
        assert!(matches!(shared.as_slice(), [page] if page.contains("/memfd:qrtd-worker")), "one page: {shared:?}");
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).expect("its environment"), b"");
    }
}

#[test]
fn a_worker_dies_with_its_daemon() {
    let vat = Scratch::default().vat();
    let pid = vat.qrt("info", &["--json"]).json()["worker"]["pid"].as_i64().expect("a worker");
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    let worker = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("the worker");
    vat.kill();
    let mut gone = [rustix::event::PollFd::new(&worker, rustix::event::PollFlags::IN)];
    let patience = rustix::event::Timespec::try_from(qrt_tests::PATIENCE).expect("a time");
    assert_eq!(rustix::event::poll(&mut gone, Some(&patience)).expect("poll"), 1, "no orphan is left");
}
