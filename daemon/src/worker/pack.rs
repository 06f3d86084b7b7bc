//! Values of the engine to inside texts ([`qrt_shared::qjson`]); the way back is `unpack`.
//!
//! Packing walks by descriptors and class numbers and never runs object code: what could run any
//! (an accessor, a Proxy) is refused. It writes what `JSON.stringify` would, so that a text that
//! comes back unchanged is the same text. Recursion is bounded by [`DEPTH_MAX`].

use std::fmt::Write as _;

use qrt_shared::qjson::{DEPTH_MAX, REFERENCE_BYTES, string_text};

use super::js::{ErrorKind, Identity, Key, KeyKind, Kind, Property, Thrown, Val};
use super::realm::Plain;

/// What is packed, and how strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A copy of any plain data.
    Copy,
    /// A Memory: its objects must come back next turn as they are now.
    Memory,
    /// For people: a Reference is shown, not kept.
    Show,
}

/// A packed value.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) text: String,
    /// Its size: the text, each Reference counted as [`REFERENCE_BYTES`].
    pub(super) size_bytes: usize,
}

/// Why a value is not QJSON.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `args.items[3].when: a Date`
    NotQjson { kind: ErrorKind, message: String },
    /// It is larger than the limit given.
    TooLarge,
    /// The engine threw: it is out of memory.
    Thrown,
}

impl From<Thrown> for Refusal {
    fn from(_: Thrown) -> Self {
        Self::Thrown
    }
}

enum Step {
    Key(String),
    Index(u32),
}

/// Properties visited for each byte of the limit: bounds the walk of what writes nothing.
const VISITS_PER_BYTE: usize = 8;

/// One walk over a value.
pub(super) struct Packer<'a> {
    plain: &'a Plain,
    mode: Mode,
    root: &'a str,
    limit: usize,
    out: String,
    surplus: usize,
    visits: usize,
    path: Vec<Step>,
    above: Vec<Identity>,
}

/// Packs `value`, which errors call `root`, into at most `limit` bytes.
pub(super) fn pack(plain: &Plain, mode: Mode, root: &str, value: &Val, limit: usize) -> Result<Packed, Refusal> {
    let mut packer = Packer::new(plain, mode, root, limit);
    if value.is_undefined() {
        packer.out.push_str("null");
    } else {
        packer.value(value)?;
    }
    Ok(packer.finish())
}

impl<'a> Packer<'a> {
    fn new(plain: &'a Plain, mode: Mode, root: &'a str, limit: usize) -> Self {
        Self {
            plain,
            mode,
            root,
            limit,
            out: String::new(),
            surplus: 0,
            visits: 0,
            path: Vec::new(),
            above: Vec::new(),
        }
    }

    /// Packs a property of an object: as [`pack`], a level deeper.
    pub(super) fn property_of(
        plain: &'a Plain,
        object: &Val,
        path: &'a str,
        value: &Val,
        limit: usize,
    ) -> Result<Packed, Refusal> {
        let mut packer = Self::new(plain, Mode::Copy, path, limit);
        packer.above.push(object.identity());
        packer.value(value)?;
        Ok(packer.finish())
    }

    /// Packs the properties of the plain object `value` one by one, in order, each with its name;
    /// `undefined` ones are left out.
    pub(super) fn entries_of(
        plain: &'a Plain,
        mode: Mode,
        root: &'a str,
        value: &Val,
        limit: usize,
    ) -> Result<Vec<(String, String)>, Refusal> {
        Self::new(plain, mode, root, limit).entries(value)
    }

    /// Packs as a Memory those properties of `value` that its `shadow` has.
    pub(super) fn entries_of_shadow(
        plain: &'a Plain,
        root: &'a str,
        value: &Val,
        shadow: &Val,
        limit: usize,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let mut packer = Self::new(plain, Mode::Memory, root, limit);
        packer.class_shape(value)?;
        packer.extensible(value)?;
        packer.no_symbols(shadow)?;
        packer.properties(value, shadow)
    }

    fn finish(self) -> Packed {
        Packed { size_bytes: self.out.len() + self.surplus, text: self.out }
    }

    fn entries(&mut self, value: &Val) -> Result<Vec<(String, String)>, Refusal> {
        self.object_shape(value)?;
        self.properties(value, value)
    }

