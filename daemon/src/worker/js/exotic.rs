//! Objects whose properties are fetched when they are wanted.
//!
//! Such an object has no properties of its own as far as the engine's shapes go. Each operation on
//! one goes to its *shadow*, an ordinary object, after `large` has put into the shadow what the
//! operation wants to know. So attributes, accessors and the order of keys are the engine's own work,
//! and prototype and extensibility stay with the object itself.

use std::ffi::{CStr, c_int};
use std::ptr;

use rquickjs::qjs;

use super::{Ctx, Js, Key, Val, checked};
use crate::worker::large;

static METHODS: qjs::JSClassExoticMethods = qjs::JSClassExoticMethods {
    get_own_property: Some(get_own_property),
    get_own_property_names: Some(get_own_property_names),
    delete_property: Some(delete_property),
    define_own_property: Some(define_own_property),
    has_property: None,
    get_property: None,
    set_property: None,
};

impl Ctx {
    /// Registers the class of such objects, which inherit from `proto`.
    pub(in super::super) fn register_exotic_class(self, name: &CStr, proto: Val) -> Js<u32> {
        self.register(name, proto, (&raw const METHODS).cast_mut())
    }
}

impl Val {
    /// Copies the own property at `key` of another object, attributes and all. Neither may be a Proxy.
    pub(in super::super) fn copy_property(&self, from: &Self, key: &Key) -> Js<()> {
        let ctx = self.ctx().0;
        // SAFETY: the descriptor is filled when the answer is yes; its values are owned and freed.
        unsafe {
            let mut descriptor: qjs::JSPropertyDescriptor = std::mem::zeroed();
            if !checked(qjs::JS_GetOwnProperty(ctx, &raw mut descriptor, from.raw(), key.atom()))? {
                return Ok(());
            }
            let accessor = descriptor.flags.cast_unsigned() & qjs::JS_PROP_GETSET != 0;
            let has = if accessor {
                qjs::JS_PROP_HAS_GET | qjs::JS_PROP_HAS_SET
            } else {
                qjs::JS_PROP_HAS_VALUE | qjs::JS_PROP_HAS_WRITABLE
            };
            let has = has | qjs::JS_PROP_HAS_ENUMERABLE | qjs::JS_PROP_HAS_CONFIGURABLE | qjs::JS_PROP_THROW;
            let flags = (descriptor.flags.cast_unsigned() & qjs::JS_PROP_C_W_E) | has;
            let qjs::JSPropertyDescriptor { value, getter, setter, .. } = descriptor;
            let status = qjs::JS_DefineProperty(ctx, self.raw(), key.atom(), value, getter, setter, flags as c_int);
            qjs::JS_FreeValue(ctx, value);
            qjs::JS_FreeValue(ctx, getter);
            qjs::JS_FreeValue(ctx, setter);
            checked(status).map(drop)
        }
    }
}

/// Answers what `operation` gives; an exception is pending when it gives none.
fn answer(operation: Js<c_int>) -> c_int {
    operation.unwrap_or(-1)
}

unsafe extern "C" fn get_own_property(
    ctx: *mut qjs::JSContext,
    descriptor: *mut qjs::JSPropertyDescriptor,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
) -> c_int {
    let object = Ctx(ctx).borrowed(object);
    answer(large::of(&object).and_then(|large| {
        // SAFETY: the engine lends a descriptor to fill, or none.
        let ask = |shadow: &Val| unsafe { qjs::JS_GetOwnProperty(ctx, descriptor, shadow.raw(), atom) };
        let known = ask(&large.shadow());
        if known != 0 || !large.fetch(&Key::borrowed(Ctx(ctx), atom))? {
            return Ok(known);
        }
        Ok(ask(&large.shadow()))
    }))
}

unsafe extern "C" fn get_own_property_names(
    ctx: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    length: *mut u32,
    object: qjs::JSValue,
) -> c_int {
    let object = Ctx(ctx).borrowed(object);
    answer(large::of(&object).and_then(|large| {
        large.fetch_all()?;
        let flags = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK) as c_int;
        // SAFETY: the engine lends both places, and frees the table that goes there.
        Ok(unsafe { qjs::JS_GetOwnPropertyNames(ctx, table, length, large.shadow().raw(), flags) })
    }))
}

unsafe extern "C" fn delete_property(ctx: *mut qjs::JSContext, object: qjs::JSValue, atom: qjs::JSAtom) -> c_int {
    let object = Ctx(ctx).borrowed(object);
    answer(large::of(&object).and_then(|large| {
        let key = Key::borrowed(Ctx(ctx), atom);
        large.fetch(&key)?;
        let shadow = large.shadow();
        // SAFETY: a null descriptor asks only whether there is such a property.
        if !checked(unsafe { qjs::JS_GetOwnProperty(ctx, ptr::null_mut(), shadow.raw(), atom) })? {
            return Ok(1);
        }
        // SAFETY: both are live.
        let status = unsafe { qjs::JS_DeleteProperty(ctx, shadow.raw(), atom, 0) };
        if checked(status)? {
            large.deleted(&key)?;
        }
        Ok(status)
    }))
}

unsafe extern "C" fn define_own_property(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
    value: qjs::JSValue,
    getter: qjs::JSValue,
    setter: qjs::JSValue,
    flags: c_int,
) -> c_int {
    let object = Ctx(ctx).borrowed(object);
    answer(large::of(&object).and_then(|large| {
        large.fetch(&Key::borrowed(Ctx(ctx), atom))?;
        let shadow = large.shadow();
        // SAFETY: a null descriptor asks only whether there is such a property.
        let there = checked(unsafe { qjs::JS_GetOwnProperty(ctx, ptr::null_mut(), shadow.raw(), atom) })?;
        if !there && !object.is_extensible()? {
            // Object code is strict, so whoever asks for a throw in strict code gets one.
            let throws = flags.cast_unsigned() & (qjs::JS_PROP_THROW | qjs::JS_PROP_THROW_STRICT) != 0;
            let refuse = || object.ctx().throw(super::ErrorKind::Type, "object is not extensible");
            return if throws { Err(refuse()) } else { Ok(0) };
        }
        // SAFETY: all values are lent for the call.
        Ok(unsafe { qjs::JS_DefineProperty(ctx, shadow.raw(), atom, value, getter, setter, flags) })
    }))
}
