//! Inside texts ([`qrt_shared::qjson`]) to values of the engine; `pack` is the way there.
//!
//! Runs no object code. The daemon has checked every text, so what is malformed here is a defect,
//! reported as an internal error.

use super::js::{Ctx, ErrorKind, Js, Thrown, Val};

/// Unpacks an inside text; `reference` gives the object that stands for a handle.
pub(super) fn unpack(ctx: Ctx, text: &str, reference: &mut dyn FnMut(u64) -> Js<Val>) -> Js<Val> {
    // Nothing but a Reference or an escaped key is written differently from JSON, and both open
    // with this.
    if !text.contains("\"@") {
        return ctx.parse_json(text);
    }
    let mut unpacker = Unpacker { ctx, text, at: 0, reference };
    unpacker.value()
}

/// Reads canonical text, which the daemon has checked; anything else is an internal error.
struct Unpacker<'a> {
    ctx: Ctx,
    text: &'a str,
    at: usize,
    reference: &'a mut dyn FnMut(u64) -> Js<Val>,
}

impl Unpacker<'_> {
    fn malformed(&self) -> Thrown {
        self.ctx.throw(ErrorKind::Internal, "a stored value is not in inside form")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Js<Val> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                let string = self.string()?;
                self.ctx.string(&string)
            }
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find([',', ']', '}']).unwrap_or(rest.len());
                self.at += end;
                match &rest[..end] {
                    "null" => Ok(self.ctx.null()),
                    "true" => Ok(self.ctx.bool(true)),
                    "false" => Ok(self.ctx.bool(false)),
                    number => number.parse().map(|number| self.ctx.number(number)).map_err(|_| self.malformed()),
                }
            }
        }
    }

    fn array(&mut self) -> Js<Val> {
        self.at += 1;
        let array = self.ctx.array()?;
        if self.take(b']') {
            return Ok(array);
        }
        for index in 0.. {
            let item = self.value()?;
            array.define_index(index, item)?;
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b']') { Ok(array) } else { Err(self.malformed()) }
    }

    fn object(&mut self) -> Js<Val> {
        if let Some(rest) = self.text[self.at..].strip_prefix("{\"@qref\":") {
            let end = rest.find('}').ok_or_else(|| self.malformed())?;
            let handle = rest[..end].parse().map_err(|_| self.malformed())?;
            self.at += "{\"@qref\":}".len() + end;
            return (self.reference)(handle);
        }
        self.at += 1;
        let object = self.ctx.object()?;
        if self.take(b'}') {
            return Ok(object);
        }
        loop {
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.malformed());
            }
            let value = self.value()?;
            object.define_named(key.strip_prefix('@').unwrap_or(&key), value)?;
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b'}') { Ok(object) } else { Err(self.malformed()) }
    }

    fn string(&mut self) -> Js<String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return serde_json::from_str(&self.text[start..=at]).map_err(|_| self.malformed());
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err(self.malformed())
    }
}
