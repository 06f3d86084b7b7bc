//! Accounts.

use qrt_shared::control::Listing;
use qrt_shared::view::{AccountRow, AccountUse, Page};
use rusqlite::Row;

use super::list::{Filter, From};
use super::{Asked, Read, ReadError};
use crate::protocol::Handle;
use crate::store::view;
use crate::vat::account::Account;

impl Asked<'_> {
    /// A page of accounts, oldest first; `filter` is of name and id of the first object.
    pub fn accounts(&self, listing: &Listing) -> Read<Page<AccountRow>> {
        let from = From::of(listing);
        let filter = Filter::of(listing);
        let sql = format!("SELECT account FROM account WHERE {}", from.by("account"));
        let keep = |row: &Row<'_>| Ok(filter.is_empty() || self.named_by(&filter, row.get(0)?)?);
        self.listed(from, &sql, [from.cursor], keep, |row| Ok((self.account(row.get(0)?)?, 0)))
    }

    /// One account.
    pub(super) fn account(&self, account: Handle) -> Read<AccountRow> {
        let row = self.account_row(account)?;
        Ok(AccountRow {
            account: self.qrid(account)?,
            name: self.petname(account)?,
            above: row.above.map(|above| self.qrid(above)).transpose()?,
            used: used(row),
        })
    }

    /// What an account has used.
    pub(super) fn account_use(&self, account: Handle) -> Read<AccountUse> {
        Ok(used(self.account_row(account)?))
    }

    /// An account's row.
    pub(super) fn account_row(&self, account: Handle) -> Read<Account> {
        let row = self.one("SELECT * FROM account WHERE account = ?1", [account], view::account_row)?;
        row.ok_or_else(|| ReadError::Damaged(format!("account {account} has no row")))
    }
}

fn used(row: Account) -> AccountUse {
    let Account { own, objects, memory_bytes, queued_bytes, cpu_us, compute, above: _ } = row;
    let cpu_left_us = compute.most_us.map(|_| compute.left_us);
    AccountUse { budget: own, objects, memory_bytes, queued_bytes, cpu_us, cpu_left_us }
}
