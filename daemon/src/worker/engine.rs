//! The engine with its realm, usable in any process: what runs turns and checks code.
//!
//! [`Engine`] knows nothing of pipes or cages. Between turns it keeps texts of code and their
//! compiled factories, and nothing of what a turn saw.
#![expect(unsafe_code, reason = "making and freeing the engine's runtime and context, and a clock")]

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rquickjs::qjs;

use super::budget::{Meter, metered_runtime};
use super::check;
use super::js::{Ctx, Js, Val, stack_pointer};
use super::kept::Kept;
use super::realm::Realm;
use super::turn::Turn;
use crate::page::Published;
use crate::protocol::{CodeError, CodeNumber, Delivery, Handle, Image, MemoryHandle, Page, Report, Verdict, Wanted};

/// The stack that object code may use, in bytes.
pub const CODE_STACK_BYTES: usize = 2 << 20;

/// The stack a thread that runs an engine needs: the code's, the parsers' and the packer's.
pub const STACK_BYTES: usize = 32 << 20;

/// The version of the engine whose intrinsics were looked through, and which was attacked: a test holds the inventory
/// to it. Another is another sandbox until somebody has looked.
pub const KNOWN_VERSION: &str = "0.16.2";

/// The version of the engine, as it says.
pub fn version() -> &'static str {
    super::js::version()
}

/// The stack the engine's parser may use, whatever the code that asked has left.
const PARSER_STACK_BYTES: usize = 1 << 20;

/// What the engine may hold on to between turns, in bytes, before it is due for replacement.
const WORN_BYTES: usize = 192 << 20;

/// Texts found good that are remembered, in bytes.
const CHECKED_BYTES_MAX: usize = 4 << 20;

/// What remembering a text takes besides its bytes.
const CHECKED_ENTRY_BYTES: usize = 64;

/// Where images come from that a turn calls, and properties of Memories it uses.
pub trait Loader {
    /// The image of `object` for the turn `delivery`, or why it cannot be called. Any code it names
    /// has been given to `codes` when this returns.
    fn load(&mut self, delivery: u64, object: Handle, codes: &Codes) -> Result<Box<Image>, String>;
    /// What the turn `delivery` wants of a Memory that was given to it by key.
    fn ask(&mut self, delivery: u64, memory: MemoryHandle, wanted: Wanted, codes: &Codes) -> Page;
}

/// The texts of code that images name, and what they were compiled to.
#[derive(Default)]
pub struct Codes(RefCell<HashMap<CodeNumber, Code>>);

struct Code {
    text: Rc<str>,
    factory: Option<Val>,
}

impl Codes {
    /// Takes in a text under its number.
    pub fn add(&self, number: CodeNumber, text: String) {
        self.0.borrow_mut().insert(number, Code { text: text.into(), factory: None });
    }
}

/// What turns and natives share.
pub(super) struct Shared {
    pub(super) ctx: Ctx,
    pub(super) realm: Realm,
    pub(super) meter: Box<Meter>,
    codes: Codes,
    /// Numbers of the texts that turns gave new objects and called at once, counted down.
    made_codes: RefCell<HashMap<Rc<str>, CodeNumber>>,
    loader: RefCell<Box<dyn Loader>>,
    /// Where it says what it runs.
    pub(super) page: Published,
    kept: RefCell<Kept>,
    /// Texts found good, and their bytes.
    checked: RefCell<(HashSet<String>, usize)>,
    stack_top: Cell<usize>,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// libc refused the first allocations.
    #[error("the engine could not be started: out of memory")]
    Memory,
    /// The lockdown threw, which no input can cause.
    #[error("the realm could not be built: {0}")]
    Realm(String),
}

/// The engine.
pub struct Engine {
    shared: Option<Rc<Shared>>,
    runtime: *mut qjs::JSRuntime,
    spent: bool,
}

impl Engine {
    /// An engine for this thread, whose stack has [`STACK_BYTES`]. It says on `page` what it runs.
    pub fn new(loader: Box<dyn Loader>, page: Published) -> Result<Self, Error> {
        let meter = Box::new(Meter::new());
        let runtime = metered_runtime(&meter);
        if runtime.is_null() {
            return Err(Error::Memory);
        }
        // SAFETY: the runtime is fresh; the context is freed in `drop`, after all values.
        let raw = unsafe { qjs::JS_NewContext(runtime) };
        if raw.is_null() {
            return Err(Error::Memory);
        }
        let ctx = Ctx(raw);
        ctx.begin_stack();
        ctx.set_stack_bytes(CODE_STACK_BYTES);
        ctx.track_rejections();
        let realm = Realm::new(ctx).map_err(|_| {
            let error = ctx.take_exception();
            let message = error.own_data("message").ok().flatten().and_then(|text| text.text().ok());
            Error::Realm(message.and_then(Result::ok).unwrap_or_default())
        })?;
        while ctx.run_job().is_some() {}
        ctx.collect_garbage();
        let shared = Shared {
            ctx,
            realm,
            meter,
            codes: Codes::default(),
            made_codes: RefCell::default(),
            loader: RefCell::new(loader),
            page,
            kept: RefCell::default(),
            checked: RefCell::default(),
            stack_top: Cell::new(stack_pointer()),
        };
        Ok(Self { shared: Some(Rc::new(shared)), runtime, spent: false })
    }

