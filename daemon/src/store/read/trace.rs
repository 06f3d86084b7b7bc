//! Causes and effects: a turn or a message, what sent it and what it sent.

use qrt_shared::id::{MessageName, PeerName, Subject, VatId};
use qrt_shared::view::Traced;
use rusqlite::{Row, params};

use super::{Asked, Read, ReadError, from_json};
use crate::protocol::{self, Handle};
use crate::vat::source::Source;

struct Ran {
    turn: u64,
    message: Option<u64>,
    source: Source,
    object: Handle,
    outcome: String,
    error: Option<String>,
    cause: Option<u64>,
    clock_ms: u64,
    sent: Option<String>,
    posted: Option<String>,
    seq: Option<u64>,
    abroad: Option<String>,
}

const RAN: &str = "turn, message, source, object, outcome, error, cause, clock_ms, sent, posted, seq, abroad FROM turn";

fn ran(row: &Row<'_>) -> rusqlite::Result<Ran> {
    Ok(Ran {
        turn: row.get(0)?,
        message: row.get(1)?,
        source: row.get(2)?,
        object: row.get(3)?,
        outcome: row.get(4)?,
        error: row.get(5)?,
        cause: row.get(6)?,
        clock_ms: row.get(7)?,
        sent: row.get(8)?,
        posted: row.get(9)?,
        seq: row.get(10)?,
        abroad: row.get(11)?,
    })
}

impl Asked<'_> {
    /// A turn or a message, its cause and its effects.
    pub fn traced(&self, subject: &Subject) -> Read<Traced> {
        match subject {
            Subject::Turn(turn) => {
                let sql = format!("SELECT {RAN} WHERE turn = ?1");
                let bound = i64::try_from(*turn).unwrap_or(i64::MAX);
                let row = self.one(&sql, [bound], ran)?;
                let missing = || ReadError::Nothing(format!("the journal has no turn {turn}"));
                self.traced_turn(row.ok_or_else(missing)?)
            }
            Subject::In(message) => self.traced_in(*message),
            Subject::Out(peer, seq) => self.traced_out(peer, *seq),
            other => Err(ReadError::Nothing(format!("{other} is neither a turn nor a message"))),
        }
    }

    /// What became here of message `seq` of another vat.
    pub fn traced_from(&self, vat: VatId, seq: u64) -> Read<Traced> {
        let peer = self.find_peer(&PeerName::Vat(vat))?;
        let (source, seq) = (Source::Peer(peer.peer), i64::try_from(seq).unwrap_or(i64::MAX));
        let sql = format!("SELECT {RAN} WHERE source = ?1 AND seq = ?2 ORDER BY turn DESC LIMIT 1");
        if let Some(row) = self.one(&sql, params![source, seq], ran)? {
            return self.traced_turn(row);
        }
        let sql = "SELECT message FROM message WHERE source = ?1 AND seq = ?2
            UNION ALL SELECT message FROM fault WHERE source = ?1 AND seq = ?2 AND target IS NOT NULL LIMIT 1";
        let message = self.one(sql, params![source, seq], |row| row.get(0))?;
        if let Some(message) = message {
            return self.traced_in(message);
        }
        let sql = "SELECT error, at FROM fault WHERE source = ?1 AND seq = ?2 AND target IS NULL LIMIT 1";
        let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
        let fault: Option<(String, u64)> = self.one(sql, params![source, seq], row)?;
        let state = if fault.is_some() { "fault" } else { "unknown" };
        let seq = seq.unsigned_abs();
        Ok(Traced {
            at: fault.as_ref().map(|(_, at)| *at),
            error: fault.map(|(error, _)| one_line(&error)).transpose()?,
            from: self.from(source, Some(seq), None)?,
            ..self.nothing(state)
        })
    }

    fn nothing(&self, state: &str) -> Traced {
        Traced::nothing_but(self.vat, state)
    }

    fn traced_turn(&self, row: Ran) -> Read<Traced> {
        Ok(Traced {
            turn: Some(row.turn),
            message: row.message.map(MessageName::In),
            object: Some(self.qrid(row.object)?),
            name: self.petname(row.object)?,
            error: row.error.as_deref().map(one_line).transpose()?,
            at: Some(row.clock_ms),
            cause: row.cause,
            from: self.from(row.source, row.seq, row.abroad)?,
            sent: self.sent(row.sent.as_ref(), row.posted.as_ref())?,
            ..self.nothing(&row.outcome)
        })
    }

    /// The turn that handled a message.
    pub(super) fn turn_of(&self, message: u64) -> Read<Option<u64>> {
        let sql = "SELECT turn FROM turn WHERE message = ?1 ORDER BY turn DESC LIMIT 1";
        let bound = i64::try_from(message).unwrap_or(i64::MAX);
        self.one(sql, [bound], |row| row.get(0))
    }

    fn traced_in(&self, message: u64) -> Read<Traced> {
        if let Some(turn) = self.turn_of(message)? {
            return self.traced(&Subject::Turn(turn));
        }
        let bound = i64::try_from(message).unwrap_or(i64::MAX);
        let sql = "SELECT 'queued', source, target, cause, queued_at, seq, abroad, NULL FROM message WHERE message = ?1
            UNION ALL SELECT 'fault', source, target, cause, at, seq, abroad, error FROM fault
                WHERE message = ?1 AND target IS NOT NULL LIMIT 1";
        let row = |row: &Row<'_>| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Source>(1)?,
                row.get::<_, Handle>(2)?,
                row.get::<_, Option<u64>>(3)?,
                (row.get::<_, u64>(4)?, row.get::<_, Option<u64>>(5)?, row.get::<_, Option<String>>(6)?),
                row.get::<_, Option<String>>(7)?,
            ))
        };
        let found = self.one(sql, [bound], row)?;
        let Some((state, source, target, cause, (at, seq, abroad), error)) = found else {
            return Ok(Traced { message: Some(MessageName::In(message)), ..self.nothing("unknown") });
        };
        Ok(Traced {
            message: Some(MessageName::In(message)),
            object: Some(self.qrid(target)?),
            name: self.petname(target)?,
            error: error.as_deref().map(one_line).transpose()?,
            at: Some(at),
            cause,
            from: self.from(source, seq, abroad)?,
            ..self.nothing(&state)
        })
    }

    fn traced_out(&self, name: &PeerName, seq: u64) -> Read<Traced> {
        let peer = self.find_peer(name)?;
        if seq == 0 || seq > peer.outbound.last.number.0 {
            return Err(ReadError::Nothing(format!("no message {seq} was ever sent to {}", peer.vat)));
        }
        let message = Some(MessageName::Out(peer.vat, seq));
        Ok(match self.letter(&peer, seq)? {
            Some(letter) => Traced {
                message,
                object: letter.target,
                at: Some(letter.queued_at),
                cause: letter.turn,
                error: letter.last_error,
                ..self.nothing("unacknowledged")
            },
            // The row is gone; who sent it only the journal could say.
            None => Traced { message, ..self.nothing("acknowledged") },
        })
    }
}

fn one_line(error: &str) -> Read<String> {
    Ok(from_json::<protocol::CodeError>(error)?.one_line())
}
