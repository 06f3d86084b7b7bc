//! The engine's C interface with ownership put back: values that free themselves, exceptions as
//! `Err`, properties read by descriptor.
//!
//! Everything here is a thin, literal layer over `rquickjs::qjs`. It owns no policy: what code may
//! reach is decided in `realm`, what a turn may use in `budget`. No function here runs object code
//! unless its comment says so.
//!
//! A [`Ctx`] and the [`Val`]s made from it are valid until the engine that made them is dropped;
//! `engine` keeps that promise by dropping its values before the runtime.
#![expect(unsafe_code, reason = "the engine is a C library; this module is the one place that calls it")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "sizes and flags in C's types: a worker is a 64-bit process and the flags are small"
)]

mod exotic;
mod property;
mod value;

use std::ffi::{CStr, CString, c_int, c_void};
use std::{ptr, slice};

use rquickjs::qjs;

pub(super) use property::{Key, Keys, Property};
pub(super) use value::{Kind, Val};

use super::{natives, turn};

/// What the engine calls itself.
pub(super) fn version() -> &'static str {
    // SAFETY: the engine returns a constant, which ends with a zero.
    unsafe { CStr::from_ptr(qjs::JS_GetVersion()) }.to_str().unwrap_or_default()
}

/// A context of the engine: one realm.
#[derive(Clone, Copy)]
pub(super) struct Ctx(pub(super) *mut qjs::JSContext);

/// An exception is pending in the context.
#[derive(Debug)]
#[must_use]
pub(super) struct Thrown;

/// What an operation of the engine gives.
pub(super) type Js<T> = Result<T, Thrown>;

/// The kinds of error that natives throw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    Type,
    Range,
    Syntax,
    Internal,
}

/// Which of an object's own keys are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Strings,
    Symbols,
}

/// More classes than the engine has.
const CLASSES_MAX: u32 = 1024;

/// The call of a native function.
pub(super) struct Call<'a> {
    pub(super) ctx: Ctx,
    this: qjs::JSValue,
    args: &'a [qjs::JSValue],
    data: *mut qjs::JSValue,
}

impl Call<'_> {
    /// The receiver.
    pub(super) fn this(&self) -> Val {
        self.ctx.borrowed(self.this)
    }

    /// The argument at `index`, `undefined` beyond the last.
    pub(super) fn arg(&self, index: usize) -> Val {
        self.args.get(index).map_or_else(|| self.ctx.undefined(), |raw| self.ctx.borrowed(*raw))
    }

    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    /// The value at `index` of those the function was made with; the caller knows how many.
    pub(super) fn data(&self, index: usize) -> Val {
        // SAFETY: natives only ask for data they were made with (see `Ctx::function`).
        self.ctx.borrowed(unsafe { *self.data.add(index) })
    }
}

impl Ctx {
    /// Takes ownership of `raw`; an exception becomes `Err`.
    fn owned(self, raw: qjs::JSValue) -> Js<Val> {
        // SAFETY: reads the tag only.
        if unsafe { qjs::JS_IsException(raw) } { Err(Thrown) } else { Ok(Val::new(self, raw)) }
    }

    fn borrowed(self, raw: qjs::JSValue) -> Val {
        // SAFETY: `raw` is a live value lent by the engine.
        Val::new(self, unsafe { qjs::JS_DupValue(self.0, raw) })
    }

    fn runtime(self) -> *mut qjs::JSRuntime {
        // SAFETY: the context is live.
        unsafe { qjs::JS_GetRuntime(self.0) }
    }

    pub(super) fn undefined(self) -> Val {
        Val::new(self, qjs::JS_UNDEFINED)
    }

    pub(super) fn null(self) -> Val {
        Val::new(self, qjs::JS_NULL)
    }

    pub(super) fn bool(self, value: bool) -> Val {
        Val::new(self, if value { qjs::JS_TRUE } else { qjs::JS_FALSE })
    }

    pub(super) fn number(self, value: f64) -> Val {
        Val::new(self, qjs::JS_NewFloat64(value))
    }

    pub(super) fn string(self, text: &str) -> Js<Val> {
        // SAFETY: pointer and length are those of a live str.
        self.owned(unsafe { qjs::JS_NewStringLen(self.0, text.as_ptr().cast(), text.len() as _) })
    }

    /// An empty object that inherits from `Object.prototype`.
    pub(super) fn object(self) -> Js<Val> {
        // SAFETY: the context is live.
        self.owned(unsafe { qjs::JS_NewObject(self.0) })
    }