    fn shared(&self) -> &Rc<Shared> {
        // Taken only by `drop`.
        self.shared.as_ref().unwrap_or_else(|| unreachable!("the engine is in use"))
    }

    /// The texts of code.
    pub fn codes(&self) -> &Codes {
        &self.shared().codes
    }

    /// Has `on_tick` called now and then while code runs.
    pub fn on_tick(&self, on_tick: impl Fn() + 'static) {
        self.shared().meter.on_tick(Box::new(on_tick));
    }

    /// Whether this engine must run nothing more: a turn was cut off in it, or it holds too much.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Runs one turn.
    pub fn run(&mut self, delivery: &Delivery) -> Report {
        let started_us = cpu_us();
        let shared = Rc::clone(self.shared());
        shared.begin_stack();
        shared.page.begin(delivery.delivery, delivery.target.object);
        shared.meter.begin(delivery.budget.memory_bytes, delivery.budget.ticks);
        let turn = Rc::new(Turn::new(Rc::clone(&shared), delivery));
        let mut target = delivery.target.clone();
        shared.take_in(delivery.delivery, &mut target);
        let report = Rc::clone(&turn).run(target, &delivery.args);
        for left in turn.left_memories() {
            shared.kept.borrow_mut().leave(delivery.delivery, left);
        }
        drop(turn);
        shared.meter.end();
        if shared.meter.in_use() > WORN_BYTES {
            shared.ctx.collect_garbage();
            self.spent |= shared.meter.in_use() > WORN_BYTES;
        }
        shared.page.end();
        // A killed turn may leave jobs, and an engine that ran out of memory in who knows which place.
        self.spent |= matches!(report.verdict, Verdict::Killed { .. });
        Report { cpu_us: cpu_us().saturating_sub(started_us), ..report }
    }

    /// The text of the function that `code` evaluates to, by the engine.
    #[cfg(test)]
    pub(super) fn evaluated(&mut self, number: CodeNumber, code: &str) -> Result<String, CodeError> {
        let shared = self.shared();
        shared.begin_stack();
        shared.codes.add(number, code.to_owned());
        let factory = shared.factory(number)?;
        let text = shared.fresh_function(&factory).and_then(|function| shared.realm.source_of(&function));
        text.map_err(|_| check::refusal("", 0, 0, "it is no function"))
    }

    /// Runs `walk` as the host with the global object, the prototypes of all classes, its own names for
    /// code, and a factory of `code`.
    #[cfg(test)]
    pub(super) fn host_walk(&mut self, walk: &str, code: &str) -> (String, String, f64) {
        let shared = self.shared();
        shared.begin_stack();
        let script = |text: &str| {
            let text = std::ffi::CString::new(text).expect("no zero");
            shared.ctx.run_script(&text, c"host").expect("a script")
        };
        let prototypes = shared.ctx.array().expect("an array");
        for (index, prototype) in shared.ctx.class_prototypes().into_iter().enumerate() {
            prototypes.define_index(u32::try_from(index).expect("few"), prototype).expect("an item");
        }
        let code = script(&format!("globalThis => ({code})"));
        let told = script(walk)
            .call(&shared.ctx.undefined(), &[&shared.ctx.global(), &prototypes, &shared.realm.mirror, &code]);
        let told = told.unwrap_or_else(|_| panic!("{:?}", shared.realm.describe(&shared.ctx.take_exception())));
        let item = |index: &str| told.own_data(index).ok().flatten().expect("an item");
        let text = |index| item(index).text().ok().and_then(Result::ok).expect("text");
        let count = match item("2").kind() {
            super::js::Kind::Int(count) => f64::from(count),
            other => panic!("a count, not {other:?}"),
        };
        (text("0"), text("1"), count)
    }

    /// Says whether `code` is code that an object can have.
    pub fn check(&mut self, code: &str) -> Result<(), CodeError> {
        self.shared().begin_stack();
        self.shared().check(code)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let ctx = shared.ctx;
        let Ok(Shared { realm, codes, meter, .. }) = Rc::try_unwrap(shared).map_err(drop) else { return };
        drop((realm, codes));
        // SAFETY: no value is left; the meter outlives the runtime.
        unsafe {
            qjs::JS_FreeContext(ctx.0);
            qjs::JS_FreeRuntime(self.runtime);
        }
        drop(meter);
    }
}

impl Shared {
    fn begin_stack(&self) {
        self.ctx.begin_stack();
        self.ctx.set_stack_bytes(CODE_STACK_BYTES);
        self.stack_top.set(stack_pointer());
    }

