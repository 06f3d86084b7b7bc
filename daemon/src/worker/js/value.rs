//! A value of the engine that frees itself.

use std::ffi::c_int;
use std::mem;

use rquickjs::qjs;

use super::{Ctx, Identity, Js, Key, KeyKind, Keys, Property, Thrown, text_bytes};

/// A value of the engine.
pub(in super::super) struct Val {
    ctx: Ctx,
    raw: qjs::JSValue,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Kind {
    Undefined,
    Null,
    Bool(bool),
    Int(i32),
    Float(f64),
    String,
    Symbol,
    BigInt,
    Object,
    /// Something of the engine's own.
    Other,
}

/// Class numbers are part of no interface, so they are asked for once from sample values.
impl Val {
    pub(super) fn new(ctx: Ctx, raw: qjs::JSValue) -> Self {
        Self { ctx, raw }
    }

    pub(super) fn raw(&self) -> qjs::JSValue {
        self.raw
    }

    pub(super) fn into_raw(self) -> qjs::JSValue {
        let raw = self.raw;
        mem::forget(self);
        raw
    }

    pub(in super::super) fn ctx(&self) -> Ctx {
        self.ctx
    }

    pub(in super::super) fn kind(&self) -> Kind {
        // SAFETY: the payload read is the one the tag announces.
        unsafe {
            match qjs::JS_VALUE_GET_TAG(self.raw) {
                qjs::JS_TAG_UNDEFINED => Kind::Undefined,
                qjs::JS_TAG_NULL => Kind::Null,
                qjs::JS_TAG_BOOL => Kind::Bool(qjs::JS_VALUE_GET_BOOL(self.raw)),
                qjs::JS_TAG_INT => Kind::Int(qjs::JS_VALUE_GET_INT(self.raw)),
                qjs::JS_TAG_STRING | qjs::JS_TAG_STRING_ROPE => Kind::String,
                qjs::JS_TAG_SYMBOL => Kind::Symbol,
                qjs::JS_TAG_BIG_INT | qjs::JS_TAG_SHORT_BIG_INT => Kind::BigInt,
                qjs::JS_TAG_OBJECT => Kind::Object,
                tag if qjs::JS_TAG_IS_FLOAT64(tag) => Kind::Float(qjs::JS_VALUE_GET_FLOAT64(self.raw)),
                _ => Kind::Other,
            }
        }
    }

    pub(in super::super) fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    pub(in super::super) fn is_undefined(&self) -> bool {
        self.kind() == Kind::Undefined
    }

    /// `undefined` or `null`.
    pub(in super::super) fn is_nullish(&self) -> bool {
        matches!(self.kind(), Kind::Undefined | Kind::Null)
    }

    /// The engine's number of the object's class, 0 for what is no object. A Proxy has its own.
    pub(in super::super) fn class(&self) -> u32 {
        // SAFETY: the value is live.
        unsafe { qjs::JS_GetClassID(self.raw) }
    }

    pub(in super::super) fn is_array(&self) -> bool {
        // SAFETY: the value is live; a Proxy of an array is none here.
        unsafe { qjs::JS_IsArray(self.raw) }
    }

    pub(in super::super) fn is_proxy(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { qjs::JS_IsProxy(self.raw) }
    }

    pub(in super::super) fn is_error(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { qjs::JS_IsError(self.raw) }
    }

    pub(in super::super) fn is_function(&self) -> bool {
        // SAFETY: the value is live.
        unsafe { qjs::JS_IsFunction(self.ctx.0, self.raw) }
    }

    /// The object's address, equal for the same object and no other live one.
    pub(in super::super) fn identity(&self) -> Identity {
        // SAFETY: an object's payload is a pointer.
        if self.is_object() { unsafe { qjs::JS_VALUE_GET_PTR(self.raw) } } else { std::ptr::null() }
    }

