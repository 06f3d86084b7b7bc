//! Messages: queueing one, and what the operator is told when it has run.

use std::fmt::Display;

use qrt_shared::control::{Problem, Queued};
use qrt_shared::id::{MessageName, Target, VatId};
use qrt_shared::qjson::{self, ARGS_BYTES_MAX};
use qrt_shared::view::Outcome;
use qrt_shared::wire::Sequence;

use super::account::{Change, signed};
use super::checkpoint::{Effect, Ended, Keyed, Write};
use super::entropy::Entropy;
use super::peer::{Origin, post};
use super::request::{Refusal, Send};
use super::schedule::Full;
use super::source::{PeerNumber, Source};
use super::turn::damaged;
use super::view::{Abroad, Message, Object, View};
use super::{Halt, Step, budget};
use crate::protocol::Handle;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// How long a key stands for its message, and how long such a message's outcome is kept.
const KEYED_MS: u64 = 24 * HOUR_MS;

/// How long any other outcome is kept, and how many.
const UNKEYED_MS: u64 = HOUR_MS;
const UNKEYED_MAX: u64 = 100_000;

/// Old outcomes and keys are looked for once in so many messages.
const FORGET_EVERY: u64 = 1024;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// Queues a message of the operator, once for its key.
pub(super) fn send<V: View, E: Entropy>(step: &mut Step<'_, V, E>, send: Send) -> Result<Queued, Refusal> {
    let (target, here) = match &send.target {
        Target::Qrid(qrid) if qrid.vat != step.vat.id => (step.refer(qrid, Origin::Operator)?, None),
        Target::Qrid(_) | Target::Petname(_) => {
            let (target, object) = step.resolve_live(&send.target)?;
            (target, Some(object))
        }
    };
    let qrid = step.qrid(target)?;
    if send.args.size_bytes > ARGS_BYTES_MAX {
        let what = format!("the arguments are {} bytes, more than {ARGS_BYTES_MAX}", send.args.size_bytes);
        return Err(Problem::new(what, "send less at a time").into());
    }
    let args = step.localise(&send.args)?;
    if let Some(key) = &send.key {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Problem::new("a key is 1 to 256 bytes", "use a shorter key").into());
        }
        if let Some(message) = keyed(step, key, target)? {
            return Ok(Queued { message, target: qrid, repeated: true });
        }
    }
    let bytes = send.args.size_bytes as u64;
    let (message, keyed) = if let Some(object) = here {
        if let Some(full) = room(step, Source::Operator, (target, object.account), bytes)? {
            return Err(full_problem(step, full, &send.target).into());
        }
        let new = New { source: Source::Operator, target, args, bytes, cause: None, abroad: None, chain: 1 };
        let message = number(step, new);
        let message = queue(step, message, Recipient::of(&object))?;
        (MessageName::In(message), Keyed::In(message))
    } else {
        let (peer, vat, seq) = post_new(step, &post::New { to: &qrid, target, args: &args, bytes, turn: None })?;
        (MessageName::Out(vat, seq.0), Keyed::Out(peer, seq))
    };
    if let Some(key) = send.key {
        step.checkpoint.writes.push(Write::Key { key, target, message: keyed, queued_at: step.now_ms });
    }
    Ok(Queued { message, target: qrid, repeated: false })
}

/// Posts a message of the operator's, or says why it cannot.
pub(super) fn post_new<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    new: &post::New<'_>,
) -> Result<(PeerNumber, VatId, Sequence), Refusal> {
    let vat = new.to.vat;
    let posted = post::post(step, new).map_err(|refusal| -> Refusal {
        match refusal {
            post::Refusal::Full => {
                let hint = "`qrt why DIR VATID` says what keeps it from going on; or raise [outbox] in settings.toml";
                Problem::new(format!("the outbox for {vat} is full"), hint).into()
            }
            post::Refusal::NoNumbers => {
                Problem::new(format!("the channel to {vat} has no numbers left"), "nobody has come here before").into()
            }
            post::Refusal::Halt(halt) => halt.into(),
        }
    })?;
    exported(step, posted.0, new.args)?;
    Ok(posted)
}

/// Writes down that another vat is told of what these arguments refer to.
pub(super) fn exported<V, E>(step: &mut Step<'_, V, E>, peer: PeerNumber, args: &str) -> Result<(), Halt> {
    let told = qjson::references(args).map_err(damaged)?;
    step.checkpoint.writes.extend(told.into_iter().map(|reference| Write::Export { reference, peer }));
    Ok(())
}

/// The message that a key stands for.
fn keyed<V: View, E: Entropy>(step: &Step<'_, V, E>, key: &str, target: Handle) -> Result<Option<MessageName>, Halt> {
    Ok(match step.view.keyed(key, target, step.now_ms.saturating_sub(KEYED_MS))? {
        None => None,
        Some(Keyed::In(message)) => Some(MessageName::In(message)),
        Some(Keyed::Out(peer, seq)) => Some(MessageName::Out(step.peer(peer)?.vat, seq.0)),
    })
}

