//! What a turn may use: the engine's memory, its ticks, and the ledger of the limit it hit.
//!
//! The allocator counts what the engine takes from libc and refuses what goes over the turn's
//! limit; the interrupt handler counts ticks. Both only *note* what they refuse: object code can
//! catch the error that follows, so the turn's end looks here, and a turn that hit a limit is
//! killed whatever it caught. The first limit hit is the one reported.
//!
//! What the engine never polls (some built-ins) is for the daemon's deadline, not for this.
#![expect(unsafe_code, reason = "the engine's allocator and interrupt handler are C callbacks")]
#![expect(clippy::cast_possible_truncation, reason = "C sizes: a worker is a 64-bit process")]

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr;

use rquickjs::qjs;

use crate::protocol::Limit;

/// A turn's meter. One an engine; the turn's start resets it.
pub(super) struct Meter {
    in_use: Cell<usize>,
    in_use_max: Cell<usize>,
    memory_bytes: Cell<u64>,
    refused: Cell<bool>,
    ticks: Cell<u64>,
    ticks_max: Cell<u64>,
    killed: RefCell<Option<(Limit, String)>>,
    /// What else is to be done at each tick.
    on_tick: OnceCell<Box<dyn Fn()>>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            in_use: Cell::new(0),
            in_use_max: Cell::new(usize::MAX),
            memory_bytes: Cell::new(0),
            refused: Cell::new(false),
            ticks: Cell::new(0),
            ticks_max: Cell::new(u64::MAX),
            killed: RefCell::new(None),
            on_tick: OnceCell::new(),
        }
    }

    /// A turn starts: `memory_bytes` more than now, and `ticks`.
    pub(super) fn begin(&self, memory_bytes: u64, ticks: u64) {
        let room = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        self.in_use_max.set(self.in_use.get().saturating_add(room));
        self.memory_bytes.set(memory_bytes);
        self.refused.set(false);
        self.ticks.set(0);
        self.ticks_max.set(ticks);
        *self.killed.borrow_mut() = None;
    }

    /// No turn runs: nothing is refused.
    pub(super) fn end(&self) {
        self.in_use_max.set(usize::MAX);
        self.ticks_max.set(u64::MAX);
    }

    /// Notes that the turn hit `limit`, unless it hit another before.
    pub(super) fn kill(&self, limit: Limit, message: impl Into<String>) {
        self.killed.borrow_mut().get_or_insert_with(|| (limit, message.into()));
    }

    /// Whether the turn hit a limit.
    pub(super) fn is_killed(&self) -> bool {
        self.refused.get() || self.killed.borrow().is_some()
    }

    /// The first limit the turn hit.
    pub(super) fn killed(&self) -> Option<(Limit, String)> {
        if self.refused.get() {
            self.kill(Limit::Memory, format!("more than {} bytes of memory in one turn", self.memory_bytes.get()));
        }
        self.killed.borrow().clone()
    }

    pub(super) fn ticks(&self) -> u64 {
        self.ticks.get()
    }

    /// Bytes the engine has taken from libc.
    pub(super) fn in_use(&self) -> usize {
        self.in_use.get()
    }

    fn may_take(&self, bytes: usize) -> bool {
        let fits = self.in_use.get().checked_add(bytes).is_some_and(|sum| sum <= self.in_use_max.get());
        if !fits {
            self.refused.set(true);
        }
        fits
    }

    fn took(&self, block: *mut c_void) -> *mut c_void {
        if block.is_null() {
            self.refused.set(true);
        } else {
            self.in_use.set(self.in_use.get() + usable(block));
        }
        block
    }

    fn gave_back(&self, bytes: usize) {
        self.in_use.set(self.in_use.get().saturating_sub(bytes));
    }

    /// Has `on_tick` called at each tick from now on; said once.
    pub(super) fn on_tick(&self, on_tick: Box<dyn Fn()>) {
        self.on_tick.set(on_tick).ok();
    }

    fn tick(&self) -> bool {
        if let Some(on_tick) = self.on_tick.get() {
            on_tick();
        }
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() > self.ticks_max.get() {
            self.kill(
                Limit::Ticks,
                format!("more than {} ticks of 10,000 branches and calls in one turn", self.ticks_max.get()),
            );
        }
        self.is_killed()
    }
}

/// A runtime whose memory and time `meter` counts. The meter must outlive it, at the same address.
pub(super) fn metered_runtime(meter: &Meter) -> *mut qjs::JSRuntime {
    let opaque = ptr::from_ref(meter).cast_mut().cast::<c_void>();
    let functions = qjs::JSMallocFunctions {
        js_calloc: Some(calloc),
        js_malloc: Some(malloc),
        js_free: Some(free),
        js_realloc: Some(realloc),
        js_malloc_usable_size: Some(malloc_usable_size),
    };
    // SAFETY: the engine copies the functions; `opaque` is only ever used as a `&Meter`.
    unsafe {
        let runtime = qjs::JS_NewRuntime2(&raw const functions, opaque);
        if !runtime.is_null() {
            qjs::JS_SetInterruptHandler(runtime, Some(interrupt), opaque);
        }
        runtime
    }
}

fn meter<'a>(opaque: *mut c_void) -> &'a Meter {
    // SAFETY: `metered_runtime` handed out this pointer, and its meter outlives the runtime.
    unsafe { &*opaque.cast::<Meter>() }
}

fn usable(block: *const c_void) -> usize {
    // SAFETY: every block comes from libc.
    unsafe { libc::malloc_usable_size(block.cast_mut()) }
}

unsafe extern "C" fn malloc(opaque: *mut c_void, size: qjs::size_t) -> *mut c_void {
    let meter = meter(opaque);
    if !meter.may_take(size as usize) {
        return ptr::null_mut();
    }
    // SAFETY: any size may be asked of libc.
    meter.took(unsafe { libc::malloc(size as usize) })
}

unsafe extern "C" fn calloc(opaque: *mut c_void, count: qjs::size_t, size: qjs::size_t) -> *mut c_void {
    let meter = meter(opaque);
    let (count, size) = (count as usize, size as usize);
    if !meter.may_take(count.saturating_mul(size)) {
        return ptr::null_mut();
    }
    // SAFETY: any size may be asked of libc.
    meter.took(unsafe { libc::calloc(count, size) })
}

unsafe extern "C" fn free(opaque: *mut c_void, block: *mut c_void) {
    if !block.is_null() {
        meter(opaque).gave_back(usable(block));
        // SAFETY: the block came from `malloc`, `calloc` or `realloc` here, and is freed once.
        unsafe { libc::free(block) };
    }
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: qjs::size_t) -> *mut c_void {
    let meter = meter(opaque);
    let before = if block.is_null() { 0 } else { usable(block) };
    let size = size as usize;
    if size > before && !meter.may_take(size - before) {
        return ptr::null_mut();
    }
    // SAFETY: the block, if any, came from libc; on failure it stays as it was.
    let moved = unsafe { libc::realloc(block, size) };
    if moved.is_null() && size > 0 {
        meter.refused.set(true);
        return moved;
    }
    meter.gave_back(before);
    if moved.is_null() { moved } else { meter.took(moved) }
}

unsafe extern "C" fn malloc_usable_size(block: *const c_void) -> qjs::size_t {
    usable(block) as qjs::size_t
}

unsafe extern "C" fn interrupt(_: *mut qjs::JSRuntime, opaque: *mut c_void) -> c_int {
    c_int::from(meter(opaque).tick())
}
