//! One turn: one message to one object, everything it calls, and its promise jobs.
//!
//! A [`Turn`] lives from the delivery to the report and takes all its values with it. Each call of
//! an object gets a fresh closure from the code's factory; what a call can change is the turn's
//! lists of effects and the objects that stand for Memories.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::check;
use super::engine::Shared;
use super::js::{Call, Ctx, ErrorKind, Identity, Js, Kind, Thrown, Val};
use super::kept::{Entries, Left};
use super::large::Large;
use super::pack::{self, Mode, Packer, Refusal};
use super::unpack::unpack;
use super::{change, natives};
use crate::protocol::{
    Budget, CodeError, Content, Delivery, Handle, Image, Limit, Made, MadeMemory, Memory, MemoryChange, MemoryHandle,
    Native, Page, Report, Sent, Used, Verdict, Wanted,
};

/// What a `call` must find left of the stack, so that a callee is not stopped half way by a caller
/// that used it up.
const CALL_STACK_BYTES: usize = 128 << 10;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Turn>>> = const { RefCell::new(None) };
}

/// A turn.
pub(super) struct Turn {
    pub(super) shared: Rc<Shared>,
    number: u64,
    target: Handle,
    pub(super) budget: Budget,
    pub(super) clock_ms: u64,
    pub(super) seed: [u8; 32],
    pub(super) first_made: Handle,
    pub(super) clock_used: Cell<bool>,
    pub(super) random_used: Cell<bool>,
    pub(super) random_at: Cell<u64>,
    spent_bytes: Cell<u64>,
    jobs: Cell<u32>,
    pub(super) made: RefCell<Vec<Made>>,
    pub(super) sent: RefCell<Vec<Sent>>,
    pub(super) log: RefCell<Vec<String>>,
    references: RefCell<HashMap<Handle, Val>>,
    objects: RefCell<HashMap<Handle, Result<Rc<Loaded>, String>>>,
    memories: RefCell<Vec<Slot>>,
    /// What it leaves in its Memories, if it commits.
    left: RefCell<Vec<Left>>,
    committed: Cell<bool>,
    natives: RefCell<HashMap<Identity, Native>>,
    running: RefCell<Vec<Rc<Loaded>>>,
    /// The outermost function has returned: promise jobs run.
    in_jobs: Cell<bool>,
    rejections: RefCell<Vec<(Val, Val)>>,
    /// The exception that last left an object, and the innermost object it left.
    origin: RefCell<Option<(Val, Handle)>>,
}

/// An object as this turn knows it.
struct Loaded {
    image: Image,
    power: RefCell<Option<Val>>,
}

/// A Memory in use: the live object and what it came with.
struct Slot {
    memory: MemoryHandle,
    owner: Handle,
    object: Val,
    came: Came,
}

/// What a Memory came with.
#[derive(Clone)]
enum Came {
    /// The texts of all properties.
    Whole(Rc<Entries>),
    /// What was fetched since.
    Large(Rc<Large>),
}

/// The turn that runs on this thread.
pub(super) fn current(ctx: Ctx) -> Js<Rc<Turn>> {
    CURRENT.with_borrow(Clone::clone).ok_or_else(|| ctx.throw(ErrorKind::Internal, "no turn is running"))
}

/// The engine's news of a promise that was rejected without a handler, or that got one later.
pub(super) fn rejection(promise: Val, reason: Val, is_handled: bool) {
    let Some(turn) = CURRENT.with_borrow(Clone::clone) else { return };
    let mut rejections = turn.rejections.borrow_mut();
    if is_handled {
        rejections.retain(|(other, _)| !other.is_same(&promise));
    } else {
        rejections.push((promise, reason));
    }
}

