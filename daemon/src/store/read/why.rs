//! What keeps something from going on: the first cause, its evidence, and the command that would clear it.
//!
//! Always the present reason: everything here is read from the rows as they are now.

use qrt_shared::id::{PeerName, Petname, Subject, Target};
use qrt_shared::view::Why;
use rusqlite::params;

use super::{Asked, Queues, Read, ReadError, from_json};
use crate::peer::session::State;
use crate::protocol::{self, Handle};
use crate::vat::account::Refill;
use crate::vat::peer::Peer;
use crate::vat::source::{PeerNumber, Source};

/// Messages that are counted; beyond, there are more.
const COUNTED: u64 = 1000;

/// Chains of messages that are shown: shorter ones are everyday life.
const CHAIN_SHOWN: u64 = 1000;

/// What is wrong with a vat: so much of it is told.
const WRONG_MAX: usize = 20;

/// Held objects that are looked at for messages that wait for them.
const HELD_SEEN: u64 = 1000;

/// One cause, or that there is none.
struct Cause {
    blocked: bool,
    sentence: String,
    evidence: Vec<String>,
    command: Option<String>,
}

impl Cause {
    fn none(sentence: impl Into<String>) -> Self {
        Self { blocked: false, sentence: sentence.into(), evidence: Vec::new(), command: None }
    }

    fn of(sentence: impl Into<String>, command: impl Into<String>) -> Self {
        Self { blocked: true, sentence: sentence.into(), evidence: Vec::new(), command: Some(command.into()) }
    }

    fn of_subject(self, subject: &impl ToString) -> Why {
        let Self { blocked, sentence, evidence, command } = self;
        Why { subject: subject.to_string(), blocked, sentence, evidence, command }
    }

    fn shown(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}

impl Asked<'_> {
    /// What keeps `subject` from going on, at `now_ms`; of `None`, the vat.
    pub fn why(&self, subject: Option<&Subject>, now_ms: u64) -> Read<Why> {
        let cause = match subject {
            None => self.why_vat(now_ms)?,
            Some(Subject::Object(qrid)) if qrid.vat != self.vat => {
                let peer = self.find_peer(&PeerName::Vat(qrid.vat))?;
                let cause = self.why_peer(&peer, now_ms)?;
                cause.shown(format!("the object is in vat {}", peer.vat))
            }
            Some(Subject::Object(qrid)) => self.why_object(self.resolve_ever(&Target::Qrid(qrid.clone()))?, now_ms)?,
            Some(Subject::Peer(vat)) => self.why_peer(&self.find_peer(&PeerName::Vat(*vat))?, now_ms)?,
            Some(Subject::Petname(name)) => self.why_named(name, now_ms)?,
            Some(Subject::In(message)) => self.why_in(*message, now_ms)?,
            Some(Subject::Out(peer, seq)) => self.why_out(&self.find_peer(peer)?, *seq, now_ms)?,
            Some(Subject::Turn(turn)) => self.why_turn(*turn, now_ms)?,
        };
        Ok(match subject {
            None => cause.of_subject(&self.vat),
            Some(subject) => cause.of_subject(subject),
        })
    }

