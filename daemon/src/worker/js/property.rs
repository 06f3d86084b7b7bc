//! Property keys and descriptors.

use std::ffi::c_int;
use std::{mem, ptr};

use rquickjs::qjs;

use super::{Ctx, Js, KeyKind, Kind, Thrown, Val, checked, text_bytes};

/// A property key.
pub(in super::super) struct Key {
    ctx: Ctx,
    atom: qjs::JSAtom,
}

impl Key {
    pub(super) fn named(ctx: Ctx, name: &str) -> Js<Self> {
        // SAFETY: pointer and length are those of a live str.
        let atom = unsafe { qjs::JS_NewAtomLen(ctx.0, name.as_ptr().cast(), name.len() as _) };
        if atom == qjs::JS_ATOM_NULL { Err(Thrown) } else { Ok(Self { ctx, atom }) }
    }

    /// The key that a string or symbol is. Anything else would be converted, which runs code.
    pub(in super::super) fn from_value(value: &Val) -> Js<Self> {
        // SAFETY: the value is live.
        let atom = unsafe { qjs::JS_ValueToAtom(value.ctx().0, value.raw()) };
        if atom == qjs::JS_ATOM_NULL { Err(Thrown) } else { Ok(Self { ctx: value.ctx(), atom }) }
    }

    pub(super) fn atom(&self) -> qjs::JSAtom {
        self.atom
    }

    /// A key the engine lent.
    pub(super) fn borrowed(ctx: Ctx, atom: qjs::JSAtom) -> Self {
        // SAFETY: the atom is live; the key gets a reference of its own.
        Self { ctx, atom: unsafe { qjs::JS_DupAtom(ctx.0, atom) } }
    }

    pub(in super::super) fn ctx(&self) -> Ctx {
        self.ctx
    }

    /// Whether this is a symbol and no string.
    pub(in super::super) fn is_symbol(&self) -> bool {
        // SAFETY: the atom is live, and the value made of it is owned.
        Val::new(self.ctx, unsafe { qjs::JS_AtomToValue(self.ctx.0, self.atom) }).kind() == Kind::Symbol
    }

    /// Whether this is the array index `index`.
    pub(in super::super) fn is_index(&self, index: u32) -> bool {
        // SAFETY: the atom made is freed at once.
        unsafe {
            let atom = qjs::JS_NewAtomUInt32(self.ctx.0, index);
            qjs::JS_FreeAtom(self.ctx.0, atom);
            atom == self.atom
        }
    }

    /// The key's text; `Ok(Err(_))` has lone surrogates replaced.
    pub(in super::super) fn text(&self) -> Js<Result<String, String>> {
        let mut length = 0;
        // SAFETY: the engine lends a text that `text_bytes` gives back.
        let text = unsafe { qjs::JS_AtomToCStringLen(self.ctx.0, &raw mut length, self.atom) };
        let bytes = text_bytes(self.ctx, text, length as usize)?;
        Ok(String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: owned, and freed once.
        unsafe { qjs::JS_FreeAtom(self.ctx.0, self.atom) };
    }
}

/// An object's own keys, in order.
pub(in super::super) struct Keys {
    ctx: Ctx,
    table: *mut qjs::JSPropertyEnum,
    length: u32,
}

impl Keys {
    pub(super) fn of(object: &Val, kind: KeyKind) -> Js<Self> {
        let flags = match kind {
            KeyKind::Strings => qjs::JS_GPN_STRING_MASK,
            KeyKind::Symbols => qjs::JS_GPN_SYMBOL_MASK,
        };
        let ctx = object.ctx();
        let mut keys = Self { ctx, table: ptr::null_mut(), length: 0 };
        // SAFETY: on success the table is ours, freed by `drop`.
        let status = unsafe {
            qjs::JS_GetOwnPropertyNames(ctx.0, &raw mut keys.table, &raw mut keys.length, object.raw(), flags as c_int)
        };
        checked(status)?;
        Ok(keys)
    }

    pub(in super::super) fn len(&self) -> u32 {
        self.length
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Key> + '_ {
        (0..self.length as usize).map(|at| {
            // SAFETY: `at` is within the table; the key gets a reference of its own.
            let atom = unsafe { qjs::JS_DupAtom(self.ctx.0, (*self.table.add(at)).atom) };
            Key { ctx: self.ctx, atom }
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if !self.table.is_null() {
            // SAFETY: the table came from the engine and is freed once.
            unsafe { qjs::JS_FreePropertyEnum(self.ctx.0, self.table, self.length) };
        }
    }
}

/// An own property.
#[expect(clippy::struct_excessive_bools, reason = "they are the attributes ECMA-262 gives a property")]
pub(in super::super) struct Property {
    /// A data property's value, `undefined` for an accessor.
    pub(in super::super) value: Val,
    /// Whether it has a getter or setter instead of a value.
    pub(in super::super) accessor: bool,
    pub(in super::super) enumerable: bool,
    pub(in super::super) writable: bool,
    /// Writable and configurable and enumerable, as assignment makes it.
    pub(in super::super) ordinary: bool,
}

impl Property {
    pub(super) fn of(object: &Val, key: &Key) -> Js<Option<Self>> {
        let ctx = object.ctx();
        // SAFETY: a descriptor is plain data that the engine fills when it answers yes; getter and
        // setter, which nobody wants, are freed here.
        unsafe {
            let mut descriptor: qjs::JSPropertyDescriptor = mem::zeroed();
            let status = qjs::JS_GetOwnProperty(ctx.0, &raw mut descriptor, object.raw(), key.atom());
            if !checked(status)? {
                return Ok(None);
            }
            qjs::JS_FreeValue(ctx.0, descriptor.getter);
            qjs::JS_FreeValue(ctx.0, descriptor.setter);
            let flags = descriptor.flags.cast_unsigned();
            let accessor = flags & qjs::JS_PROP_GETSET != 0;
            Ok(Some(Self {
                value: Val::new(ctx, descriptor.value),
                accessor,
                enumerable: flags & qjs::JS_PROP_ENUMERABLE != 0,
                writable: flags & qjs::JS_PROP_WRITABLE != 0,
                ordinary: !accessor && flags & qjs::JS_PROP_C_W_E == qjs::JS_PROP_C_W_E,
            }))
        }
    }
}
