//! The protocol between two vats, without sockets, clock, randomness or database: those are
//! arguments, and what is to be kept comes back as plain values.
//!
//! # The whole protocol
//!
//! Two vats have two channels, one each way. On a channel the sender numbers its messages 1, 2, 3,
//! ... and gives each an id that nobody can guess. The *tip* after a message is the hash of the tip
//! before it and its id, so a [`Position`](qrt_shared::wire::Position) (number, tip) names a whole
//! history: two vats at equal positions agree on every message so far.
//!
//! **The sender** ([`Outbound`](session::Outbound)) keeps every message until it is acknowledged: text,
//! id, `prev` (the tip before it) and the random part of its nonce, all drawn once, in the commit of the
//! turn that sent it. What leaves is always the same bytes ([`seal`]), so a repeat gives nothing away.
//! It has one request under way at a time: the oldest unacknowledged messages, in order, as many as fit.
//! When the attempt fails it waits ([`retry`]) and sends them again, for ever.
//!
//! **The receiver** ([`intake`](session::intake)) keeps one position for the channel. Every frame is
//! opened, and its kind and direction checked, before its number is looked at. Then, in order:
//!
//! - number <= mine: *old*. It was accepted before; it is acknowledged again and otherwise ignored.
//! - number = mine + 1 and `prev` = my tip: *accepted*, whatever its JSON says.
//! - anything else is a *gap* or *another history*: nothing from here on is taken.
//!
//! What is accepted and the new position are committed together; only then the answer leaves: an
//! *ack*, boxed, with the receiver's position and the request's id.
//!
//! **The sender again** ([`Outbound::answer`](session::Outbound::answer)). An ack that does not repeat
//! its own request's id is ignored, and so is one to a question from before a resync. Otherwise there are
//! three cases:
//!
//! - the position is one of its own history: what is acknowledged is dropped, the rest is kept;
//! - the number is below what was acknowledged when the request was made: the *receiver* went back to
//!   an old copy;
//! - the number is above all it sent, or the tip is not its own there: the histories *diverged*, because
//!   one end went back and then went another way.
//!
//! In the last two the channel stops: nothing is sent but questions (a request without frames), and
//! nothing is dropped. If a later answer fits again, the stop clears by itself. Otherwise the sending
//! operator decides ([`Outbound::resync`](session::Outbound::resync)): the sender takes the receiver's
//! position for its own and numbers what it still holds anew from there, same ids, new `prev`, new
//! nonces. What was acknowledged above the receiver's number may be lost, what was held from before may
//! arrive twice, and the operator is told how many before deciding.
//!
//! # Why it holds
//!
//! *Nothing is lost, repeated or out of order while nobody goes back*: a message is dropped only
//! against a position that contains it, accepted only at the one number and tip that follow, and the
//! position moves in the commit that stores it.
//!
//! *After a rollback nothing runs on a wrong history*: a restored sender numbers new messages as the lost
//! ones were, but their `prev` names ids the receiver knows others for. A restored receiver is behind,
//! which the next ack shows.
//!
//! *No (key, nonce) seals two texts*: a nonce is drawn from fresh randomness *and* the text
//! ([`seal::NonceKey`]), so neither a restored database nor a cloned machine repeats one for another text.
//!
//! *A box is what it says*: kind and direction are in the nonce, which the box authenticates. So neither
//! an ack passes for a message, nor a message reflected to its maker for one of the peer's.
//!
//! *A vat that knows it went back asks first*: its channels are *unsure*, and an unsure channel sends only
//! questions until the receiver's answer fits, or stops it like any other.
//!
//! What this cannot do: keep apart two live copies of one vat, or tell whether a message that was
//! dropped by its sender after it was tried ever arrived.

pub mod retry;
pub mod seal;
pub mod session;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