/// `o.call(args)`: runs another object of this vat, now.
pub(super) fn call(call: &Call, target: &Val, args: &Val, what: &str) -> Js<Val> {
    let turn = current(call.ctx)?;
    turn.alive()?;
    let Some(handle) = turn.handle(target) else {
        return Err(call.ctx.throw(ErrorKind::Type, &format!("{what} takes a Reference")));
    };
    let levels_max = turn.budget.calls;
    if turn.levels() >= usize::try_from(levels_max).unwrap_or(usize::MAX) {
        return Err(turn.kill(Limit::Calls, &format!("more than {levels_max} levels of call in one turn")));
    }
    if turn.shared.stack_left() < CALL_STACK_BYTES {
        return Err(turn.kill(Limit::Calls, &format!("a call with less than {CALL_STACK_BYTES} bytes of stack left")));
    }
    let loaded = turn.load(handle).map_err(|why| call.ctx.throw(ErrorKind::Type, &format!("call: {why}")))?;
    turn.call_object(&loaded, args).map_err(|thrown| {
        let error = turn.ctx().take_exception();
        if !turn.shared.meter.is_killed() && is_stack_overflow(&error) {
            turn.shared.meter.kill(Limit::Calls, "the stack overflowed in a called object");
        }
        drop(thrown);
        turn.ctx().rethrow(error)
    })
}

/// Whether this is the engine's error for a stack used up. Code can make one that looks the same,
/// which kills its own turn, as a real one would.
fn is_stack_overflow(error: &Val) -> bool {
    error.is_error()
        && matches!(error.own_data("message"), Ok(Some(message)) if message.kind() == Kind::String
            && matches!(message.text(), Ok(Ok(text)) if text == "Maximum call stack size exceeded"))
}

impl Turn {
    pub(super) fn new(shared: Rc<Shared>, delivery: &Delivery) -> Self {
        Self {
            shared,
            number: delivery.delivery,
            target: delivery.target.object,
            budget: delivery.budget,
            clock_ms: delivery.clock_ms,
            seed: delivery.seed,
            first_made: delivery.first_made,
            clock_used: Cell::new(false),
            random_used: Cell::new(false),
            random_at: Cell::new(0),
            spent_bytes: Cell::new(0),
            jobs: Cell::new(0),
            made: RefCell::default(),
            sent: RefCell::default(),
            log: RefCell::default(),
            references: RefCell::default(),
            objects: RefCell::default(),
            memories: RefCell::default(),
            left: RefCell::default(),
            committed: Cell::new(false),
            natives: RefCell::default(),
            running: RefCell::default(),
            in_jobs: Cell::new(false),
            rejections: RefCell::default(),
            origin: RefCell::default(),
        }
    }

    fn ctx(&self) -> Ctx {
        self.shared.ctx
    }

    /// What the turn left in its Memories: nothing new, unless it commits.
    pub(super) fn left_memories(&self) -> Vec<Left> {
        let left = self.left.take();
        if self.committed.get() { left } else { Vec::new() }
    }

    /// The object whose code runs: in a promise job, the turn's own.
    pub(super) fn innermost(&self) -> Handle {
        self.running.borrow().last().map_or(self.target, |loaded| loaded.image.object)
    }

    /// How many calls are nested now. The outermost function, which a promise job has not on the
    /// stack, is none.
    fn levels(&self) -> usize {
        self.running.borrow().len().saturating_sub(usize::from(!self.in_jobs.get()))
    }

    /// Runs the whole turn.
    pub(super) fn run(self: Rc<Self>, target: Image, args: &str) -> Report {
        CURRENT.set(Some(Rc::clone(&self)));
        let outcome = self.outermost(target, args);
        self.in_jobs.set(true);
        let left_over = self.run_jobs();
        let outcome = outcome.and_then(|result| match left_over {
            Some(error) => Err(error),
            None => self.finish(&result),
        });
        CURRENT.set(None);
        let (verdict, memories) = match (self.shared.meter.killed(), outcome) {
            (Some((limit, message)), _) => (Verdict::Killed { limit, message }, Vec::new()),
            (None, Err(error)) => (Verdict::Error(error), Vec::new()),
            (None, Ok((verdict, memories))) => (verdict, memories),
        };
        let committed = matches!(verdict, Verdict::Ok { .. });
        self.committed.set(committed);
        let count = |list: usize| u32::try_from(list).unwrap_or(u32::MAX);
        let used = Used {
            bytes: self.spent_bytes.get(),
            messages: count(self.sent.borrow().len()),
            objects: count(self.made.borrow().len()),
            jobs: self.jobs.get(),
        };
        Report {
            verdict,
            memories,
            made: if committed { self.made.take() } else { Vec::new() },
            sent: if committed { self.sent.take() } else { Vec::new() },
            log: self.log.take(),
            ticks: self.shared.meter.ticks(),
            cpu_us: 0,
            used,
            clock_used: self.clock_used.get(),
            random_used: self.random_used.get(),
        }
    }

