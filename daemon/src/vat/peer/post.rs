//! A message for an object of another vat: numbered, named and stored, once.

use qrt_shared::id::{Qrid, VatId};
use qrt_shared::wire::{self, MessageId, PLAINTEXT_BYTES_MAX, Plaintext, RANDOM_BYTES, Sequence, Tip};

use super::Peer;
use crate::protocol::Handle;
use crate::vat::checkpoint::{PeerWrite, Write};
use crate::vat::entropy::Entropy;
use crate::vat::source::PeerNumber;
use crate::vat::turn::damaged;
use crate::vat::view::View;
use crate::vat::{Halt, Step};

/// A row of the outbox.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is a column that the schema explains")]
pub struct Letter {
    pub outbox: u64,
    pub peer: PeerNumber,
    pub seq: Sequence,
    pub id: MessageId,
    pub prev: Tip,
    pub random: [u8; RANDOM_BYTES],
    pub text: String,
    pub target: Option<Handle>,
    pub void: Option<String>,
    pub queued_at: u64,
    pub turn: Option<u64>,
}

/// What is to be posted.
pub(in crate::vat) struct New<'a> {
    /// The object, and the reference to it.
    pub(in crate::vat) to: &'a Qrid,
    pub(in crate::vat) target: Handle,
    /// Arguments in inside form, and their size.
    pub(in crate::vat) args: &'a str,
    pub(in crate::vat) bytes: u64,
    /// The turn that sends it.
    pub(in crate::vat) turn: Option<u64>,
}

/// Why a message is not posted.
pub(in crate::vat) enum Refusal {
    /// The outbox has no room.
    Full,
    /// The channel has no numbers left.
    NoNumbers,
    Halt(Halt),
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// Puts a message into the outbox; whose, and its number there.
pub(in crate::vat) fn post<V: View, E: Entropy>(
    step: &mut Step<'_, V, E>,
    new: &New<'_>,
) -> Result<(PeerNumber, VatId, Sequence), Refusal> {
    if new.turn.is_some() && !step.may_meet(&new.to.vat)? {
        return Err(Refusal::Full);
    }
    let mut peer = step.meet(new.to.vat)?;
    let (here, counters) = ((peer.outbound.held(), peer.pending_bytes), &step.vat.counters);
    let all = (counters.outbox, counters.outbox_bytes);
    step.vat.limits.outbox.room(here, all, new.bytes).map_err(|_| Refusal::Full)?;
    let cause = new.turn.map(|turn| step.vat.nonce_key.cause(turn));
    let names = names(step, new.args)?;
    let name = |handle: u64| names.iter().find(|(known, _)| *known == handle).map(|(_, qrid)| qrid.clone());
    let outgoing = wire::Outgoing {
        to: new.to.object,
        args: new.args,
        at: &step.vat.urls,
        cause: cause.as_deref(),
        resolver: None,
    };
    let json = outgoing.write(name).map_err(damaged)?;
    // Arguments of at most a megabyte, each Reference counted, always fit.
    debug_assert!(Plaintext::HEAD_BYTES + json.len() <= PLAINTEXT_BYTES_MAX, "{} bytes", json.len());
    let (prev, number) = (peer.outbound.last.tip, peer.outbound.last.number.next().ok_or(Refusal::NoNumbers)?);
    let id = step.vat.nonce_key.id(&step.entropy.draw(), peer.vat, number, &prev, json.as_bytes());
    let numbered = peer.outbound.push(&id).ok_or(Refusal::NoNumbers)?;
    let random = seal(step, &peer, numbered.number, id, prev, &json);
    let outbox = step.vat.counters.next_outbox;
    let bytes = json.len() as u64;
    let letter = Letter {
        outbox,
        peer: peer.peer,
        seq: numbered.number,
        id,
        prev,
        random,
        text: json,
        target: Some(new.target),
        void: None,
        queued_at: step.now_ms,
        turn: new.turn,
    };
    step.vat.counters.next_outbox += 1;
    step.vat.counters.outbox += 1;
    step.vat.counters.outbox_bytes += bytes;
    peer.pending_bytes += bytes;
    step.checkpoint.writes.push(Write::Peer(PeerWrite::Letter(Box::new(letter))));
    step.hurry(&mut peer);
    let to = (peer.peer, peer.vat, numbered.number);
    step.keep(peer);
    Ok(to)
}

/// The random part of a message's nonce, drawn for this text alone.
pub(super) fn seal<V, E: Entropy>(
    step: &mut Step<'_, V, E>,
    peer: &Peer,
    number: Sequence,
    id: MessageId,
    prev: Tip,
    json: &str,
) -> [u8; RANDOM_BYTES] {
    let text = Plaintext { id, prev, json: json.as_bytes() };
    step.vat.nonce_key.message(&step.entropy.draw(), peer.vat, number, &text)
}

/// The QRIDs of all references in `args`; those of other vats with where those may answer.
fn names<V: View, E: Entropy>(step: &Step<'_, V, E>, args: &str) -> Result<Vec<(Handle, Qrid)>, Halt> {
    let mut handles = qrt_shared::qjson::references(args).map_err(damaged)?;
    handles.sort_unstable();
    handles.dedup();
    let mut names = Vec::new();
    for handle in handles {
        let mut qrid = step.qrid(handle)?;
        if qrid.vat != step.vat.id
            && let Some(peer) = step.peer_of(&qrid.vat)?
        {
            qrid.at = step.view.urls(peer.peer)?.into_iter().map(|(url, _)| url).collect();
        }
        names.push((handle, qrid));
    }
    Ok(names)
}
