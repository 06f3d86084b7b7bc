//! Accounts: who makes the vat work, and what they have left.

use qrt_shared::control::Listing;
use qrt_shared::view::{AccountRow, Page};

use super::super::Context;
use super::super::command::Command::{self, Copy, Filter, Hold, Reach, Send};
use super::super::list::Row;
use super::super::query::{Data, Query};
use super::super::thing::Thing;
use super::super::widgets::grid::Cell;
use super::table::Rows;
use crate::format;

impl Row for AccountRow {
    fn key(&self) -> String {
        self.account.to_string()
    }
}

/// The accounts of the vat.
pub(super) struct Accounts;

/// What an account has left of its CPU time, in words; whether that is nothing.
pub(super) fn left(left_us: Option<i64>) -> (String, bool) {
    match left_us {
        None => ("no limit".to_owned(), false),
        Some(left) if left > 0 => (format::duration(left.unsigned_abs()), false),
        Some(owed) => (format!("owes {}", format::duration(owed.unsigned_abs())), true),
    }
}

impl Rows for Accounts {
    type Row = AccountRow;
    const TITLE: &'static str = "Accounts";
    const EMPTY: &'static str = "no accounts yet: each object you install has one, which pays for what it makes";
    const HEAD: &'static [&'static str] =
        &["ACCOUNT", "?UNDER", ">PAID", ">LEFT", ">OBJECTS", ">MEMORY", "?>QUEUED", "BUDGET"];
    const COMMANDS: &'static [Command] = &[Filter, Hold, Send, Reach, Copy];

    fn query(listing: Listing) -> Query {
        Query::Accounts(listing)
    }

    fn page<'a>(query: &'a Query, data: &'a Data) -> Option<(&'a Listing, &'a Page<AccountRow>)> {
        match (query, data) {
            (Query::Accounts(listing), Data::Accounts(page)) => Some((listing, page)),
            _ => None,
        }
    }

    fn thing(row: &AccountRow) -> Thing {
        Thing::Object { qrid: row.account.clone(), name: row.name.clone(), held: false }
    }

    fn cells(row: &AccountRow, cx: &Context, _: usize) -> Vec<Cell> {
        let theme = cx.theme;
        let (left, none) = left(row.used.cpu_left_us);
        let budget = if row.used.budget.is_empty() { "as set".to_owned() } else { row.used.budget.to_string() };
        vec![
            Cell::new(format::object(row.name.as_ref(), &row.account), theme.name()),
            row.above.as_ref().map(|above| format::object(None, above)).unwrap_or_default().into(),
            format::duration(row.used.cpu_us).into(),
            Cell::new(left, if none { theme.bad() } else { theme.plain() }),
            row.used.objects.to_string().into(),
            format::size(row.used.memory_bytes).into(),
            format::size(row.used.queued_bytes).into(),
            Cell::new(budget, theme.dim()),
        ]
    }
}