    fn outermost(&self, target: Image, args: &str) -> Result<Val, CodeError> {
        let loaded = Rc::new(Loaded { image: target, power: RefCell::default() });
        self.objects.borrow_mut().insert(loaded.image.object, Ok(Rc::clone(&loaded)));
        // Code that does not compile is the object's error, with its place.
        if let Err(error) = self.shared.factory(loaded.image.code) {
            return Err(CodeError { object: Some(self.target), ..error });
        }
        let result = self.unpack(args).and_then(|args| self.call_object(&loaded, &args));
        result.map_err(|Thrown| self.pending_error())
    }

    /// Runs promise jobs until none is left; gives the first thing that went wrong in them.
    fn run_jobs(&self) -> Option<CodeError> {
        let mut first = None;
        // After a limit was hit nothing more runs: the worker is replaced, with the jobs it has left.
        while !self.shared.meter.is_killed() && self.ctx().has_job() {
            let jobs = self.jobs.get() + 1;
            self.jobs.set(jobs);
            if jobs > self.budget.jobs {
                let message = format!("more than {} promise jobs in one turn", self.budget.jobs);
                self.shared.meter.kill(Limit::Jobs, message);
                break;
            }
            if let Some(Err(Thrown)) = self.ctx().run_job() {
                let error = self.pending_error();
                first.get_or_insert(error);
            }
        }
        let rejections = self.rejections.take();
        first.or_else(|| {
            rejections.first().map(|(_, reason)| {
                let error = self.code_error(reason);
                CodeError { message: format!("{} (in a promise nobody handled)", error.message), ..error }
            })
        })
    }

    /// Takes the memories' changes and the result.
    fn finish(&self, result: &Val) -> Result<(Verdict, Vec<MemoryChange>), CodeError> {
        let mut changes = Vec::new();
        // By number: packing one may look at another.
        let count = self.memories.borrow().len();
        for at in 0..count {
            let slot = self
                .memories
                .borrow()
                .get(at)
                .map(|slot| (slot.memory, slot.owner, slot.object.clone(), slot.came.clone()));
            if let Some((memory, owner, object, came)) = slot {
                changes.extend(self.memory_change(memory, owner, &object, &came)?);
            }
        }
        let plain = &self.shared.realm.plain;
        let (result, result_error) = match pack::pack(plain, Mode::Copy, "result", result, self.left()) {
            Err(Refusal::NotQjson { message, .. }) => ("null".to_owned(), Some(cut(message))),
            packed => match self.packed(packed).and_then(|packed| self.charge(packed.size_bytes).map(|()| packed.text))
            {
                Ok(text) => (text, None),
                Err(Thrown) => return Err(self.pending_error()),
            },
        };
        Ok((Verdict::Ok { result, result_error }, changes))
    }

