//! The one frozen realm of a worker: what object code can reach.
//!
//! `realm.js` does the lockdown with what this module hands it; afterwards nothing in the realm
//! can change, so nothing in it can carry state from one turn to the next. Made once a process:
//! making one costs about fifty turns.

use std::ffi::CString;

use super::js::{Call, Ctx, ErrorKind, Identity, Js, Key, KeyKind, Kind, Val};
use super::natives::Native;

/// How plain data and References are told from everything else, without running code.
pub(super) struct Plain {
    object_class: u32,
    memory_class: u32,
    object_proto: Val,
    array_proto: Val,
    reference_class: u32,
}

impl Plain {
    /// Whether `class` is that of plain objects, or of the large Memories that pass for such.
    pub(super) fn is_object_class(&self, class: u32) -> bool {
        class == self.object_class || class == self.memory_class
    }

    /// The number of the large Memory that `value` stands for, if it does.
    pub(super) fn large_memory(&self, value: &Val) -> Option<u64> {
        value.opaque(self.memory_class)
    }

    pub(super) fn object_proto(&self) -> Identity {
        self.object_proto.identity()
    }

    pub(super) fn array_proto(&self) -> Identity {
        self.array_proto.identity()
    }

    /// The handle that `value` stands for, if it is a Reference.
    pub(super) fn handle(&self, value: &Val) -> Option<u64> {
        value.opaque(self.reference_class)
    }

    /// Whether `value` is an object with `Object.prototype` or no prototype at all, no Proxy.
    pub(super) fn is_plain_object(&self, value: &Val) -> Js<bool> {
        if !value.is_object() || !self.is_object_class(value.class()) {
            return Ok(false);
        }
        let proto = value.proto()?;
        Ok(!proto.is_object() || proto.identity() == self.object_proto())
    }
}

/// The realm.
pub(super) struct Realm {
    pub(super) plain: Plain,
    /// What each call's `globalThis` inherits from.
    pub(super) mirror: Val,
    engine_stack: Val,
    function_text: Val,
    errors: Vec<(Val, String)>,
}

impl Realm {
    /// Locks the context down.
    pub(super) fn new(ctx: Ctx) -> Js<Self> {
        let sample_object = ctx.object()?;
        let object_proto = sample_object.proto()?;
        let reference_proto = ctx.object()?;
        reference_proto.define_named("sendOnly", ctx.function(Native::ReferenceSendOnly, "sendOnly", 1, &[])?)?;
        reference_proto.define_named("call", ctx.function(Native::ReferenceCall, "call", 1, &[])?)?;
        let tag = ctx.global().own_data("Symbol")?.map(|symbol| symbol.own_data("toStringTag")).transpose()?.flatten();
        if let Some(tag) = tag {
            reference_proto.define(&Key::from_value(&tag)?, ctx.string("Reference")?)?;
        }
        let plain = Plain {
            object_class: sample_object.class(),
            memory_class: ctx.register_exotic_class(c"Object", object_proto.clone())?,
            object_proto,
            array_proto: ctx.array()?.proto()?,
            reference_class: ctx.register_class(c"Reference", reference_proto.clone())?,
        };

        let host = ctx.object()?;
        host.define_named("referencePrototype", reference_proto)?;
        let prototypes = ctx.array()?;
        for (index, prototype) in (0..).zip(ctx.class_prototypes()) {
            prototypes.define_index(index, prototype)?;
        }
        host.define_named("prototypes", prototypes)?;
        for (name, native) in [
            ("accessor", Native::Accessor),
            ("self", Native::Receiver),
            ("stack", Native::StackGetter),
            ("line", Native::ConsoleMethod),
            ("encode", Native::Encode),
            ("decode", Native::Decode),
            ("sendOnly", Native::SendOnly),
            ("isReference", Native::IsReference),
        ] {
            host.define_named(name, ctx.function(native, name, 1, &[])?)?;
        }
        host.define_named("call", ctx.function(Native::Call, "call", 2, &[])?)?;
        // The file is part of the program, and has no zero in it.
        let source = CString::new(include_str!("realm.js")).unwrap_or_default();
        let lockdown = ctx.run_script(&source, c"realm")?;
        let made = lockdown.call(&ctx.undefined(), &[&host])?;
        let errors = item(&made, 2)?;
        let errors = (0..errors.length()?)
            .map(|index| {
                let pair = item(&errors, index)?;
                Ok((item(&pair, 0)?, item(&pair, 1)?.text()?.unwrap_or_default()))
            })
            .collect::<Js<_>>()?;
        Ok(Self {
            plain,
            mirror: item(&made, 0)?,
            engine_stack: item(&made, 1)?,
            function_text: item(&made, 3)?,
            errors,
        })
    }

    /// An object that stands for the large Memory `number`.
    pub(super) fn large_memory(&self, ctx: Ctx, number: u64) -> Js<Val> {
        ctx.opaque(self.plain.memory_class, number)
    }

    /// A Reference.
    pub(super) fn reference(&self, ctx: Ctx, handle: u64) -> Js<Val> {
        let reference = ctx.opaque(self.plain.reference_class, handle)?;
        reference.freeze()?;
        Ok(reference)
    }