    /// An empty object that inherits from `proto`.
    pub(super) fn object_with(self, proto: &Val) -> Js<Val> {
        // SAFETY: both are live.
        self.owned(unsafe { qjs::JS_NewObjectProto(self.0, proto.raw()) })
    }

    pub(super) fn array(self) -> Js<Val> {
        // SAFETY: the context is live.
        self.owned(unsafe { qjs::JS_NewArray(self.0) })
    }

    /// A `Uint8Array` with a copy of `bytes`.
    pub(super) fn bytes(self, bytes: &[u8]) -> Js<Val> {
        // SAFETY: the engine copies the slice.
        self.owned(unsafe { qjs::JS_NewUint8ArrayCopy(self.0, bytes.as_ptr(), bytes.len() as _) })
    }

    pub(super) fn global(self) -> Val {
        // SAFETY: the context is live; the result is owned.
        Val::new(self, unsafe { qjs::JS_GetGlobalObject(self.0) })
    }

    /// The property key of that name.
    pub(super) fn key(self, name: &str) -> Js<Key> {
        Key::named(self, name)
    }

    /// Parses a JSON text; `__proto__` becomes an own property like any other.
    pub(super) fn parse_json(self, text: &str) -> Js<Val> {
        let mut buffer = Vec::with_capacity(text.len() + 1);
        buffer.extend_from_slice(text.as_bytes());
        buffer.push(0);
        // SAFETY: the engine wants, and gets, a zero after the last byte.
        self.owned(unsafe { qjs::JS_ParseJSON(self.0, buffer.as_ptr().cast(), text.len() as _, c"json".as_ptr()) })
    }

    /// Runs a script of ours and gives its completion value.
    pub(super) fn run_script(self, source: &CStr, file: &CStr) -> Js<Val> {
        let flags = (qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_STRICT) as c_int;
        let length = source.to_bytes().len();
        // SAFETY: both are zero-terminated.
        self.owned(unsafe { qjs::JS_Eval(self.0, source.as_ptr(), length as _, file.as_ptr(), flags) })
    }

    /// Compiles `source` under the module goal without running any of it; its first line is
    /// `line`.
    pub(super) fn compile_module(self, source: &str, file: &CStr, line: i32) -> Js<Val> {
        let mut buffer = Vec::with_capacity(source.len() + 1);
        buffer.extend_from_slice(source.as_bytes());
        buffer.push(0);
        let mut options = qjs::JSEvalOptions {
            version: qjs::JS_EVAL_OPTIONS_VERSION as c_int,
            eval_flags: (qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY) as c_int,
            filename: file.as_ptr(),
            line_num: line,
        };
        // SAFETY: source and file name are zero-terminated, the options outlive the call.
        self.owned(unsafe { qjs::JS_Eval2(self.0, buffer.as_ptr().cast(), source.len() as _, &raw mut options) })
    }

    /// Runs the body of a compiled module, which is object code, and gives its default export.
    pub(super) fn run_module(self, module: Val) -> Js<Val> {
        let raw = module.into_raw();
        // SAFETY: `raw` is a compiled module; the context's list of modules keeps its definition
        // alive after `JS_EvalFunction` has taken this reference.
        let namespace = unsafe {
            let definition = qjs::JS_VALUE_GET_PTR(raw).cast::<qjs::JSModuleDef>();
            drop(self.owned(qjs::JS_EvalFunction(self.0, raw))?);
            self.owned(qjs::JS_GetModuleNamespace(self.0, definition))?
        };
        let key = self.key("default")?;
        match namespace.own_property(&key)? {
            Some(property) => Ok(property.value),
            None => Err(self.throw(ErrorKind::Internal, "a module without its export")),
        }
    }

    /// A native function; `native` says which, `data` is handed to each call.
    pub(super) fn function(self, native: natives::Native, name: &str, length: u8, data: &[&Val]) -> Js<Val> {
        let name = CString::new(name).unwrap_or_default();
        let mut raw: Vec<qjs::JSValue> = data.iter().map(|val| val.raw()).collect();
        // SAFETY: the engine copies name and data; `trampoline` gets `native` back as magic.
        self.owned(unsafe {
            qjs::JS_NewCFunctionData2(
                self.0,
                Some(trampoline),
                name.as_ptr(),
                c_int::from(length),
                native as c_int,
                raw.len() as c_int,
                raw.as_mut_ptr(),
            )
        })
    }