    pub(in super::super) fn is_same(&self, other: &Self) -> bool {
        // SAFETY: both are live; strict equality runs no code.
        unsafe { qjs::JS_IsStrictEqual(self.ctx.0, self.raw, other.raw) }
    }

    /// The engine's name of the object's class.
    pub(in super::super) fn class_name(&self) -> Option<String> {
        // SAFETY: the atom is owned; its text is lent and given back.
        unsafe {
            let atom = qjs::JS_GetClassName(qjs::JS_GetRuntime(self.ctx.0), self.class());
            let mut length = 0;
            let text = qjs::JS_AtomToCStringLen(self.ctx.0, &raw mut length, atom);
            qjs::JS_FreeAtom(self.ctx.0, atom);
            text_bytes(self.ctx, text, length as usize).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        }
    }

    /// The number that [`Ctx::opaque`] put into an object of that class.
    pub(in super::super) fn opaque(&self, class: u32) -> Option<u64> {
        // SAFETY: the value is live; the "pointer" is read as the number it is.
        (self.class() == class).then(|| unsafe { qjs::JS_GetOpaque(self.raw, class) }.addr() as u64)
    }

    /// The prototype, `null` for none. Not for a Proxy, whose trap would run.
    pub(in super::super) fn proto(&self) -> Js<Self> {
        // SAFETY: the value is live.
        self.ctx.owned(unsafe { qjs::JS_GetPrototype(self.ctx.0, self.raw) })
    }

    /// Not for a Proxy, whose trap would run.
    pub(in super::super) fn is_extensible(&self) -> Js<bool> {
        // SAFETY: the value is live.
        self.ctx.checked(unsafe { qjs::JS_IsExtensible(self.ctx.0, self.raw) })
    }

    /// Not for a Proxy, whose trap would run.
    pub(in super::super) fn freeze(&self) -> Js<()> {
        // SAFETY: the value is live.
        self.ctx.checked(unsafe { qjs::JS_FreezeObject(self.ctx.0, self.raw) }).map(drop)
    }

    /// The own keys of that kind. Not for a Proxy, whose trap would run.
    pub(in super::super) fn own_keys(&self, kind: KeyKind) -> Js<Keys> {
        Keys::of(self, kind)
    }

    /// The own property at `key`. Runs a trap if this is a Proxy, and nothing else.
    pub(in super::super) fn own_property(&self, key: &Key) -> Js<Option<Property>> {
        Property::of(self, key)
    }

    /// Whether there is an own property at `key`. Runs a trap if this is a Proxy.
    pub(in super::super) fn has_own(&self, key: &Key) -> Js<bool> {
        Ok(self.own_property(key)?.is_some())
    }

    /// The value of an own data property. Not for a Proxy, whose trap would run.
    pub(in super::super) fn own_data(&self, name: &str) -> Js<Option<Self>> {
        let key = self.ctx.key(name)?;
        Ok(self.own_property(&key)?.filter(|property| !property.accessor).map(|property| property.value))
    }

    /// Defines an ordinary data property: writable, enumerable, configurable. Throws when that is
    /// refused; runs a trap if this is a Proxy.
    pub(in super::super) fn define(&self, key: &Key, value: Self) -> Js<()> {
        let flags = (qjs::JS_PROP_C_W_E | qjs::JS_PROP_THROW) as c_int;
        // SAFETY: takes ownership of the value, borrows the key.
        let status =
            unsafe { qjs::JS_DefinePropertyValue(self.ctx.0, self.raw, key.atom(), value.into_raw(), flags) };
        self.ctx.checked(status).map(drop)
    }

    /// Gives an existing own property another value and leaves its attributes alone. Throws when
    /// that is refused; runs a trap if this is a Proxy.
    pub(in super::super) fn redefine(&self, key: &Key, value: &Self) -> Js<()> {
        let flags = (qjs::JS_PROP_HAS_VALUE | qjs::JS_PROP_THROW) as c_int;
        let none = qjs::JS_UNDEFINED;
        // SAFETY: all values are borrowed.
        let status =
            unsafe { qjs::JS_DefineProperty(self.ctx.0, self.raw, key.atom(), value.raw, none, none, flags) };
        self.ctx.checked(status).map(drop)
    }

