//! Peers: other vats, and how the channels to and from them stand.

use qrt_shared::control::Listing;
use qrt_shared::view::{Page, Peer, PeerState};

use super::super::Context;
use super::super::command::Command::{self, AddPeer, Copy, Filter, Hold, Name, Resync, Retry, Why};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for Peer {
    fn key(&self) -> String {
        self.vat.to_string()
    }
}

/// Other vats.
pub(super) struct Peers;

impl Rows for Peers {
    type Row = Peer;
    const TITLE: &'static str = "Peers";
    const EMPTY: &'static str =
        "no other vats yet: + says where one answers, and so does qrt gossip for vats on this machine";
    const HEAD: &'static [&'static str] =
        &["PEER", "STATE", ">OUT", "?>ACKED", ">PENDING", ">IN", "?>TRIES", "NEXT TRY", "?HEARD", "?URL", "LAST ERROR"];
    const COMMANDS: &'static [Command] = &[Why, Retry, Hold, AddPeer, Resync, Name, Filter, Copy];

    fn query(listing: Listing) -> Query {
        Query::Peers(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<Peer>)> {
        match (query, data) {
            (Query::Peers(listing), Data::Peers(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &Peer) -> Thing {
        Thing::Peer { vat: row.vat, name: row.name.clone(), held: row.held }
    }

    fn cells(row: &Peer, cx: &Context, _: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let (state, style) = match (row.state, row.held, row.failing_since) {
            (PeerState::Ok, true, _) => ("held", theme.warning()),
            (PeerState::Ok, false, Some(_)) => ("failing", theme.bad()),
            (PeerState::Ok, false, None) => ("ok", theme.good()),
            (state, ..) => (state.as_str(), theme.bad()),
        };
        let next = row.next_attempt_at.map(|at| format::due(at, cx.now)).unwrap_or_default();
        let heard = row.last_contact_at.map_or_else(|| "never".to_owned(), |at| format::age(at, cx.now));
        vec![
            Cell::new(format::vat(row.name.as_ref(), &row.vat), theme.name()),
            Cell::new(state, style),
            (row.next_out - 1).to_string().into(),
            row.acked_out.to_string().into(),
            Cell::new(row.pending.to_string(), if row.pending > 0 { theme.warning() } else { theme.dim() }),
            row.last_in.to_string().into(),
            row.attempts.to_string().into(),
            next.into(),
            Cell::new(heard, theme.dim()),
            row.urls.first().map_or("none known", String::as_str).into(),
            Cell::new(row.last_error.as_deref().unwrap_or(""), theme.bad()),
        ]
    }
}
