//! One other vat: how the channels both ways stand, in words, where it answers, and what is tried next.

use qrt_shared::control::Listing;
use qrt_shared::id::{PeerName, Petname, VatId};
use qrt_shared::view::{Peer, PeerState};
use ratatui::text::Line;

use super::super::command::Command::{self, AddPeer, Copy, Hold, Name, Resync, Retry, Why};
use super::super::pane::Pane;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::fields::Fields;
use super::one::{Found, Whole};
use super::outbox::Outbox;
use super::table::Table;
use crate::format;

pub(super) struct OnePeer {
    pub(super) vat: VatId,
    pub(super) name: Option<Petname>,
    pub(super) held: bool,
}

impl Whole for OnePeer {
    type View = Peer;
    const GONE: &'static str = "this vat knows no such peer any more";
    const BLOCKS: bool = true;
    const COMMANDS: &'static [Command] = &[Why, Retry, Hold, Resync, AddPeer, Name, Copy];

    fn query(&self) -> Query {
        Query::Peer(PeerName::Vat(self.vat))
    }

    fn found(&self, data: &Data) -> Option<Found<Peer>> {
        let Data::Peer(peer) = data else { return None };
        Some(Found::Here((**peer).clone()))
    }

    fn thing(&self, peer: Option<&Peer>) -> Thing {
        let (name, held) = peer.map_or((self.name.clone(), self.held), |peer| (peer.name.clone(), peer.held));
        Thing::Peer { vat: self.vat, name, held }
    }

    fn lines(&self, peer: &Peer, fields: Fields, now: u64) -> Vec<Line<'static>> {
        let theme = fields.theme;
        let mut lines = fields.field("vat", peer.vat.to_string(), theme.name());
        if let Some(name) = &peer.name {
            lines.extend(fields.field("name", name.to_string(), theme.name()));
        }
        lines.extend(state(peer, fields));
        lines.extend(fields.heading("To it"));
        lines.extend(fields.plain("next", format!("the next message to it is number {}", peer.next_out)));
        lines.extend(fields.plain("acknowledged", up_to("it has acknowledged", peer.acked_out)));
        let pending = match peer.pending {
            0 => "nothing waits: Enter shows its outbox".to_owned(),
            pending => {
                let (count, size) = (format::count(pending, "message"), format::size(peer.pending_bytes));
                format!("{count}, {size}: Enter shows them")
            }
        };
        lines.extend(fields.field("pending", pending, if peer.pending > 0 { theme.warning() } else { theme.plain() }));
        lines.extend(fields.heading("From it"));
        lines.extend(fields.plain("accepted", up_to("this vat has accepted", peer.last_in)));
        lines.extend(fields.heading("Reaching it"));
        lines.extend(reaching(peer, fields, now));
        lines
    }

    fn inner(&self, _: Option<&Peer>) -> Option<Box<dyn Pane>> {
        let listing = Listing { peer: Some(PeerName::Vat(self.vat)), ..Listing::default() };
        Some(Box::new(Table::<Outbox>::new(listing)))
    }
}

fn up_to(who: &str, number: u64) -> String {
    if number == 0 { format!("{who} nothing yet") } else { format!("{who} all up to number {number}") }
}

/// Whether the history of the channel is the same at both ends.
fn state(peer: &Peer, fields: Fields) -> Vec<Line<'static>> {
    let theme = fields.theme;
    let strange = peer.last_contact_at.is_none() && peer.acked_out == 0 && peer.last_in == 0;
    let (said, style) = match peer.state {
        PeerState::Ok if strange => ("not yet known: nothing has come from it yet", theme.plain()),
        PeerState::Ok => ("ok: both ends know the same history", theme.good()),
        PeerState::Unsure => {
            ("unsure: this vat was restored or went back, and asks the other before it sends anything", theme.warning())
        }
        PeerState::Diverged => {
            ("diverged: one end was restored from an old copy, or lost a part of its log; R goes on", theme.bad())
        }
        PeerState::PeerRolledBack => {
            ("peer-rolled-back: it has gone back behind what it had acknowledged; R goes on", theme.bad())
        }
    };
    let mut lines = fields.field("channel", said, style);
    if let Some(since) = peer.state_since {
        lines.extend(fields.plain("since", format!("{} UTC", format::time(since))));
    }
    if let Some(theirs) = peer.theirs {
        let (acked, sent) = (peer.acked_out, peer.next_out.saturating_sub(1));
        let means = if theirs < acked {
            format!("{} fewer than it had acknowledged: it went back", acked - theirs)
        } else if theirs > sent {
            format!("{} more than this vat knows of: this vat went back", theirs - sent)
        } else {
            "which fits what this vat sent".to_owned()
        };
        lines.extend(fields.field("it says", format!("it has {theirs} from here, {means}"), theme.warning()));
    }
    if peer.held {
        lines.extend(fields.field("held", "an operator holds its queue: h releases it", theme.warning()));
    }
    lines
}

/// Where it answers, and when it is tried next.
fn reaching(peer: &Peer, fields: Fields, now: u64) -> Vec<Line<'static>> {
    let theme = fields.theme;
    let mut lines = Vec::new();
    for (number, url) in peer.urls.iter().enumerate() {
        let first = if number == 0 { "  (tried first)" } else { "" };
        lines.extend(fields.plain("url", format!("{url}{first}")));
    }
    if peer.urls.is_empty() {
        lines.extend(fields.field("url", "none is known: + says where it answers", theme.warning()));
    }
    let round = peer.round_trip_us.map_or_else(|| "not measured since the daemon started".to_owned(), format::duration);
    lines.extend(fields.plain("round trip", round));
    let heard = peer
        .last_contact_at
        .map_or_else(|| "never".to_owned(), |at| format!("{}, {} UTC", format::age(at, now), format::time(at)));
    lines.extend(fields.plain("last contact", heard));
    if peer.attempts > 0 {
        let since = peer.failing_since.map(|at| format!(", the first {}", format::age(at, now))).unwrap_or_default();
        let tries = format::count(peer.attempts, "failed attempt");
        lines.extend(fields.field("backoff", format!("{tries} in a row{since}"), theme.bad()));
    }
    let next = peer.next_attempt_at.map_or_else(|| "none is due".to_owned(), |at| format::due(at, now));
    lines.extend(fields.plain("next try", next));
    if let Some(error) = &peer.last_error {
        lines.extend(fields.field("last error", error, theme.bad()));
    }
    lines
}