    fn memory_change(
        &self,
        memory: MemoryHandle,
        owner: Handle,
        object: &Val,
        came: &Came,
    ) -> Result<Option<MemoryChange>, CodeError> {
        let before = match came {
            Came::Whole(entries) => entries.iter().map(|(key, text)| key.len() + text.len() + 4).sum(),
            Came::Large(large) => large.bytes(),
        };
        let limit = before.saturating_add(self.left());
        let plain = &self.shared.realm.plain;
        let packed = match came {
            Came::Whole(_) => Packer::entries_of(plain, Mode::Memory, "memory", object, limit),
            Came::Large(large) => Packer::entries_of_shadow(plain, "memory", object, &large.shadow(), limit),
        };
        let after = match packed {
            Err(Refusal::NotQjson { message, .. }) => {
                let message = cut(format!("TypeError: {message}"));
                let object = self.blamed(owner);
                return Err(CodeError { message, object, line: 0, column: 0, excerpt: String::new() });
            }
            packed => self.packed(packed).map_err(|Thrown| self.pending_error())?,
        };
        if let Some(index) = self.made_index(memory) {
            let bytes = after.iter().map(|(key, text)| key.len() + text.len()).sum();
            self.charge(bytes).map_err(|Thrown| self.pending_error())?;
            if let Some(made) = self.made.borrow_mut().get_mut(index) {
                made.memory = MadeMemory::New(after);
            }
            return Ok(None);
        }
        let change = match came {
            Came::Whole(entries) => {
                self.left.borrow_mut().push(Left::Whole(memory, after.clone()));
                change::difference(memory, entries, after)
            }
            Came::Large(large) => {
                let change = large.change(after);
                self.left.borrow_mut().extend(change.clone().map(Left::Changed));
                change
            }
        };
        if let Some(change) = &change {
            let bytes = change.set.iter().map(|(key, text)| key.len() + text.len()).sum();
            self.charge(bytes).map_err(|Thrown| self.pending_error())?;
        }
        Ok(change)
    }

    /// Calls an object: a fresh closure, a fresh `globalThis`.
    fn call_object(&self, loaded: &Rc<Loaded>, args: &Val) -> Js<Val> {
        // Before anything of it is compiled or read: that may be what the process dies of.
        self.shared.page.innermost(loaded.image.object);
        let result = self.call_loaded(loaded, args);
        self.shared.page.innermost(self.innermost());
        result
    }

    fn call_loaded(&self, loaded: &Rc<Loaded>, args: &Val) -> Js<Val> {
        let ctx = self.ctx();
        let factory = self.shared.factory(loaded.image.code).map_err(|error| check::throw(ctx, &error))?;
        let function = self.shared.fresh_function(&factory)?;
        let power = self.power(loaded)?;
        self.running.borrow_mut().push(Rc::clone(loaded));
        let result = function.call(&ctx.undefined(), &[args, &power]);
        self.running.borrow_mut().pop();
        result.map_err(|Thrown| {
            let error = ctx.take_exception();
            let mut origin = self.origin.borrow_mut();
            if !matches!(&*origin, Some((known, _)) if known.is_same(&error)) {
                *origin = Some((error.clone(), loaded.image.object));
            }
            ctx.rethrow(error)
        })
    }

    /// The object's power: made at its first call in the turn, the same at each later one.
    fn power(&self, loaded: &Loaded) -> Js<Val> {
        if let Some(power) = &*loaded.power.borrow() {
            return Ok(power.clone());
        }
        let ctx = self.ctx();
        let image = &loaded.image;
        let power = if image.power.statics.is_empty() { ctx.object()? } else { self.unpack(&image.power.statics)? };
        self.shared.realm.deep_freeze_children(&power)?;
        // A handle is a row's number, far below 2^53.
        #[expect(clippy::cast_precision_loss, reason = "row numbers are exact as doubles")]
        let owner = ctx.number(image.object as f64);
        for (name, native) in &image.power.natives {
            let (function, length) = match native {
                Native::MakeObject => (natives::Native::MakeObject, 2),
                Native::MakeAccount => (natives::Native::MakeAccount, 2),
                Native::Clock => (natives::Native::Clock, 0),
                Native::Random => (natives::Native::Random, 1),
                Native::Log => (natives::Native::Log, 0),
            };
            let function = ctx.function(function, native.name(), length, &[&owner])?;
            function.freeze()?;
            self.natives.borrow_mut().insert(function.identity(), *native);
            power.define_named(name, function)?;
        }
        if let Some(memory) = &image.memory {
            power.define_named("memory", self.memory(image.object, memory)?)?;
        }
        power.freeze()?;
        *loaded.power.borrow_mut() = Some(power.clone());
        Ok(power)
    }