    /// The properties of `value` as `holder` has them.
    fn properties(&mut self, value: &Val, holder: &Val) -> Result<Vec<(String, String)>, Refusal> {
        self.above.push(value.identity());
        let mut entries = Vec::new();
        let mut spent = 0;
        for key in holder.own_keys(KeyKind::Strings)?.iter() {
            let Some(property) = holder.own_property(&key)? else { continue };
            let name = self.key_name(key.text()?)?;
            self.path.push(Step::Key(name));
            if let Some(value) = self.wanted(&property)? {
                self.value(&value)?;
            }
            let Some(Step::Key(name)) = self.path.pop() else { break };
            if !self.out.is_empty() {
                spent += self.out.len() + name.len();
                entries.push((name, std::mem::take(&mut self.out)));
                if spent + self.surplus > self.limit {
                    return Err(Refusal::TooLarge);
                }
            }
        }
        Ok(entries)
    }

    /// The property's value if it is to be written.
    fn wanted(&self, property: &Property) -> Result<Option<Val>, Refusal> {
        if property.accessor {
            return Err(self.refuse("a getter or setter"));
        }
        if self.mode == Mode::Memory && !property.ordinary {
            return Err(self.refuse("a property that is hidden or read-only"));
        }
        let skipped = property.value.is_undefined() || !property.enumerable;
        Ok((!skipped).then(|| property.value.clone()))
    }