    /// What is wrong with the vat as a whole, the gravest first, [`WRONG_MAX`] at most: what an operator must decide,
    /// then what waits for nobody's decision and does not mend itself, then the rest.
    pub fn wrong(&self, queues: &Queues, now_ms: u64) -> Read<Vec<Why>> {
        let mut wrong = Vec::new();
        let sql = "SELECT peer FROM peer WHERE state NOT IN ('ok', 'unsure') ORDER BY stopped_at LIMIT ?1";
        for peer in self.rows(sql, [WRONG_MAX], |row| row.get(0))? {
            let peer = self.peer_row(peer)?;
            wrong.push(self.why_peer(&peer, now_ms)?.of_subject(&peer.vat));
        }
        let sql = "SELECT object FROM object WHERE held = 1 ORDER BY held_why IS NULL, object LIMIT ?1";
        for object in self.rows(sql, [HELD_SEEN], |row| row.get(0))? {
            if wrong.len() < WRONG_MAX && queues.of(object) > 0 {
                wrong.push(self.why_object(object, now_ms)?.of_subject(&self.qrid(object)?));
            }
        }
        let sql =
            "SELECT account FROM account WHERE most_us IS NOT NULL AND left_us <= 0 AND queued_bytes > 0 LIMIT ?1";
        for account in self.rows(sql, [WRONG_MAX], |row| row.get(0))? {
            if let Some(cause) = self.spent(&[account], now_ms)? {
                wrong.push(cause.of_subject(&self.qrid(account)?));
            }
        }
        let sql = "SELECT peer FROM peer WHERE last_out > acked_out AND state IN ('ok', 'unsure')
            AND (failures > 0 OR held = 1 OR due_at IS NULL) ORDER BY failing_since IS NULL, failing_since LIMIT ?1";
        for peer in self.rows(sql, [WRONG_MAX], |row| row.get(0))? {
            let peer = self.peer_row(peer)?;
            wrong.push(self.why_peer(&peer, now_ms)?.of_subject(&peer.vat));
        }
        wrong.retain(|why| why.blocked);
        // These stay however much else there is: they wait for an operator and for nobody else.
        wrong.truncate(WRONG_MAX - 1);
        if let Some(cause) = self.faulty()? {
            wrong.push(cause.of_subject(&self.vat));
        }
        Ok(wrong)
    }

    /// That messages have failed, if any have.
    fn faulty(&self) -> Read<Option<Cause>> {
        let faults = self.info()?.faults;
        let wait = if faults == 1 { "waits" } else { "wait" };
        let what = format!("{} failed and {wait} for you", count(faults, "message"));
        Ok((faults > 0).then(|| Cause::of(what, "qrt faults DIR")))
    }