    fn memory(&self, owner: Handle, memory: &Memory) -> Js<Val> {
        if let Some(slot) = self.memories.borrow().iter().find(|slot| slot.memory == memory.memory) {
            return Ok(slot.object.clone());
        }
        let (object, came) = match &memory.content {
            Content::Whole(entries) => {
                let properties = entries.iter().map(|(key, text)| (key.as_str(), text.as_str()));
                (self.unpack(&qrt_shared::qjson::join_object(properties))?, Came::Whole(Rc::new(entries.clone())))
            }
            Content::ByKey { known, .. } => {
                let large = Large::new(memory.memory, self.ctx().object()?, known.clone());
                let number = self.memories.borrow().len() as u64;
                (self.shared.realm.large_memory(self.ctx(), number)?, Came::Large(Rc::new(large)))
            }
            Content::AsLeft => return Err(self.ctx().throw(ErrorKind::Internal, "a memory that nobody filled in")),
        };
        let slot = Slot { memory: memory.memory, owner, object: object.clone(), came };
        self.memories.borrow_mut().push(slot);
        Ok(object)
    }

    /// The large Memory that `object` stands for.
    pub(super) fn large(&self, object: &Val) -> Option<Rc<Large>> {
        let number = usize::try_from(self.shared.realm.plain.large_memory(object)?).ok()?;
        match self.memories.borrow().get(number)? {
            Slot { came: Came::Large(large), object: known, .. } if known.is_same(object) => Some(Rc::clone(large)),
            _ => None,
        }
    }

    /// Asks for properties of a large Memory.
    pub(super) fn ask(&self, memory: MemoryHandle, wanted: Wanted) -> Js<Page> {
        self.alive()?;
        Ok(self.shared.ask(self.number, memory, wanted))
    }

    fn load(&self, object: Handle) -> Result<Rc<Loaded>, String> {
        if let Some(known) = self.objects.borrow().get(&object) {
            return known.clone();
        }
        let answer = match self.made_index(object) {
            Some(index) => Ok(self.made_image(object, index)?),
            None => self.shared.load(self.number, object).map(|image| *image),
        };
        let loaded = answer.map(|image| Rc::new(Loaded { image, power: RefCell::default() }));
        self.objects.borrow_mut().insert(object, loaded.clone());
        loaded
    }

    /// Which of the objects that this turn has made `handle` is, or whose Memory it is.
    fn made_index(&self, handle: u64) -> Option<usize> {
        handle.checked_sub(self.first_made).and_then(|index| usize::try_from(index).ok())
    }

    /// An object that this turn has made, as the daemon would give it. Its own new Memory has the
    /// object's handle until the turn is through.
    fn made_image(&self, object: Handle, index: usize) -> Result<Image, String> {
        let made = self.made.borrow();
        let Made { maker, code, power, memory, .. } = made.get(index).ok_or("no such object")?;
        let memory = match memory {
            MadeMemory::None => None,
            MadeMemory::Makers => match self.objects.borrow().get(maker) {
                Some(Ok(maker)) => maker.image.memory.clone(),
                _ => None,
            },
            MadeMemory::New(entries) => Some(Memory { memory: object, content: Content::Whole(entries.clone()) }),
        };
        Ok(Image { object, code: self.shared.made_code(code), power: power.clone(), memory })
    }

    /// The object that an error names: one made by a turn that fails never was.
    fn blamed(&self, object: Handle) -> Option<Handle> {
        self.made_index(object).is_none().then_some(object)
    }

    pub(super) fn unpack(&self, text: &str) -> Js<Val> {
        unpack(self.ctx(), text, &mut |handle| self.reference(handle))
    }

    /// The one Reference that stands for `handle` in this turn.
    pub(super) fn reference(&self, handle: Handle) -> Js<Val> {
        if let Some(reference) = self.references.borrow().get(&handle) {
            return Ok(reference.clone());
        }
        let reference = self.shared.realm.reference(self.ctx(), handle)?;
        self.references.borrow_mut().insert(handle, reference.clone());
        Ok(reference)
    }

    /// The handle that `value` stands for, if it is a Reference.
    pub(super) fn handle(&self, value: &Val) -> Option<Handle> {
        self.shared.realm.plain.handle(value)
    }

