//! Strings and the top level of objects.

use super::{Error, scan};

/// `text` as a JSON string, in quotes, escaped exactly as `JSON.stringify` does.
pub fn string_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}

/// `key`, a property's own name, as QJSON writes it: in quotes, with one more `@` in front of a
/// leading `@`.
pub fn key_text(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 3);
    push_key(&mut out, key);
    out
}

/// The array index that `key` is, below 2^32 - 1: JavaScript orders such keys by number, before all
/// others.
pub fn array_index(key: &str) -> Option<u32> {
    key.parse::<u32>().ok().filter(|index| *index != u32::MAX && index.to_string() == key)
}

/// The top-level properties of `text`, an object in inside form: each property's own name
/// (unescaped) and its value in inside form, in order.
///
/// # Errors
/// `text` is not an object in inside form; a Reference is not an object.
pub fn split_object(text: &str) -> Result<Vec<(String, String)>, Error> {
    scan::split_object(text)
}

/// The object in inside form with these top-level properties: what [`split_object`] takes apart.
pub fn join_object<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (key, value) in entries {
        if out.len() > 1 {
            out.push(',');
        }
        push_key(&mut out, key);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// The strings in `text`, an inside text, that are values and not names of properties, in order. Of
/// any other text, nothing worse than nonsense.
pub fn strings(text: &str) -> impl Iterator<Item = String> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text.get(at..)?.find('"')?;
            let mut end = start + 1;
            while *bytes.get(end)? != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            at = end + 1;
            if bytes.get(at) != Some(&b':') {
                return serde_json::from_str(text.get(start..at)?).ok();
            }
        }
    })
}

fn push_key(out: &mut String, key: &str) {
    if key.starts_with('@') {
        push_string(out, &format!("@{key}"));
    } else {
        push_string(out, key);
    }
}

pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0x00..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(if byte < 0x10 { '0' } else { '1' });
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}
