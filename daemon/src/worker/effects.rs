//! What a turn does to the world: messages, new objects, log lines; and what it asks of it: clock
//! and random bytes.
//!
//! Everything given here is copied when the function is called. Nothing leaves the worker but in
//! the turn's report.

use qrt_shared::qjson::ARGS_BYTES_MAX;
use sha2::{Digest, Sha256};

use super::check;
use super::js::{Call, ErrorKind, Js, KeyKind, Kind, Val};
use super::pack::{self, Mode, Packed, Packer, Refusal, property_path};
use super::turn::{self, Turn};
use crate::protocol::{self, Handle, Limit, Made, MadeMemory, Sent};

/// The most bytes one call of `random` gives.
const RANDOM_BYTES_MAX: f64 = 1024.0;

/// The longest log line, in bytes, as the daemon takes it; a longer one is cut.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What shows that a line was cut.
const CUT: &str = "...";

/// `o.sendOnly(args)`: queues a message.
pub(super) fn send_only(call: &Call, target: &Val, args: &Val, what: &str) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    turn.alive()?;
    let Some(target) = turn.handle(target) else {
        return Err(call.ctx.throw(ErrorKind::Type, &format!("{what} takes a Reference")));
    };
    let packed = match pack::pack(&turn.shared.realm.plain, Mode::Copy, "args", args, ARGS_BYTES_MAX) {
        Err(Refusal::TooLarge) => return Err(args_too_large(call)),
        packed => turn.packed(packed)?,
    };
    if packed.size_bytes > ARGS_BYTES_MAX {
        return Err(args_too_large(call));
    }
    if turn.sent.borrow().len() >= turn.budget.messages as usize {
        return Err(turn.kill(Limit::Messages, &format!("more than {} messages in one turn", turn.budget.messages)));
    }
    turn.charge(packed.size_bytes)?;
    turn.sent.borrow_mut().push(Sent { sender: turn.innermost(), target, args: packed.text });
    Ok(call.ctx.undefined())
}

fn args_too_large(call: &Call) -> super::js::Thrown {
    call.ctx.throw(ErrorKind::Range, &format!("args: larger than {ARGS_BYTES_MAX} bytes"))
}

/// `power.make_object(code, newpower)` and `power.make_account`.
pub(super) fn make(call: &Call, account: bool) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    turn.alive()?;
    let maker = owner(call);
    let code = call.arg(0);
    if code.kind() != Kind::String {
        return Err(call.ctx.throw(ErrorKind::Type, "the code of a new object is a string"));
    }
    let Ok(code) = code.text()? else {
        return Err(call.ctx.throw(ErrorKind::Syntax, "the code has a lone surrogate"));
    };
    let made_before = turn.made.borrow().len();
    if made_before >= turn.budget.objects as usize {
        return Err(turn.kill(Limit::Objects, &format!("more than {} objects made in one turn", turn.budget.objects)));
    }
    let (power, memory) = new_power(call, &turn, maker, &call.arg(1))?;
    turn.charge(code.len())?;
    if let Err(error) = turn.shared.check(&code) {
        return Err(check::throw(call.ctx, &error));
    }
    turn.made.borrow_mut().push(Made { maker, account, code, power, memory });
    turn.reference(turn.first_made + made_before as Handle)
}

/// The object whose power the native function came from.
fn owner(call: &Call) -> Handle {
    match call.data(0).kind() {
        Kind::Int(handle) => Handle::try_from(handle).unwrap_or(0),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made from a Handle below 2^53")]
        Kind::Float(handle) => handle as Handle,
        _ => 0,
    }
}