    pub(in super::super) fn define_named(&self, name: &str, value: Self) -> Js<()> {
        self.define(&self.ctx.key(name)?, value)
    }

    /// Defines the array item at `index`.
    pub(in super::super) fn define_index(&self, index: u32, value: Self) -> Js<()> {
        let flags = (qjs::JS_PROP_C_W_E | qjs::JS_PROP_THROW) as c_int;
        // SAFETY: takes ownership of the value.
        let status =
            unsafe { qjs::JS_DefinePropertyValueUint32(self.ctx.0, self.raw, index, value.into_raw(), flags) };
        self.ctx.checked(status).map(drop)
    }

    /// An array's length.
    pub(in super::super) fn length(&self) -> Js<u32> {
        let mut length = 0;
        // SAFETY: only asked of arrays, whose length is a plain number.
        self.ctx.checked(unsafe { qjs::JS_GetLength(self.ctx.0, self.raw, &raw mut length) })?;
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    }

    /// Calls this function: object code runs.
    pub(in super::super) fn call(&self, this: &Self, args: &[&Self]) -> Js<Self> {
        let mut raw: [qjs::JSValue; 4] = [qjs::JS_UNDEFINED; 4];
        debug_assert!(args.len() <= raw.len(), "no caller passes more");
        for (slot, arg) in raw.iter_mut().zip(args) {
            *slot = arg.raw;
        }
        // SAFETY: the values are live for the call.
        self.ctx.owned(unsafe {
            qjs::JS_Call(self.ctx.0, self.raw, this.raw, args.len() as c_int, raw.as_mut_ptr())
        })
    }

    /// A string's text, or for a symbol its description; `Ok(Err(_))` holds the text with lone
    /// surrogates replaced. Only for strings: anything else would be converted, which runs code.
    pub(in super::super) fn text(&self) -> Js<Result<String, String>> {
        let mut length = 0;
        // SAFETY: the engine lends a text that `text_bytes` gives back.
        let text = unsafe { qjs::JS_ToCStringLen2(self.ctx.0, &raw mut length, self.raw, false) };
        let bytes = text_bytes(self.ctx, text, length as usize)?;
        Ok(String::from_utf8(bytes).or_else(|_| self.lossy_text().map_or_else(|Thrown| Err(String::new()), Err)))
    }

    fn lossy_text(&self) -> Js<String> {
        let mut length = 0;
        // SAFETY: the engine lends `length` units, given back after the copy.
        unsafe {
            let units = qjs::JS_ToCStringLenUTF16(self.ctx.0, &raw mut length, self.raw);
            if units.is_null() {
                return Err(Thrown);
            }
            let text = String::from_utf16_lossy(std::slice::from_raw_parts(units, length as usize));
            qjs::JS_FreeCStringUTF16(self.ctx.0, units);
            Ok(text)
        }
    }

    /// A copy of a `Uint8Array`'s bytes; `None` for anything else.
    pub(in super::super) fn uint8_bytes(&self) -> Option<Vec<u8>> {
        let mut length = 0;
        // SAFETY: the engine checks the class and lends `length` bytes, copied at once.
        unsafe {
            let bytes = qjs::JS_GetUint8Array(self.ctx.0, &raw mut length, self.raw);
            if bytes.is_null() {
                drop(self.ctx.take_exception());
                return None;
            }
            Some(std::slice::from_raw_parts(bytes, length as usize).to_vec())
        }
    }
}

impl Clone for Val {
    fn clone(&self) -> Self {
        self.ctx.borrowed(self.raw)
    }
}

impl Drop for Val {
    fn drop(&mut self) {
        // SAFETY: owned, and freed once.
        unsafe { qjs::JS_FreeValue(self.ctx.0, self.raw) };
    }
}