    /// An object of class `class` that carries `number`.
    pub(super) fn opaque(self, class: u32, number: u64) -> Js<Val> {
        // SAFETY: the class is registered; the opaque "pointer" is a number that nobody follows.
        unsafe {
            let object = self.owned(qjs::JS_NewObjectClass(self.0, class as _))?;
            qjs::JS_SetOpaque(object.raw(), ptr::without_provenance_mut(number as usize));
            Ok(object)
        }
    }

    /// Registers a class without methods of its own whose objects inherit from `proto`.
    pub(super) fn register_class(self, name: &CStr, proto: Val) -> Js<u32> {
        self.register(name, proto, ptr::null_mut())
    }

    fn register(self, name: &CStr, proto: Val, exotic: *mut qjs::JSClassExoticMethods) -> Js<u32> {
        let mut class = 0;
        let definition =
            qjs::JSClassDef { class_name: name.as_ptr(), finalizer: None, gc_mark: None, call: None, exotic };
        // SAFETY: the engine copies the definition, but for `exotic`, which is static, and takes the prototype.
        unsafe {
            qjs::JS_NewClassID(self.runtime(), &raw mut class);
            checked(qjs::JS_NewClass(self.runtime(), class, &raw const definition))?;
            qjs::JS_SetClassProto(self.0, class, proto.into_raw());
        }
        Ok(class)
    }

    /// The prototypes of all classes the engine knows, also of those that no code can make an object of.
    pub(super) fn class_prototypes(self) -> Vec<Val> {
        let is_registered = |class: &u32| {
            // SAFETY: the runtime is live; the engine looks the number up.
            unsafe { qjs::JS_IsRegisteredClass(self.runtime(), *class) }
        };
        // SAFETY: the class is registered; the result is owned.
        let proto = |class| Val::new(self, unsafe { qjs::JS_GetClassProto(self.0, class) });
        (1..CLASSES_MAX).filter(is_registered).map(proto).filter(Val::is_object).collect()
    }

    /// Throws a new error of that kind.
    pub(super) fn throw(self, kind: ErrorKind, message: &str) -> Thrown {
        let text = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
        // SAFETY: the format takes exactly one string.
        unsafe {
            let format = c"%s".as_ptr();
            match kind {
                ErrorKind::Type => qjs::JS_ThrowTypeError(self.0, format, text.as_ptr()),
                ErrorKind::Range => qjs::JS_ThrowRangeError(self.0, format, text.as_ptr()),
                ErrorKind::Syntax => qjs::JS_ThrowSyntaxError(self.0, format, text.as_ptr()),
                ErrorKind::Internal => qjs::JS_ThrowInternalError(self.0, format, text.as_ptr()),
            };
        }
        Thrown
    }

    /// Throws an error that no `catch` and no `finally` of object code sees.
    pub(super) fn throw_uncatchable(self, message: &str) -> Thrown {
        let thrown = self.throw(ErrorKind::Internal, message);
        let error = self.take_exception();
        // SAFETY: `error` is live; throwing takes ownership of it.
        unsafe {
            qjs::JS_SetUncatchableError(self.0, error.raw());
            qjs::JS_Throw(self.0, error.into_raw());
        }
        thrown
    }

    /// Throws `value`.
    pub(super) fn rethrow(self, value: Val) -> Thrown {
        // SAFETY: throwing takes ownership.
        unsafe { qjs::JS_Throw(self.0, value.into_raw()) };
        Thrown
    }

    /// The pending exception, which is no longer pending.
    pub(super) fn take_exception(self) -> Val {
        // SAFETY: the context is live; the result is owned.
        Val::new(self, unsafe { qjs::JS_GetException(self.0) })
    }

    /// The file of the function `level` frames up from the native function that runs; `None` for a built-in and
    /// beyond the last.
    pub(super) fn file_at(self, level: u16) -> Option<String> {
        // SAFETY: the engine counts the frames; the atom it gives is owned.
        let atom = unsafe { qjs::JS_GetScriptOrModuleName(self.0, c_int::from(level)) };
        if atom == qjs::JS_ATOM_NULL {
            return None;
        }
        let key = Key::borrowed(self, atom);
        // SAFETY: `key` has a reference of its own.
        unsafe { qjs::JS_FreeAtom(self.0, atom) };
        key.text().ok()?.ok()
    }