    fn why_named(&self, name: &Petname, now_ms: u64) -> Read<Cause> {
        match self.resolve(&Target::Petname(name.clone())) {
            Ok(object) => self.why_object(object, now_ms),
            Err(ReadError::NoObject(_)) => match self.find_peer(&PeerName::Petname(name.clone())) {
                Ok(peer) => self.why_peer(&peer, now_ms),
                Err(ReadError::NoPeer(_)) => Err(ReadError::NoName(name.clone())),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn why_vat(&self, now_ms: u64) -> Read<Cause> {
        // What an operator must decide comes first, then what mends itself.
        let sql = "SELECT peer FROM peer WHERE state NOT IN ('ok', 'unsure') ORDER BY stopped_at LIMIT 1";
        if let Some(peer) = self.one(sql, [], |row| row.get(0))? {
            return self.why_peer(&self.peer_row(peer)?, now_ms);
        }
        let sql =
            "SELECT object FROM object WHERE held = 1 AND EXISTS (SELECT 1 FROM message WHERE target = object) LIMIT 1";
        if let Some(object) = self.one(sql, [], |row| row.get(0))? {
            return self.why_object(object, now_ms);
        }
        let sql =
            "SELECT account FROM account WHERE most_us IS NOT NULL AND left_us <= 0 AND queued_bytes > 0 LIMIT 100";
        for account in self.rows(sql, [], |row| row.get(0))? {
            if let Some(cause) = self.spent(&[account], now_ms)? {
                return Ok(cause);
            }
        }
        let sql = "SELECT peer FROM peer WHERE last_out > acked_out AND (failures > 0 OR held = 1 OR due_at IS NULL)
            ORDER BY failing_since IS NULL, failing_since LIMIT 1";
        if let Some(peer) = self.one(sql, [], |row| row.get(0))? {
            return self.why_peer(&self.peer_row(peer)?, now_ms);
        }
        if let Some(cause) = self.faulty()? {
            let sentence = format!("nothing is stuck, but {}", cause.sentence);
            return Ok(Cause { blocked: false, sentence, ..cause });
        }
        let info = self.info()?;
        let busy = format!("{} in the inbox, {} in the outbox", count(info.inbox, "message"), info.outbox);
        Ok(Cause::none("nothing keeps this vat from going on").shown(busy))
    }

    fn why_object(&self, object: Handle, now_ms: u64) -> Read<Cause> {
        let name = match self.petname(object)? {
            Some(name) => name.to_string(),
            None => self.qrid(object)?.to_string(),
        };
        let sql = "SELECT held, held_why FROM object WHERE object = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?));
        let held = self.one(sql, [object], row)?;
        let sql = "SELECT count(*) FROM (SELECT 1 FROM message WHERE target = ?1 LIMIT ?2)";
        let queued: u64 = self.db.prepare_cached(sql)?.query_row([object, COUNTED], |row| row.get(0))?;
        let queued_text = format!("{} queued for it", count_up(queued, "message"));
        let Some((held, held_why)) = held else {
            let what = "it was removed: whatever is sent to it becomes a fault";
            return Ok(Cause { command: None, ..Cause::of(what, "") });
        };
        let sql = "SELECT source, max(chain) FROM (SELECT source, chain FROM message WHERE target = ?1 LIMIT ?2)
            GROUP BY source";
        let sources: Vec<(Source, u64)> = self.rows(sql, [object, COUNTED], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let chain = sources.iter().map(|(_, chain)| *chain).max().unwrap_or(0);
        let queued_text = if chain >= CHAIN_SHOWN {
            format!("{queued_text}, part of a chain of {chain} messages that sent each other")
        } else {
            queued_text
        };
        if held {
            let by = held_why.map(|why| format!(" by the vat itself: {why}")).unwrap_or_default();
            let what = format!("{name} is held{by}: it takes no turns");
            return Ok(Cause::of(what, format!("qrt release DIR {name}")).shown(queued_text));
        }
        for (source, _) in sources {
            if let Some(cause) = self.spent(&self.payers(source, object)?, now_ms)? {
                return Ok(cause.shown(queued_text));
            }
        }
        let sql = "SELECT turn, outcome, error FROM turn WHERE object = ?1 AND edit IS NULL ORDER BY turn DESC LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get(2)?));
        let last: Option<(u64, String, Option<String>)> = self.one(sql, [object], row)?;
        if let Some((turn, outcome, Some(error))) = last {
            let error: protocol::CodeError = from_json(&error)?;
            let sql = "SELECT fault, at FROM fault WHERE target = ?1 AND turn = ?2";
            let fault: Option<(u64, u64)> = self.one(sql, [object, turn], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let command = match fault {
                Some((fault, _)) => format!("qrt fault-retry DIR {fault}"),
                None => format!("qrt turns DIR --object {name}"),
            };
            let since = self.failing_since(object, turn)?;
            let what = format!("its last turn ended as {outcome}: {}", error.one_line());
            let shown = Cause::of(what, command).shown(format!("failing since turn {since}, {queued_text}"));
            return Ok(shown.shown("mend its code with `qrt upgrade` before you retry"));
        }
        if queued == 0 {
            return Ok(Cause::none("nothing waits for it"));
        }
        Ok(Cause::none("its messages wait for their turns").shown(queued_text))
    }

    /// The accounts that pay for what `source` sends to `object`, the nearest first: as the kernel's
    /// `budget::payers` has it.
    fn payers(&self, source: Source, object: Handle) -> Read<Vec<Handle>> {
        let Source::Account(source) = source else { return Ok(Vec::new()) };
        let sql = "SELECT account FROM object WHERE object = ?1";
        let target = self.account_chain(self.db.prepare_cached(sql)?.query_row([object], |row| row.get(0))?)?;
        if target.contains(&source) { Ok(target) } else { self.account_chain(source) }
    }

    fn account_chain(&self, account: Handle) -> Read<Vec<Handle>> {
        let mut chain = vec![account];
        let mut next = self.account_row(account)?.above;
        while let Some(above) = next {
            chain.push(above);
            next = self.account_row(above)?.above;
        }
        Ok(chain)
    }

    /// The first of these accounts that has spent its compute, and when it gets some back.
    fn spent(&self, accounts: &[Handle], now_ms: u64) -> Read<Option<Cause>> {
        for account in accounts {
            let compute = self.account_row(*account)?.compute;
            let Some(refill) = compute.empty(now_ms) else { continue };
            let (qrid, owed_us) = (self.qrid(*account)?, -compute.at(now_ms).left_us);
            let when = match refill {
                Refill::At(at_ms) => format!("it has some again {}", ahead(now_ms, at_ms)),
                Refill::Never => "none ever comes back: it has no refill".to_owned(),
            };
            let sentence = format!("the account of {qrid} has spent its budget of CPU time; {when}");
            let cause = Cause { blocked: true, sentence, evidence: Vec::new(), command: None };
            let (most_ms, refill_ms) = (compute.most_us.unwrap_or(0) / 1000, compute.refill_us / 1000);
            let cause = cause.shown(format!("it owes {owed_us} us"));
            return Ok(Some(cause.shown(format!("of {most_ms} ms at most, {refill_ms} ms come back each second"))));
        }
        Ok(None)
    }

    /// The first of the failed turns in a row that ends with `turn`.
    fn failing_since(&self, object: Handle, turn: u64) -> Read<u64> {
        let sql = "SELECT coalesce((SELECT min(turn) FROM turn WHERE object = ?1 AND edit IS NULL AND turn >
            coalesce((SELECT max(turn) FROM turn WHERE object = ?1 AND outcome = 'ok' AND edit IS NULL), 0)), ?2)";
        Ok(self.db.prepare_cached(sql)?.query_row([object, turn], |row| row.get(0))?)
    }

    fn why_peer(&self, peer: &Peer, now_ms: u64) -> Read<Cause> {
        let vat = peer.vat;
        let name = peer.name.as_ref().map_or_else(|| vat.to_string(), ToString::to_string);
        let mut waiting = format!("{} to it not acknowledged", count(peer.outbound.held(), "message"));
        if peer.outbound.waits_to_ask() {
            waiting += "; this vat went back, so it is asked where it stands before anything is sent";
        }
        if let Some(stop) = peer.outbound.state.stop() {
            let ours = peer.outbound.acked.number;
            let what = match peer.outbound.state {
                State::PeerRolledBack(_) => {
                    format!("{name} was rolled back: it has forgotten messages it had acknowledged")
                }
                _ => format!("the histories of the channel to {name} diverged: one end was restored from an old copy"),
            };
            let since = peer.stopped_at.map(|at| ago(now_ms, at)).unwrap_or_default();
            return Ok(Cause::of(what, format!("qrt peer-resync DIR {name}"))
                .shown(format!("it says it has our messages up to {}; it had acknowledged {ours}", stop.theirs.number))
                .shown(format!("noticed {since}; {waiting}"))
                .shown("if its operator puts the right copy back, `qrt retry` clears it"));
        }
        if peer.held {
            return Ok(Cause::of(format!("{name} is held: it gets no deliveries"), format!("qrt release DIR {name}"))
                .shown(waiting));
        }
        if peer.outbound.held() == 0 {
            return Ok(Cause::none(format!("nothing waits for {name}")));
        }
        let urls = self.rows(crate::store::peers::URLS, [peer.peer], crate::store::peers::url)?;
        if urls.is_empty() {
            let what = format!("nobody knows where {name} answers: it has no URL");
            return Ok(Cause::of(what, format!("qrt peer-add DIR {vat} http://HOST:PORT")).shown(waiting));
        }
        let Some(error) = peer.last_error.as_ref().filter(|_| peer.failures > 0) else {
            return Ok(Cause::none(format!("messages to {name} are on their way")).shown(waiting));
        };
        let since = peer.failing_since.map(|at| ago(now_ms, at)).unwrap_or_default();
        let next = peer.due_at.map_or_else(|| "not planned".to_owned(), |at| ahead(now_ms, at));
        let tried = count(u64::from(peer.failures), "attempt");
        Ok(Cause::of(format!("{name} cannot be reached: {error}"), format!("qrt retry DIR --peer {name}"))
            .shown(format!("{tried} failed, the first {since}; the next is {next}"))
            .shown(waiting))
    }

    fn why_out(&self, peer: &Peer, seq: u64, now_ms: u64) -> Read<Cause> {
        let acked = peer.outbound.acked.number.0;
        if seq == 0 || seq > peer.outbound.last.number.0 {
            return Err(ReadError::Nothing(format!("no message {seq} was ever sent to {}", peer.vat)));
        }
        if seq <= acked {
            return Ok(Cause::none(format!("{} has it: it acknowledged up to {acked}", peer.vat)));
        }
        let cause = self.why_peer(peer, now_ms)?;
        let before = seq - acked - 1;
        let cause =
            if before == 0 { cause } else { cause.shown(format!("{} to go before it", count(before, "message"))) };
        Ok(match self.letter(peer, seq)?.and_then(|letter| letter.void) {
            Some(reason) => cause.shown(format!("it was dropped ({reason}): a void goes in its place")),
            None => cause,
        })
    }

    fn why_in(&self, message: u64, now_ms: u64) -> Read<Cause> {
        let bound = i64::try_from(message).unwrap_or(i64::MAX);
        let sql = "SELECT source, target, chain FROM message WHERE message = ?1";
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, Source>(0)?, row.get::<_, Handle>(1)?, row.get::<_, u64>(2)?));
        if let Some((source, target, chain)) = self.one(sql, [bound], row)? {
            let sql = "SELECT count(*) FROM (SELECT 1 FROM message WHERE source = ?1 AND target = ?2 AND message < ?3 LIMIT ?4)";
            let params = params![source, target, bound, COUNTED];
            let before: u64 = self.db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?;
            let chain_is_long = chain >= CHAIN_SHOWN;
            let before = format!("{} before it in its queue", count_up(before, "message"));
            let sql = "SELECT held FROM object WHERE object = ?1";
            if self.one(sql, [target], |row| row.get(0))? == Some(true) {
                let object = self.why_object(target, now_ms)?;
                return Ok(object.shown(before));
            }
            let cause = match self.spent(&self.payers(source, target)?, now_ms)? {
                Some(cause) => cause,
                None => Cause::none("it waits for its turn"),
            };
            let chain = format!("part of a chain of {chain} messages, each sent by the turn of the one before");
            let cause = if chain_is_long { cause.shown(chain) } else { cause };
            return Ok(cause.shown(before));
        }
        let sql = "SELECT fault, outcome, error FROM fault WHERE message = ?1 AND target IS NOT NULL ORDER BY fault DESC LIMIT 1";
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
        if let Some((fault, outcome, error)) = self.one(sql, [bound], row)? {
            let error: protocol::CodeError = from_json(&error)?;
            let what = format!("it is a fault, {outcome}: {}", error.one_line());
            return Ok(Cause::of(what, format!("qrt fault-retry DIR {fault}")).shown(format!("fault {fault}")));
        }
        match self.turn_of(message)? {
            Some(turn) => Ok(Cause::none(format!("it ran, as turn {turn}"))),
            None => Err(ReadError::Nothing(format!(
                "in:{message} is not in the inbox, and the journal knows nothing of it"
            ))),
        }
    }

    fn why_turn(&self, turn: u64, now_ms: u64) -> Read<Cause> {
        let sql = "SELECT outcome, error, message FROM turn WHERE turn = ?1";
        let bound = i64::try_from(turn).unwrap_or(i64::MAX);
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<u64>>(2)?))
        };
        let found = self.one(sql, [bound], row)?;
        let missing = || ReadError::Nothing(format!("the journal has no turn {turn}"));
        let (outcome, error, message) = found.ok_or_else(missing)?;
        match (error, message) {
            (Some(_), Some(message)) => match self.why_in(message, now_ms) {
                Ok(cause) if cause.blocked => Ok(cause),
                _ => Ok(Cause::none(format!("turn {turn} ended as {outcome}; its message is no fault any more"))),
            },
            _ => Ok(Cause::none(format!("turn {turn} ended as {outcome}"))),
        }
    }

    /// Where a peer's attempts stand, for one who waits for the next to end.
    pub fn attempted(&self, name: &PeerName) -> Read<Attempted> {
        let peer = self.find_peer(name)?;
        Ok(Attempted { peer: peer.peer, tries: peer.tries, error: peer.last_error })
    }
}

/// Where a peer's attempts stand.
#[derive(Debug, Clone)]
pub struct Attempted {
    /// The peer.
    pub peer: PeerNumber,
    /// How many have ended.
    pub tries: u64,
    /// Why the last failed, if it did.
    pub error: Option<String>,
}

/// So many of something.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn count_up(number: u64, what: &str) -> String {
    if number >= COUNTED { format!("{COUNTED} or more {what}s") } else { count(number, what) }
}

fn ago(now_ms: u64, then_ms: u64) -> String {
    format!("{} ago", span(now_ms.saturating_sub(then_ms)))
}

fn ahead(now_ms: u64, then_ms: u64) -> String {
    if then_ms <= now_ms { "due now".to_owned() } else { format!("in {}", span(then_ms - now_ms)) }
}

fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
