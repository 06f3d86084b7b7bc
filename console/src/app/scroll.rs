//! The selection in a column of rows, and which of them are on the screen.

use std::cell::Cell;

use super::command::Motion;

/// Where the selection is. How many rows there are says who asks.
#[derive(Debug, Default)]
pub struct Scroll {
    selected: usize,
    /// The first row on the screen, and how many there are: drawing knows, moving needs it.
    view: Cell<(usize, usize)>,
}

impl Scroll {
    /// The row the selection is on.
    pub fn place(&self) -> usize {
        self.selected
    }

    /// Puts the selection on a row.
    pub fn to(&mut self, row: usize) {
        self.selected = row;
    }

    /// Moves the selection among `count` rows; whether there was anywhere to go.
    pub fn go(&mut self, motion: Motion, count: usize) -> bool {
        let last = count.saturating_sub(1);
        let screenful = self.view.get().1.max(1);
        let to = match motion {
            Motion::Up => self.selected.saturating_sub(1),
            Motion::PageUp => self.selected.saturating_sub(screenful),
            Motion::Down => self.selected + 1,
            Motion::PageDown => self.selected + screenful,
            Motion::First => 0,
            Motion::Last => last,
            Motion::Left | Motion::Right => self.selected,
        };
        let before = std::mem::replace(&mut self.selected, to.min(last));
        self.selected != before
    }

    /// Selects what stands in that line of what is drawn, of `count` rows in all; whether a row does.
    pub fn click(&mut self, line: usize, count: usize) -> bool {
        let (top, height) = self.view.get();
        let on = line < height && top + line < count;
        if on {
            self.selected = top + line;
        }
        on
    }

    /// The first of `count` rows to draw in `height` lines, such that the selection is among them.
    pub fn window(&self, count: usize, height: usize) -> usize {
        let (mut top, _) = self.view.get();
        top = top.min(count.saturating_sub(height)).min(self.selected);
        if height > 0 && self.selected >= top + height {
            top = self.selected + 1 - height;
        }
        self.view.set((top, height));
        top
    }
}