    /// Runs the next promise job, which is object code; `None` when there is none.
    pub(super) fn run_job(self) -> Option<Js<()>> {
        let mut ran_in = ptr::null_mut();
        // SAFETY: the runtime is live.
        match unsafe { qjs::JS_ExecutePendingJob(self.runtime(), &raw mut ran_in) } {
            0 => None,
            status if status < 0 => Some(Err(Thrown)),
            _ => Some(Ok(())),
        }
    }

    /// Whether a promise job waits.
    pub(super) fn has_job(self) -> bool {
        // SAFETY: the runtime is live.
        unsafe { qjs::JS_IsJobPending(self.runtime()) }
    }

    /// Has `turn::rejection` told of promises rejected without a handler, and of handlers that
    /// come later.
    pub(super) fn track_rejections(self) {
        // SAFETY: the runtime is live; the callback needs no state of its own.
        unsafe { qjs::JS_SetHostPromiseRejectionTracker(self.runtime(), Some(rejection), ptr::null_mut()) };
    }

    /// Lets the engine use `bytes` of stack below where it was told the stack begins.
    pub(super) fn set_stack_bytes(self, bytes: usize) {
        // SAFETY: the runtime is live.
        unsafe { qjs::JS_SetMaxStackSize(self.runtime(), bytes as _) };
    }

    /// Tells the engine that its stack begins here.
    pub(super) fn begin_stack(self) {
        // SAFETY: the runtime is live.
        unsafe { qjs::JS_UpdateStackTop(self.runtime()) };
    }

    /// Frees what only cycles keep alive. No object code runs: nothing has finalizers.
    pub(super) fn collect_garbage(self) {
        // SAFETY: the runtime is live.
        unsafe { qjs::JS_RunGC(self.runtime()) };
    }

    /// A fresh context of the same runtime that can compile and do little else; see
    /// [`Self::drop_compiler`].
    pub(super) fn compiler(self) -> Option<Self> {
        // SAFETY: the runtime is live; a context that could not be completed is freed again.
        unsafe {
            let raw = qjs::JS_NewContextRaw(self.runtime());
            if raw.is_null() {
                return None;
            }
            if qjs::JS_AddIntrinsicBaseObjects(raw) < 0 || qjs::JS_AddIntrinsicEval(raw) < 0 {
                qjs::JS_FreeContext(raw);
                return None;
            }
            qjs::JS_AddIntrinsicRegExpCompiler(raw);
            Some(Self(raw))
        }
    }

    /// Frees a context that [`Self::compiler`] made, with all it compiled.
    pub(super) fn drop_compiler(self) {
        // SAFETY: made by `compiler`, whose caller gives up its copies.
        unsafe { qjs::JS_FreeContext(self.0) };
    }
}

/// What the engine's integer answers mean: negative is an exception, else no or yes.
fn checked(status: c_int) -> Js<bool> {
    if status < 0 { Err(Thrown) } else { Ok(status > 0) }
}

/// What every native function of ours is to the engine.
unsafe extern "C" fn trampoline(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    count: c_int,
    values: *mut qjs::JSValue,
    magic: c_int,
    data: *mut qjs::JSValue,
) -> qjs::JSValue {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the engine gives `count` live values that stay for the call.
    let args = if count == 0 { &[][..] } else { unsafe { slice::from_raw_parts(values, count) } };
    let call = Call { ctx: Ctx(ctx), this, args, data };
    match natives::dispatch(magic, &call) {
        Ok(value) => value.into_raw(),
        Err(Thrown) => qjs::JS_EXCEPTION,
    }
}

unsafe extern "C" fn rejection(
    ctx: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _: *mut c_void,
) {
    let ctx = Ctx(ctx);
    turn::rejection(ctx.borrowed(promise), ctx.borrowed(reason), is_handled);
}

/// Gives back a text the engine lent, as bytes: UTF-8, but for lone surrogates.
fn text_bytes(ctx: Ctx, text: *const std::ffi::c_char, length: usize) -> Js<Vec<u8>> {
    if text.is_null() {
        return Err(Thrown);
    }
    // SAFETY: the engine lent `length` bytes at `text`, which we give back.
    unsafe {
        let bytes = slice::from_raw_parts(text.cast::<u8>(), length).to_vec();
        qjs::JS_FreeCString(ctx.0, text);
        Ok(bytes)
    }
}

/// Where the stack is now.
#[inline(never)]
pub(super) fn stack_pointer() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}

/// An address as an identity, never followed.
pub(super) type Identity = *const c_void;