    /// The native power that `value` is, if it is one.
    pub(super) fn native(&self, value: &Val) -> Option<Native> {
        self.natives.borrow().get(&value.identity()).copied()
    }

    /// Whether `value` is the very Memory of `object`.
    pub(super) fn is_memory_of(&self, object: Handle, value: &Val) -> bool {
        let objects = self.objects.borrow();
        let Some(Ok(loaded)) = objects.get(&object) else { return false };
        let Some(memory) = &loaded.image.memory else { return false };
        self.memories.borrow().iter().any(|slot| slot.memory == memory.memory && slot.object.is_same(value))
    }

    /// Whether the object that runs holds the power to log; in a promise job, the turn's target.
    pub(super) fn holds_log(&self) -> bool {
        let holds = |loaded: &Loaded| loaded.image.power.natives.iter().any(|(_, native)| *native == Native::Log);
        if let Some(loaded) = self.running.borrow().last() {
            return holds(loaded);
        }
        matches!(self.objects.borrow().get(&self.target), Some(Ok(loaded)) if holds(loaded))
    }

    /// Throws if the turn has hit a limit: nothing it does counts any more.
    pub(super) fn alive(&self) -> Js<()> {
        if self.shared.meter.is_killed() { Err(self.ctx().throw_uncatchable("the turn is over")) } else { Ok(()) }
    }

    /// Ends the turn as killed.
    pub(super) fn kill(&self, limit: Limit, message: &str) -> Thrown {
        self.shared.meter.kill(limit, message);
        self.ctx().throw_uncatchable(message)
    }

    /// Bytes the turn may still write, send, make, log and return.
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.budget.bytes.saturating_sub(self.spent_bytes.get())).unwrap_or(usize::MAX)
    }

    /// Takes `bytes` from what is left, or ends the turn.
    pub(super) fn charge(&self, bytes: usize) -> Js<()> {
        let spent = self.spent_bytes.get().saturating_add(bytes as u64);
        self.spent_bytes.set(spent);
        if spent > self.budget.bytes { Err(self.out_of_bytes()) } else { Ok(()) }
    }

    fn out_of_bytes(&self) -> Thrown {
        self.kill(Limit::Bytes, &format!("more than {} bytes of values in one turn", self.budget.bytes))
    }

    /// Turns a refusal into the exception that code sees.
    pub(super) fn packed<T>(&self, packed: Result<T, Refusal>) -> Js<T> {
        packed.map_err(|refusal| match refusal {
            Refusal::NotQjson { kind, message } => self.ctx().throw(kind, &message),
            Refusal::TooLarge => self.out_of_bytes(),
            Refusal::Thrown => Thrown,
        })
    }

    fn pending_error(&self) -> CodeError {
        let error = self.ctx().take_exception();
        self.code_error(&error)
    }

    /// What was thrown, with its place in the source of the object it came from.
    fn code_error(&self, thrown: &Val) -> CodeError {
        let realm = &self.shared.realm;
        let object = match &*self.origin.borrow() {
            Some((known, object)) if known.is_same(thrown) => *object,
            _ => self.target,
        };
        let message = realm.describe(thrown).unwrap_or_else(|Thrown| {
            drop(self.ctx().take_exception());
            "an error that cannot be described".to_owned()
        });
        let stack = if thrown.is_error() { realm.stack(thrown).ok().flatten() } else { None };
        let number = match self.objects.borrow().get(&object) {
            Some(Ok(loaded)) => Some(loaded.image.code),
            _ => None,
        };
        let place = number.zip(stack).and_then(|(number, stack)| check::place_in(&stack, number));
        let (line, column) = place.unwrap_or((0, 0));
        let code = number.and_then(|number| self.shared.code_text(number));
        let excerpt = code.map(|code| check::excerpt(&code, line, column)).unwrap_or_default();
        CodeError { message: cut(message), object: self.blamed(object), line, column, excerpt }
    }
}

/// The most bytes of an error's message that leave the turn: code chooses them, people read them.
const MESSAGE_BYTES_MAX: usize = 2000;

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push_str("...");
    }
    message
}