    fn value(&mut self, value: &Val) -> Result<(), Refusal> {
        self.visits += 1;
        if self.out.len() + self.surplus > self.limit || self.visits / VISITS_PER_BYTE > self.limit {
            return Err(Refusal::TooLarge);
        }
        match value.kind() {
            Kind::Undefined | Kind::Null => self.out.push_str("null"),
            Kind::Bool(bool) => self.out.push_str(if bool { "true" } else { "false" }),
            Kind::Int(number) => {
                // Writing into a String cannot fail.
                let _ = write!(self.out, "{number}");
            }
            Kind::Float(number) => self.number(number)?,
            Kind::String => match value.text()? {
                Ok(text) => self.out.push_str(&string_text(&text)),
                Err(_) if self.mode != Mode::Show => return Err(self.refuse("a string with a lone surrogate")),
                Err(lossy) => self.out.push_str(&string_text(&lossy)),
            },
            Kind::Symbol => return Err(self.refuse("a symbol")),
            Kind::BigInt => return Err(self.refuse("a BigInt")),
            Kind::Object => self.compound(value)?,
            Kind::Other => return Err(self.refuse("nothing that code can hold")),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Refusal> {
        if number.is_nan() {
            return Err(self.refuse("NaN"));
        }
        if number.is_infinite() {
            return Err(self.refuse("an infinity"));
        }
        if number == 0.0 {
            // JSON.stringify writes -0 as 0.
            self.out.push('0');
        } else {
            self.out.push_str(ryu_js::Buffer::new().format_finite(number));
        }
        Ok(())
    }

    fn compound(&mut self, value: &Val) -> Result<(), Refusal> {
        if let Some(handle) = self.plain.handle(value) {
            if self.mode == Mode::Show {
                self.out.push_str("[Reference]");
            } else {
                let start = self.out.len();
                let _ = write!(self.out, "{{\"@qref\":{handle}}}");
                self.surplus += REFERENCE_BYTES - (self.out.len() - start);
            }
            return Ok(());
        }
        if self.above.contains(&value.identity()) {
            return Err(self.refuse("a cycle"));
        }
        if self.above.len() >= DEPTH_MAX {
            let message = format!("{}: nested deeper than {DEPTH_MAX} levels", self.path_text());
            return Err(Refusal::NotQjson { kind: ErrorKind::Range, message });
        }
        if value.is_array() { self.array(value) } else { self.object(value) }
    }

    fn object(&mut self, value: &Val) -> Result<(), Refusal> {
        self.object_shape(value)?;
        self.above.push(value.identity());
        self.out.push('{');
        let mut first = true;
        for key in value.own_keys(KeyKind::Strings)?.iter() {
            let Some(property) = value.own_property(&key)? else { continue };
            self.visits += 1;
            let name = self.key_name(key.text()?)?;
            self.path.push(Step::Key(name));
            if let Some(value) = self.wanted(&property)? {
                if !std::mem::take(&mut first) {
                    self.out.push(',');
                }
                if let Some(Step::Key(name)) = self.path.last() {
                    self.out.push_str(&qrt_shared::qjson::key_text(name));
                }
                self.out.push(':');
                self.value(&value)?;
            }
            self.path.pop();
        }
        self.out.push('}');
        self.above.pop();
        Ok(())
    }

    fn array(&mut self, value: &Val) -> Result<(), Refusal> {
        if value.proto()?.identity() != self.plain.array_proto() {
            return Err(self.refuse("an instance of a class"));
        }
        self.integrity(value)?;
        self.above.push(value.identity());
        self.out.push('[');
        let length = value.length()?;
        let mut next = 0;
        for key in value.own_keys(KeyKind::Strings)?.iter() {
            // Items come first, in order; what lies between two of them is a hole.
            let Some(index) = (next < length).then(|| index_from(&key, next, length)).transpose()?.flatten() else {
                let name = key.text()?.unwrap_or_else(|lossy| lossy);
                if name == "length" {
                    // Never enumerable or configurable, but a Memory could not keep it read-only.
                    let fixed = value.own_property(&key)?.is_some_and(|property| !property.writable);
                    if fixed && self.mode == Mode::Memory {
                        return Err(self.refuse("an array whose length is read-only"));
                    }
                    continue;
                }
                return Err(self.refuse(&format!("an array with a property {name:?}")));
            };
            while next < index {
                self.hole(next)?;
                next += 1;
            }
            let Some(property) = value.own_property(&key)? else { continue };
            self.path.push(Step::Index(index));
            self.comma(index);
            match self.wanted(&property)? {
                Some(item) => self.value(&item)?,
                None => self.out.push_str("null"),
            }
            self.path.pop();
            next = index + 1;
        }
        while next < length {
            self.hole(next)?;
            next += 1;
        }
        self.out.push(']');
        self.above.pop();
        Ok(())
    }

    fn hole(&mut self, index: u32) -> Result<(), Refusal> {
        self.comma(index);
        self.out.push_str("null");
        if self.out.len() + self.surplus > self.limit { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    fn comma(&mut self, index: u32) {
        if index > 0 {
            self.out.push(',');
        }
    }

    /// Refuses what is not a plain object.
    fn object_shape(&self, value: &Val) -> Result<(), Refusal> {
        self.class_shape(value)?;
        self.integrity(value)
    }

    fn class_shape(&self, value: &Val) -> Result<(), Refusal> {
        if value.is_proxy() {
            return Err(self.refuse("a Proxy"));
        }
        if value.is_function() {
            return Err(self.refuse("a function"));
        }
        if !self.plain.is_object_class(value.class()) {
            let what = value.class_name().filter(|name| name != "Object").unwrap_or_else(|| "a class".to_owned());
            return Err(self.refuse(&format!("an instance of {what}")));
        }
        let proto = value.proto()?;
        let is_plain = proto.identity() == self.plain.object_proto();
        if self.mode == Mode::Memory && !is_plain {
            return Err(self.refuse("an object with another prototype than Object.prototype"));
        }
        if !is_plain && proto.is_object() {
            return Err(self.refuse("an instance of a class"));
        }
        Ok(())
    }

    fn integrity(&self, value: &Val) -> Result<(), Refusal> {
        self.extensible(value)?;
        self.no_symbols(value)
    }

    fn extensible(&self, value: &Val) -> Result<(), Refusal> {
        if self.mode == Mode::Memory && !value.is_extensible()? {
            return Err(self.refuse("frozen, sealed or not extensible: store a copy"));
        }
        Ok(())
    }

    fn no_symbols(&self, value: &Val) -> Result<(), Refusal> {
        if value.own_keys(KeyKind::Symbols)?.len() > 0 {
            return Err(self.refuse("a symbol as a key"));
        }
        Ok(())
    }

    fn key_name(&self, text: Result<String, String>) -> Result<String, Refusal> {
        match text {
            Err(_) if self.mode != Mode::Show => Err(self.refuse("a key with a lone surrogate")),
            Ok(name) | Err(name) => Ok(name),
        }
    }

    fn refuse(&self, what: &str) -> Refusal {
        Refusal::NotQjson { kind: ErrorKind::Type, message: format!("{}: {what}", self.path_text()) }
    }

    fn path_text(&self) -> String {
        self.path.iter().fold(self.root.to_owned(), |path, step| match step {
            Step::Index(index) => format!("{path}[{index}]"),
            Step::Key(key) => property_path(&path, key),
        })
    }
}

/// The array index that `key` is, `next` being the likely one.
fn index_from(key: &Key, next: u32, length: u32) -> Result<Option<u32>, Refusal> {
    if key.is_index(next) {
        return Ok(Some(next));
    }
    let Ok(text) = key.text()? else { return Ok(None) };
    Ok(text.parse().ok().filter(|index: &u32| index.to_string() == text && (next..length).contains(index)))
}

/// The path of `root`'s property `key`, as errors write it.
pub(super) fn property_path(root: &str, key: &str) -> String {
    if is_identifier(key) { format!("{root}.{key}") } else { format!("{root}[{}]", string_text(key)) }
}

fn is_identifier(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_' || first == '$')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}