    /// What object code has left of the stack, in bytes.
    pub(super) fn stack_left(&self) -> usize {
        CODE_STACK_BYTES.saturating_sub(self.stack_top.get().saturating_sub(stack_pointer()))
    }

    /// Runs `parse` with room on the stack for the engine's parser.
    fn with_parser_stack<T>(&self, parse: impl FnOnce() -> T) -> T {
        let used = self.stack_top.get().saturating_sub(stack_pointer());
        self.ctx.set_stack_bytes(used + PARSER_STACK_BYTES);
        let parsed = parse();
        self.ctx.set_stack_bytes(CODE_STACK_BYTES);
        parsed
    }

    /// Checks a text without keeping anything of it but that it is good.
    pub(super) fn check(&self, code: &str) -> Result<(), CodeError> {
        if self.checked.borrow().0.contains(code) {
            return Ok(());
        }
        let no_room = || check::refusal("", 0, 0, "no memory is left to read the code");
        let compiler = self.ctx.compiler().ok_or_else(no_room)?;
        let module = self.with_parser_stack(|| check::compile(compiler, code, 0, |error| self.stack_text(error)));
        let checked = module.map(drop);
        compiler.drop_compiler();
        checked?;
        let (known, bytes) = &mut *self.checked.borrow_mut();
        *bytes += code.len() + CHECKED_ENTRY_BYTES;
        if *bytes > CHECKED_BYTES_MAX {
            known.clear();
            *bytes = code.len() + CHECKED_ENTRY_BYTES;
        }
        known.insert(code.to_owned());
        Ok(())
    }

    fn stack_text(&self, error: &Val) -> Option<String> {
        self.realm.stack(error).ok().flatten()
    }

    /// The factory of a code: given a `globalThis` it makes a fresh function.
    pub(super) fn factory(&self, number: CodeNumber) -> Result<Val, CodeError> {
        let text = match self.codes.0.borrow().get(&number) {
            Some(Code { factory: Some(factory), .. }) => return Ok(factory.clone()),
            Some(code) => Rc::clone(&code.text),
            None => return Err(check::refusal("", 0, 0, "the code was never sent to the worker")),
        };
        let compiled =
            self.with_parser_stack(|| check::compile(self.ctx, &text, number, |error| self.stack_text(error)))?;
        let failed = |what| {
            drop(self.ctx.take_exception());
            check::refusal("", 0, 0, what)
        };
        let factory = self.ctx.run_module(compiled.module).map_err(|_| failed("the code could not be prepared"))?;
        let function = self.fresh_function(&factory).and_then(|function| self.realm.source_of(&function));
        if function.map_err(|_| failed("the code could not be prepared"))? != compiled.function {
            return Err(check::refusal("", 0, 0, "two parsers disagree on where the function begins and ends"));
        }
        if let Some(code) = self.codes.0.borrow_mut().get_mut(&number) {
            code.factory = Some(factory.clone());
        }
        Ok(factory)
    }

    /// A function of that factory, with a `globalThis` of its own.
    pub(super) fn fresh_function(&self, factory: &Val) -> Js<Val> {
        let globals = self.ctx.object_with(&self.realm.mirror)?;
        factory.call(&self.ctx.undefined(), &[&globals])
    }

    pub(super) fn code_text(&self, number: CodeNumber) -> Option<Rc<str>> {
        self.codes.0.borrow().get(&number).map(|code| Rc::clone(&code.text))
    }

    /// A number for the code of an object that the running turn made: the daemon has none for it yet.
    pub(super) fn made_code(&self, text: &str) -> CodeNumber {
        let mut numbers = self.made_codes.borrow_mut();
        if let Some(number) = numbers.get(text) {
            return *number;
        }
        let number = CodeNumber::MAX - CodeNumber::try_from(numbers.len()).unwrap_or(0);
        numbers.insert(text.into(), number);
        self.codes.add(number, text.to_owned());
        number
    }

    /// Asks for the image of an object.
    pub(super) fn load(&self, delivery: u64, object: Handle) -> Result<Box<Image>, String> {
        let mut image = self.loader.borrow_mut().load(delivery, object, &self.codes)?;
        self.take_in(delivery, &mut image);
        Ok(image)
    }

    /// Asks for properties of a Memory.
    pub(super) fn ask(&self, delivery: u64, memory: MemoryHandle, wanted: Wanted) -> Page {
        self.loader.borrow_mut().ask(delivery, memory, wanted, &self.codes)
    }

    fn take_in(&self, delivery: u64, image: &mut Image) {
        if let Some(memory) = &mut image.memory {
            self.kept.borrow_mut().take_in(delivery, memory);
        }
    }
}

/// The CPU time this thread has used, in microseconds.
fn cpu_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Not rustix, which looks for the vDSO at its first call, when the cage may be shut.
    // SAFETY: `time` is valid for the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1000
}
