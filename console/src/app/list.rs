//! A list of which one page is here: the selection, and how it moves on to other pages.

use qrt_shared::control::{At, Listing};
use qrt_shared::view::Page;

use super::command::Motion;
use super::scroll::Scroll;

/// Rows of a page: more than a tall terminal shows, few enough to be read again each second.
const ROWS: u64 = 120;

/// What tells the rows of a list apart.
pub trait Row {
    /// The same for the same row, whatever else about it has changed.
    fn key(&self) -> String;
}

/// A list.
#[derive(Debug)]
pub struct List<T> {
    listing: Listing,
    page: Option<Page<T>>,
    /// What the page that is here was asked for: the one that is asked for now may not have come yet.
    here: Listing,
    /// Where it begins.
    home: At,
    scroll: Scroll,
    /// Where the selection goes when the next page comes.
    land: Land,
    refused: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Land {
    /// On the row it was on.
    Same,
    First,
    Last,
}

impl<T: Row> List<T> {
    /// A list of which nothing is here yet.
    pub fn new(listing: Listing) -> Self {
        let listing = Listing { limit: Some(ROWS), ..listing };
        let land = if listing.at == At::Last { Land::Last } else { Land::First };
        let (here, home) = (listing.clone(), listing.at);
        Self { listing, page: None, here, home, scroll: Scroll::default(), land, refused: None }
    }

    /// What is to be asked for.
    pub fn listing(&self) -> Listing {
        self.listing.clone()
    }

    /// Asks for something else: another filter, another order.
    pub fn ask(&mut self, change: impl FnOnce(&mut Listing)) {
        change(&mut self.listing);
        self.refused = None;
        self.listing.at = self.home;
        self.land = if self.home == At::Last { Land::Last } else { Land::First };
    }

    /// A page has come.
    pub fn loaded(&mut self, listing: &Listing, page: &Page<T>)
    where
        T: Clone,
    {
        if *listing != self.listing {
            return;
        }
        self.refused = None;
        let last = page.items.len().saturating_sub(1);
        let selected = match self.land {
            Land::First => 0,
            Land::Last => last,
            Land::Same => {
                let key = self.selected().map(Row::key);
                let found = key.and_then(|key| page.items.iter().position(|row| row.key() == key));
                found.unwrap_or(self.place()).min(last)
            }
        };
        self.scroll.to(selected);
        // A page from which rows went may have become empty while there are others.
        if page.items.is_empty() && !matches!(self.listing.at, At::First | At::Last) {
            self.listing.at = At::First;
        }
        let follows = self.listing.at == At::Last && self.land == Land::Last;
        self.land = if follows { Land::Last } else { Land::Same };
        self.page = Some(page.clone());
        self.here = listing.clone();
    }

    /// Why it cannot be shown.
    pub fn refuse(&mut self, listing: &Listing, why: &str) {
        if *listing == self.listing {
            self.refused = Some(why.to_owned());
        }
    }

    /// Why it cannot be shown, if it cannot.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether the rows that are here are those that are asked for.
    pub fn came(&self) -> bool {
        self.page.is_some() && self.here == self.listing
    }

    /// The rows that are here; `None` when none have come yet.
    pub fn rows(&self) -> Option<&[T]> {
        self.page.as_ref().map(|page| page.items.as_slice())
    }

    /// The row the selection is on.
    pub fn selected(&self) -> Option<&T> {
        self.page.as_ref()?.items.get(self.place())
    }

    /// Its place among the rows that are here.
    pub fn place(&self) -> usize {
        self.scroll.place()
    }

    /// Whether there are rows before and after those that are here, and whether not all were looked at.
    pub fn beyond(&self) -> (bool, bool, bool) {
        self.page
            .as_ref()
            .map_or((false, false, false), |page| (page.prev.is_some(), page.next.is_some(), page.partial))
    }

    /// The rows to draw in `height` lines: the first of them, such that the selection is among them.
    pub fn window(&self, height: usize) -> usize {
        self.scroll.window(self.rows().map_or(0, <[T]>::len), height)
    }

    /// Selects what stands in that line of what is drawn, the first counted as 0.
    pub fn click(&mut self, line: usize) {
        if self.scroll.click(line, self.rows().map_or(0, <[T]>::len)) {
            self.land = Land::Same;
        }
    }

    /// Moves the selection; beyond the rows that are here, to the page there.
    pub fn go(&mut self, motion: Motion) {
        let Some(rows) = self.rows().map(<[T]>::len) else { return };
        let moved = self.scroll.go(motion, rows);
        if !moved || matches!(motion, Motion::First | Motion::Last) {
            self.turn(motion);
        } else {
            self.land = Land::Same;
        }
    }

