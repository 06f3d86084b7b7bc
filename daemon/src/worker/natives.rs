//! The functions that object code calls and the worker answers: one name each, and where it lives.
//!
//! This file owns the table and the small ones that belong to no turn. Those that do are in
//! `effects` (send, make, log, clock, random) and `turn` (call).

use super::js::{Call, Ctx, ErrorKind, Js, Kind, Val};
use super::{effects, realm, turn};

/// A native function. The number goes through the engine and comes back to [`dispatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Native {
    // Used by `realm.js` while it builds the realm.
    Accessor,
    StackGetter,
    ConsoleMethod,
    // What those make, and what the realm keeps.
    Get,
    Set,
    Receiver,
    Stack,
    Encode,
    Decode,
    Console,
    // `Q` and the methods of References.
    SendOnly,
    Call,
    IsReference,
    ReferenceSendOnly,
    ReferenceCall,
    // What power grants.
    MakeObject,
    MakeAccount,
    Clock,
    Random,
    Log,
}

const ALL: [Native; 20] = [
    Native::Accessor,
    Native::StackGetter,
    Native::ConsoleMethod,
    Native::Get,
    Native::Set,
    Native::Receiver,
    Native::Stack,
    Native::Encode,
    Native::Decode,
    Native::Console,
    Native::SendOnly,
    Native::Call,
    Native::IsReference,
    Native::ReferenceSendOnly,
    Native::ReferenceCall,
    Native::MakeObject,
    Native::MakeAccount,
    Native::Clock,
    Native::Random,
    Native::Log,
];

/// Answers the call of the native function whose number is `number`.
pub(super) fn dispatch(number: i32, call: &Call) -> Js<Val> {
    let native = usize::try_from(number).ok().and_then(|index| ALL.get(index).copied());
    let Some(native) = native else {
        return Err(call.ctx.throw(ErrorKind::Internal, "no such native function"));
    };
    debug_assert_eq!(native as i32, number, "the table is in the order of the numbers");
    match native {
        Native::Accessor => realm::accessor(call),
        Native::StackGetter => realm::stack_getter(call),
        Native::ConsoleMethod => call.ctx.function(Native::Console, &name(&call.arg(0))?, 0, &[]),
        Native::Get => Ok(call.data(0)),
        Native::Set => realm::set(call),
        Native::Receiver => Ok(call.this()),
        Native::Stack => realm::stack(call),
        Native::Encode => encode(call),
        Native::Decode => decode(call),
        Native::Console => effects::console(call),
        Native::SendOnly => effects::send_only(call, &call.arg(0), &call.arg(1), "Q.sendOnly"),
        Native::ReferenceSendOnly => effects::send_only(call, &call.this(), &call.arg(0), "sendOnly"),
        Native::Call => turn::call(call, &call.arg(0), &call.arg(1), "Q.call"),
        Native::ReferenceCall => turn::call(call, &call.this(), &call.arg(0), "call"),
        Native::IsReference => {
            let turn = turn::current(call.ctx);
            Ok(call.ctx.bool(turn.is_ok_and(|turn| turn.handle(&call.arg(0)).is_some())))
        }
        Native::MakeObject => effects::make(call, false),
        Native::MakeAccount => effects::make(call, true),
        Native::Clock => effects::clock(call),
        Native::Random => effects::random(call),
        Native::Log => effects::log(call),
    }
}

fn name(value: &Val) -> Js<String> {
    Ok(if value.kind() == Kind::String { value.text()?.unwrap_or_default() } else { String::new() })
}

/// `host.encode(text)`: its UTF-8, lone surrogates replaced.
fn encode(call: &Call) -> Js<Val> {
    let text = call.arg(0);
    if text.kind() != Kind::String {
        return Err(call.ctx.throw(ErrorKind::Type, "encode takes a string"));
    }
    let text = text.text()?.unwrap_or_else(|lossy| lossy);
    call.ctx.bytes(text.as_bytes())
}

/// `host.decode(bytes, fatal, stream)`: `[text, bytes used]`; in a stream an unfinished character
/// at the end is left for later.
fn decode(call: &Call) -> Js<Val> {
    let Some(bytes) = call.arg(0).uint8_bytes() else {
        return Err(call.ctx.throw(ErrorKind::Type, "decode takes bytes"));
    };
    let (fatal, stream) = (call.arg(1).kind() == Kind::Bool(true), call.arg(2).kind() == Kind::Bool(true));
    let used = if stream { bytes.len() - unfinished(&bytes) } else { bytes.len() };
    let text = String::from_utf8_lossy(&bytes[..used]);
    if fatal && matches!(text, std::borrow::Cow::Owned(_)) {
        return Err(call.ctx.throw(ErrorKind::Type, "the bytes are not UTF-8"));
    }
    pair(call.ctx, call.ctx.string(&text)?, used)
}

/// How many bytes at the end begin a character that later bytes may complete.
fn unfinished(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|count| {
            matches!(std::str::from_utf8(&bytes[bytes.len() - count..]),
                Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

fn pair(ctx: Ctx, first: Val, second: usize) -> Js<Val> {
    let pair = ctx.array()?;
    pair.define_index(0, first)?;
    // A length below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "lengths in memory are exact as doubles")]
    pair.define_index(1, ctx.number(second as f64))?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn the_table_is_in_the_order_of_the_numbers() {
        for (index, native) in ALL.iter().enumerate() {
            assert_eq!(*native as usize, index);
        }
    }
}