/// A message as it comes in, before it has a number.
pub(super) struct New {
    pub(super) source: Source,
    pub(super) target: Handle,
    pub(super) args: String,
    pub(super) bytes: u64,
    pub(super) cause: Option<u64>,
    /// Where it stands in the vat it came from.
    pub(super) abroad: Option<Abroad>,
    /// How many messages of this vat led to it, itself counted.
    pub(super) chain: u64,
}

/// Gives a message its number.
pub(super) fn number<V, E>(step: &mut Step<'_, V, E>, new: New) -> Message {
    let New { source, target, args, bytes, cause, abroad, chain } = new;
    let message = step.vat.counters.next_message;
    step.vat.counters.next_message += 1;
    Message { message, source, target, args, bytes, queued_at: step.now_ms, cause, deaths: 0, abroad, chain }
}

/// Whether a message of so many bytes has room in the queue of `source` for `target`, of `account`.
pub(super) fn room<V: View, E>(
    step: &mut Step<'_, V, E>,
    source: Source,
    (target, account): (Handle, Handle),
    bytes: u64,
) -> Result<Option<Full>, Halt> {
    let counters = &step.vat.counters;
    let all = (counters.inbox, counters.inbox_bytes);
    if let Err(full) = step.vat.schedule.room(&step.vat.limits.queue, all, (source, target), bytes) {
        return Ok(Some(full));
    }
    let payers = match step.vat.schedule.payers(&(source, target)) {
        Some(payers) => payers,
        None => budget::payers(&mut step.vat.accounts, step.view, source, account)?,
    };
    let more = Change { queued_bytes: signed(bytes), ..Change::default() };
    Ok(step.vat.accounts.over(step.view, &payers, more)?.map(|_| Full::Account))
}

/// What an operator is told whose message has no room.
pub(super) fn full_problem<V, E>(step: &Step<'_, V, E>, full: Full, target: &impl Display) -> Problem {
    let limits = &step.vat.limits.queue;
    let (which, messages, bytes) = match full {
        Full::Queue | Full::Account | Full::Outbox => {
            (format!("your queue for {target}"), limits.messages, limits.bytes)
        }
        Full::Vat => ("the vat's inbox".to_owned(), limits.all_messages, limits.all_bytes),
    };
    Problem::new(
        format!("{which} is full: it holds up to {messages} messages and {bytes} bytes"),
        "wait until some have run, hold what floods it (`qrt inbox` shows), or raise [queue] in settings.toml",
    )
}

/// What queueing wants to know of the object a message is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient {
    pub(super) account: Handle,
    pub(super) held: bool,
    /// Whether the message comes from a peer that no operator named.
    pub(super) stranger: bool,
}

impl Recipient {
    pub(super) fn of(object: &Object) -> Self {
        Self { account: object.account, held: object.held, stranger: false }
    }
}

/// Puts a message, for which there is room, at the end of its queue; its number.
pub(super) fn queue<V: View, E>(
    step: &mut Step<'_, V, E>,
    message: Message,
    recipient: Recipient,
) -> Result<u64, Halt> {
    let number = message.message;
    step.vat.counters.inbox += 1;
    step.vat.counters.inbox_bytes += message.bytes;
    step.vat.schedule.queued(step.view, &mut step.vat.accounts, &message, recipient)?;
    step.checkpoint.writes.push(Write::Message(message));
    Ok(number)
}

/// How a message's first turn ended, for those who wait for it.
pub(super) struct Ending {
    pub(super) turn: Option<u64>,
    pub(super) outcome: Outcome,
    pub(super) result: Option<String>,
    pub(super) result_error: Option<String>,
    pub(super) error: Option<String>,
}

/// Keeps how one of the operator's messages ended, for those who wait for it or ask later.
pub(super) fn ended<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    message: &Message,
    ending: Ending,
) -> Result<(), Halt> {
    if message.source != Source::Operator {
        return Ok(());
    }
    let message = message.message;
    let keyed = step.view.is_keyed(message)?;
    let keep_until = step.now_ms + if keyed { KEYED_MS } else { UNKEYED_MS };
    let Ending { turn, outcome, result, result_error, error } = ending;
    let row = Ended { message, turn, outcome, result, result_error, error, keyed, keep_until };
    step.checkpoint.writes.push(Write::Outcome(Box::new(row)));
    if message.is_multiple_of(FORGET_EVERY) {
        let keys_before_ms = step.now_ms.saturating_sub(KEYED_MS);
        let unkeyed_max = UNKEYED_MAX;
        step.checkpoint.writes.push(Write::Forget { now_ms: step.now_ms, keys_before_ms, unkeyed_max });
    }
    step.checkpoint.effects.push(Effect::Ended(message));
    Ok(())
}