    /// Goes on to the page where a movement leads that leaves this one, if there is any.
    pub fn turn(&mut self, motion: Motion) {
        let Some(page) = &self.page else { return };
        let leaves = self.listing.at != self.here.at;
        let at = match motion {
            Motion::Up | Motion::PageUp => page.prev.map(At::Before),
            Motion::Down | Motion::PageDown => page.next.map(At::After),
            Motion::First => (leaves || page.prev.is_some()).then_some(At::First),
            // The end of an order that changes all the time cannot be asked for.
            Motion::Last => (leaves || page.next.is_some()).then_some(At::Last).filter(|_| self.listing.sort.is_none()),
            Motion::Left | Motion::Right => return,
        };
        self.land = match at {
            None => Land::Same,
            Some(At::Before(_) | At::Last) => Land::Last,
            Some(At::First | At::After(_)) => Land::First,
        };
        self.listing.at = at.unwrap_or(self.listing.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for u64 {
        fn key(&self) -> String {
            self.to_string()
        }
    }

    fn page(items: &[u64], prev: Option<u64>, next: Option<u64>) -> Page<u64> {
        Page { items: items.to_vec(), next, prev, partial: false, as_of: 1 }
    }

    #[test]
    fn the_selection_stays_on_its_row() {
        let mut list = List::new(Listing::default());
        list.loaded(&list.listing(), &page(&[1, 2, 3], None, None));
        list.go(Motion::Down);
        list.loaded(&list.listing(), &page(&[2, 3, 4], None, None));
        assert_eq!(list.selected(), Some(&2));
        list.loaded(&list.listing(), &page(&[3], None, None));
        assert_eq!(list.selected(), Some(&3), "its row is gone");
    }

    #[test]
    fn a_move_beyond_the_page_asks_for_the_next_and_back() {
        let mut list = List::new(Listing::default());
        list.loaded(&list.listing(), &page(&[1, 2], None, Some(2)));
        list.go(Motion::Last);
        assert_eq!(list.listing().at, At::Last);
        list.loaded(&list.listing(), &page(&[8, 9], Some(8), None));
        assert_eq!(list.selected(), Some(&9));
        list.go(Motion::Up);
        list.go(Motion::Up);
        assert_eq!(list.listing().at, At::Before(8));
        list.loaded(&list.listing(), &page(&[6, 7], Some(6), Some(7)));
        assert_eq!(list.selected(), Some(&7), "it comes from below");
        list.go(Motion::Down);
        assert_eq!(list.listing().at, At::After(7));
    }

    #[test]
    fn the_last_key_says_where_to_go_however_slowly_pages_come() {
        let mut list = List::new(Listing::default());
        let first = list.listing();
        list.loaded(&first, &page(&[1, 2], None, Some(2)));
        list.go(Motion::Last);
        list.go(Motion::First);
        assert_eq!(list.listing().at, At::First);
        list.loaded(&first, &page(&[1, 2], None, Some(2)));
        assert_eq!(list.selected(), Some(&1));
        list.go(Motion::Last);
        list.loaded(&list.listing(), &page(&[8, 9], Some(8), None));
        list.go(Motion::First);
        list.go(Motion::Last);
        assert_eq!(list.listing().at, At::Last);
    }

    #[test]
    fn an_old_answer_changes_nothing() {
        let mut list = List::new(Listing::default());
        let old = list.listing();
        list.loaded(&old, &page(&[1], None, Some(1)));
        list.ask(|listing| listing.filter = "x".into());
        list.loaded(&old, &page(&[5], None, None));
        assert_eq!(list.selected(), Some(&1));
        assert!(!list.came(), "what is here is of another filter");
        list.loaded(&list.listing(), &page(&[7], None, None));
        assert!(list.came());
    }

    #[test]
    fn a_list_that_follows_stays_at_its_end() {
        let mut list = List::new(Listing { at: At::Last, ..Listing::default() });
        list.loaded(&list.listing(), &page(&[1, 2], None, None));
        list.loaded(&list.listing(), &page(&[2, 3], Some(2), None));
        assert_eq!(list.selected(), Some(&3));
        list.go(Motion::Up);
        list.loaded(&list.listing(), &page(&[2, 3, 4], Some(2), None));
        assert_eq!(list.selected(), Some(&2), "who moves stays");
    }

    #[test]
    fn a_click_selects_the_row_that_is_drawn_there() {
        let mut list = List::new(Listing::default());
        list.loaded(&list.listing(), &page(&[1, 2, 3, 4, 5], None, None));
        list.go(Motion::Last);
        list.window(2);
        list.click(0);
        assert_eq!(list.selected(), Some(&4));
        list.click(2);
        assert_eq!(list.selected(), Some(&4), "nothing is drawn there");
    }

    #[test]
    fn the_window_has_the_selection_in_it() {
        let mut list = List::new(Listing::default());
        list.loaded(&list.listing(), &page(&[1, 2, 3, 4, 5], None, None));
        assert_eq!(list.window(2), 0);
        list.go(Motion::Last);
        assert_eq!(list.window(2), 3);
        list.go(Motion::PageUp);
        assert_eq!((list.place(), list.window(2)), (2, 2));
        assert_eq!(list.window(9), 0, "a taller screen shows what is above");
    }
}