/// Takes a description of power apart.
fn new_power(call: &Call, turn: &Turn, maker: Handle, description: &Val) -> Js<(protocol::Power, MadeMemory)> {
    let mut power = protocol::Power { statics: "{}".to_owned(), natives: Vec::new() };
    let mut memory = MadeMemory::None;
    if description.is_nullish() {
        return Ok((power, memory));
    }
    let refuse = |message: &str| call.ctx.throw(ErrorKind::Type, message);
    if !turn.shared.realm.plain.is_plain_object(description)? {
        return Err(refuse("newpower: a plain object, null or undefined is wanted"));
    }
    if description.own_keys(KeyKind::Symbols)?.len() > 0 {
        return Err(refuse("newpower: a symbol as a key"));
    }
    let mut statics = Vec::new();
    for key in description.own_keys(KeyKind::Strings)?.iter() {
        let Some(property) = description.own_property(&key)? else { continue };
        let Ok(name) = key.text()? else {
            return Err(refuse("newpower: a key with a lone surrogate"));
        };
        let path = property_path("newpower", &name);
        if property.accessor {
            return Err(refuse(&format!("{path}: a getter or setter")));
        }
        if !property.enumerable {
            continue;
        }
        let value = property.value;
        if name == "memory" {
            memory = new_memory(call, turn, maker, &value)?;
        } else if let Some(native) = turn.native(&value) {
            turn.charge(name.len())?;
            power.natives.push((name, native));
        } else if !value.is_undefined() {
            let plain = &turn.shared.realm.plain;
            let packed = turn.packed(Packer::property_of(plain, description, &path, &value, turn.left()))?;
            turn.charge(name.len() + packed.size_bytes)?;
            statics.push((name, packed.text));
        }
    }
    power.statics = qrt_shared::qjson::join_object(statics.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    Ok((power, memory))
}

/// The three cases: withheld, shared with the maker, or a new one with this content.
fn new_memory(call: &Call, turn: &Turn, maker: Handle, value: &Val) -> Js<MadeMemory> {
    if value.is_nullish() {
        return Ok(MadeMemory::None);
    }
    if turn.is_memory_of(maker, value) {
        return Ok(MadeMemory::Makers);
    }
    if !turn.shared.realm.plain.is_plain_object(value)? {
        return Err(call.ctx.throw(ErrorKind::Type, "newpower.memory: a plain object is wanted"));
    }
    let plain = &turn.shared.realm.plain;
    let entries = turn.packed(Packer::entries_of(plain, Mode::Copy, "newpower.memory", value, turn.left()))?;
    for (key, text) in &entries {
        turn.charge(key.len() + text.len())?;
    }
    Ok(MadeMemory::New(entries))
}

/// `power.clock()`
pub(super) fn clock(call: &Call) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    turn.clock_used.set(true);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch stay below 2^53 for 285,000 years")]
    Ok(call.ctx.number(turn.clock_ms as f64))
}

/// `power.random(n)`: the next n bytes of the turn's stream ([`protocol::Delivery::seed`]).
pub(super) fn random(call: &Call) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    turn.alive()?;
    let count = match call.arg(0).kind() {
        Kind::Int(count) => f64::from(count),
        Kind::Float(count) => count,
        _ => return Err(call.ctx.throw(ErrorKind::Type, "random takes a number of bytes")),
    };
    if count.fract() != 0.0 || !(0.0..=RANDOM_BYTES_MAX).contains(&count) {
        return Err(call.ctx.throw(ErrorKind::Range, "random gives 0 to 1024 bytes"));
    }
    turn.random_used.set(true);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer from 0 to 1024")]
    let count = count as u64;
    let from = turn.random_at.replace(turn.random_at.get() + count);
    call.ctx.string(&stream_hex(&turn.seed, from, count))
}

/// Bytes `from..from + count` of the stream, in lower-case hex.
fn stream_hex(seed: &[u8; 32], from: u64, count: u64) -> String {
    let mut out = String::new();
    let mut block = (u64::MAX, [0_u8; 32]);
    for at in from..from + count {
        if block.0 != at / 32 {
            let digest = Sha256::new().chain_update(seed).chain_update((at / 32).to_be_bytes()).finalize();
            block = (at / 32, digest.into());
        }
        let byte = block.1[usize::try_from(at % 32).unwrap_or(0)];
        out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    out
}

/// `power.log(...values)`
pub(super) fn log(call: &Call) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    turn.alive()?;
    let mut line = String::new();
    for index in 0..call.len() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(&shown(&turn, &call.arg(index))?);
    }
    if turn.log.borrow().len() >= turn.budget.log_lines as usize {
        return Err(turn.kill(Limit::LogLines, &format!("more than {} log lines in one turn", turn.budget.log_lines)));
    }
    if line.len() > LINE_BYTES_MAX {
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX - CUT.len()));
        line.push_str(CUT);
    }
    turn.charge(line.len())?;
    turn.log.borrow_mut().push(line);
    Ok(call.ctx.undefined())
}

/// `console.log(...values)`: as `power.log` if the object that runs holds that, else nothing.
pub(super) fn console(call: &Call) -> Js<Val> {
    let turn = turn::current(call.ctx)?;
    if turn.holds_log() { log(call) } else { Ok(call.ctx.undefined()) }
}

/// A value for people: strings as they are, the rest as QJSON with References only named. What is
/// no QJSON is described, since a log line is no place to fail.
fn shown(turn: &Turn, value: &Val) -> Js<String> {
    match value.kind() {
        Kind::String => Ok(value.text()?.unwrap_or_else(|lossy| lossy)),
        Kind::Undefined => Ok("undefined".to_owned()),
        _ if value.is_error() => turn.shared.realm.describe(value),
        _ => match pack::pack(&turn.shared.realm.plain, Mode::Show, "value", value, turn.left()) {
            Err(Refusal::NotQjson { message, .. }) => Ok(format!("[{message}]")),
            packed => turn.packed(packed.map(|Packed { text, .. }| text)),
        },
    }
}
