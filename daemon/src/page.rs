//! The page that says who runs: each worker writes it as it goes, the daemon reads it.
//!
//! One page of shared memory a worker: which delivery it runs, which object's code is innermost, and
//! since when. A dead worker cannot say these things any more, and a living one that hangs will not.
//! The daemon makes the page and hands it over as the worker's standard error, where the worker maps
//! it and lets go of the descriptor ([`Running`] is what it then publishes).
//!
//! Everything in it is the worker's word: whoever reads it believes no more than fits what the
//! daemon itself knows. The daemon never maps it. It reads it as a file, so that nothing a captured
//! worker does to its mapping can fault the daemon; the file's size is sealed all the same.
#![expect(unsafe_code, reason = "mapping memory and the monotonic clock have no safe interface")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, ftruncate, memfd_create};

use crate::protocol::{Handle, Running};

/// The page's size.
const BYTES: usize = 4096;

/// What the page holds, each a native-endian word. The order in which they are written is the order
/// in which a reader that catches the worker half way is misled least.
#[repr(C)]
struct Words {
    /// One more than the delivery that runs; 0 between turns.
    delivery: AtomicU64,
    /// The object whose code is innermost.
    object: AtomicU64,
    /// When the turn began, by the monotonic clock, in nanoseconds.
    since_ns: AtomicU64,
}

/// The daemon's side.
#[derive(Debug)]
pub struct Page {
    file: File,
}

impl Page {
    /// A new page, all zero, and the descriptor for the worker.
    ///
    /// # Errors
    /// The system has no room.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let file = memfd_create("qrtd-worker", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, BYTES as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let file = File::from(file);
        let theirs = OwnedFd::from(file.try_clone()?);
        Ok((Self { file }, theirs))
    }

    /// What the worker says it runs; `None` between turns.
    pub fn read(&self) -> Option<Running> {
        let mut bytes = [0; 24];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        let word = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
        Some(Running { delivery: word(0)?.checked_sub(1)?, object: word(8)?, since_ns: word(16)? })
    }
}

/// The worker's side: a mapping that lasts as long as the process.
pub struct Published {
    words: NonNull<Words>,
}

impl Published {
    /// Maps the page behind `descriptor`, which may be closed afterwards.
    ///
    /// # Errors
    /// It is no page of ours, or the system says no.
    pub fn map(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        if usize::try_from(fstat(descriptor)?.st_size) != Ok(BYTES) {
            return Err(io::Error::other("standard error is not the page a daemon gives its worker"));
        }
        Self::mapped(libc::MAP_SHARED, descriptor.as_fd().as_raw_fd())
    }

    /// A page that nobody reads.
    ///
    /// # Errors
    /// The system has no room.
    pub fn unread() -> io::Result<Self> {
        Self::mapped(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    fn mapped(flags: libc::c_int, descriptor: libc::c_int) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing of ours.
        let page =
            unsafe { libc::mmap(ptr::null_mut(), BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, descriptor, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let words = NonNull::new(page.cast()).ok_or_else(|| io::Error::other("a page at address 0"))?;
        Ok(Self { words })
    }

    fn words(&self) -> &Words {
        // SAFETY: the mapping is a page, aligned and zeroed, and is unmapped by `drop` alone; the
        // words are atomic, and no other process writes them.
        unsafe { self.words.as_ref() }
    }

    /// A turn begins, on `object`.
    pub fn begin(&self, delivery: u64, object: Handle) {
        let words = self.words();
        words.object.store(object, Ordering::Relaxed);
        words.since_ns.store(now_ns(), Ordering::Relaxed);
        words.delivery.store(delivery.wrapping_add(1), Ordering::Release);
    }

    /// The code that runs now is this object's.
    pub fn innermost(&self, object: Handle) {
        self.words().object.store(object, Ordering::Release);
    }

    /// The turn has ended.
    pub fn end(&self) {
        self.words().delivery.store(0, Ordering::Release);
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // SAFETY: mapped by `mapped` with this size; no reference into it is left.
        unsafe { libc::munmap(self.words.as_ptr().cast(), BYTES) };
    }
}

/// The monotonic clock, the same for every process of the machine.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Not rustix, which looks for the vDSO at its first call, when the cage may be shut.
    // SAFETY: `time` is valid for the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_reads_what_the_worker_published_last() {
        let (page, theirs) = Page::new().expect("a page");
        let published = Published::map(theirs.as_fd()).expect("a mapping");
        drop(theirs);
        assert_eq!(page.read(), None, "nothing runs yet");
        let before = now_ns();
        published.begin(0, 7);
        published.innermost(8);
        let running = page.read().expect("a turn runs");
        assert_eq!((running.delivery, running.object), (0, 8));
        assert!((before..=now_ns()).contains(&running.since_ns));
        published.end();
        assert_eq!(page.read(), None);
    }

    #[test]
    fn nobody_can_take_the_page_from_under_the_daemon() {
        let (page, theirs) = Page::new().expect("a page");
        let published = Published::map(theirs.as_fd()).expect("a mapping");
        published.begin(1, 2);
        assert!(ftruncate(&theirs, 0).is_err() && ftruncate(&theirs, 2 * BYTES as u64).is_err(), "its size is sealed");
        assert!(fcntl_add_seals(&theirs, SealFlags::WRITE).is_err(), "and so are its seals");
        // A hole in it reads as zero, which is a page on which nothing runs.
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&theirs, hole, 0, BYTES as u64).expect("a hole");
        assert_eq!(page.read(), None);
    }
}