    /// The text of an error's stack as the engine took it down. Runs no object code.
    pub(super) fn stack(&self, error: &Val) -> Js<Option<String>> {
        let stack = self.engine_stack.call(error, &[])?;
        Ok(if stack.kind() == Kind::String { stack.text()?.ok() } else { None })
    }

    /// A function's source text, from its first to its last character. Runs no object code.
    pub(super) fn source_of(&self, function: &Val) -> Js<String> {
        lossy(&self.function_text.call(function, &[])?)
    }

    /// `TypeError: x is not a function`, for whatever was thrown. Runs no object code.
    pub(super) fn describe(&self, thrown: &Val) -> Js<String> {
        match thrown.kind() {
            Kind::Object if thrown.is_error() => {
                let name = self.error_name(thrown)?;
                let message = match thrown.own_data("message")? {
                    Some(message) if message.kind() == Kind::String => lossy(&message)?,
                    _ => String::new(),
                };
                Ok(if message.is_empty() { name } else { format!("{name}: {message}") })
            }
            Kind::String => Ok(format!("thrown: {}", lossy(thrown)?)),
            Kind::Undefined => Ok("thrown: undefined".to_owned()),
            _ => Ok(match super::pack::pack(&self.plain, super::pack::Mode::Show, "thrown", thrown, 1000) {
                Ok(packed) => format!("thrown: {}", packed.text),
                Err(super::pack::Refusal::NotQjson { message, .. }) => message,
                Err(_) => "thrown: an object".to_owned(),
            }),
        }
    }

    /// The `name` an error has or inherits, as far as that is plain data.
    fn error_name(&self, error: &Val) -> Js<String> {
        let mut object = error.clone();
        while object.is_object() && !object.is_proxy() {
            if let Some((_, name)) = self.errors.iter().find(|(proto, _)| proto.is_same(&object)) {
                return Ok(name.clone());
            }
            if let Some(name) = object.own_data("name")?
                && name.kind() == Kind::String
            {
                return lossy(&name);
            }
            object = object.proto()?;
        }
        Ok("Error".to_owned())
    }

    /// Freezes fresh plain data all the way down, itself excepted.
    pub(super) fn deep_freeze_children(&self, value: &Val) -> Js<()> {
        for key in value.own_keys(KeyKind::Strings)?.iter() {
            if let Some(property) = value.own_property(&key)? {
                // References are frozen from the start.
                if property.value.is_object() && self.plain.handle(&property.value).is_none() {
                    self.deep_freeze_children(&property.value)?;
                    property.value.freeze()?;
                }
            }
        }
        Ok(())
    }
}

fn lossy(string: &Val) -> Js<String> {
    Ok(string.text()?.unwrap_or_else(|lossy| lossy))
}

fn item(array: &Val, index: u32) -> Js<Val> {
    Ok(array.own_data(&index.to_string())?.unwrap_or_else(|| array.ctx().undefined()))
}

/// `host.accessor(holder, key, value)`: a frozen getter that gives `value` and a frozen setter that
/// gives its receiver a property of its own.
pub(super) fn accessor(call: &Call) -> Js<Val> {
    let get = call.ctx.function(Native::Get, "", 0, &[&call.arg(2)])?;
    let set = call.ctx.function(Native::Set, "", 1, &[&call.arg(0), &call.arg(1)])?;
    get.freeze()?;
    set.freeze()?;
    let pair = call.ctx.array()?;
    pair.define_index(0, get)?;
    pair.define_index(1, set)?;
    Ok(pair)
}

/// The setter: what assignment would have done, had the inherited property been writable.
pub(super) fn set(call: &Call) -> Js<Val> {
    let (receiver, holder) = (call.this(), call.data(0));
    if !receiver.is_object() || receiver.is_same(&holder) {
        return Err(call.ctx.throw(ErrorKind::Type, "this property is read-only"));
    }
    let key = Key::from_value(&call.data(1))?;
    if receiver.has_own(&key)? {
        receiver.redefine(&key, &call.arg(0))?;
    } else {
        receiver.define(&key, call.arg(0))?;
    }
    Ok(call.ctx.undefined())
}

/// How many built-ins may stand between a stack's getter and the code that asks.
const ASKING_LEVELS_MAX: u16 = 16;

/// `host.stack(getter)`: a getter of the stack's text as far as it is of the object that asks.
pub(super) fn stack_getter(call: &Call) -> Js<Val> {
    call.ctx.function(Native::Stack, "get stack", 0, &[&call.arg(0)])
}

/// The getter that [`stack_getter`] makes.
pub(super) fn stack(call: &Call) -> Js<Val> {
    let stack = call.data(0).call(&call.this(), &[])?;
    if stack.kind() != Kind::String {
        return Ok(stack);
    }
    // Whose function asks, not which object runs: the one may have given the other its function.
    let own = (1..ASKING_LEVELS_MAX).find_map(|level| super::check::number_of(&call.ctx.file_at(level)?));
    let text = lossy(&stack)?;
    call.ctx.string(&own.map_or_else(String::new, |own| super::check::shown_stack(&text, own)))
}
