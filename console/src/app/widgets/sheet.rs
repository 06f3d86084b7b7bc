//! Lines that are all here, one of them selected. They are laid out only when what they show has changed, or how
//! they are to look: never at each draw.

use std::cell::RefCell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::Context;
use super::super::command::Motion;
use super::super::scroll::Scroll;
use super::super::theme::Theme;

/// A line, and what it is about, by which it is found again when the lines are laid out anew.
#[derive(Debug)]
pub struct Row<T> {
    line: Line<'static>,
    tag: Option<T>,
}

impl<T> Row<T> {
    /// A line that may be about something.
    pub fn new(tag: Option<T>, line: impl Into<Line<'static>>) -> Self {
        Self { line: line.into(), tag }
    }

    /// A line about something.
    pub fn of(tag: T, line: impl Into<Line<'static>>) -> Self {
        Self::new(Some(tag), line)
    }

    /// A line about nothing that could be acted on.
    pub fn plain(line: impl Into<Line<'static>>) -> Self {
        Self::new(None, line)
    }
}

/// The lines.
#[derive(Debug)]
pub struct Sheet<T>(RefCell<Laid<T>>);

#[derive(Debug)]
struct Laid<T> {
    rows: Vec<Row<T>>,
    /// The width, the look and the second they were laid out for; `None` when they are out of date.
    key: Option<(u16, Theme, u64)>,
    scroll: Scroll,
    /// What to select once they are laid out anew.
    wanted: Option<T>,
    /// Whether the selection stays on the last line as lines come.
    follows: bool,
}

impl<T> Default for Sheet<T> {
    fn default() -> Self {
        let laid = Laid { rows: Vec::new(), key: None, scroll: Scroll::default(), wanted: None, follows: false };
        Self(RefCell::new(laid))
    }
}

impl<T: Clone + PartialEq> Sheet<T> {
    /// Has the lines laid out anew when they are drawn next: they show something else.
    pub fn renew(&mut self) {
        self.0.get_mut().key = None;
    }

    /// The same, and has what `tag` says selected then.
    pub fn select(&mut self, tag: T) {
        self.renew();
        self.0.get_mut().wanted = Some(tag);
    }

    /// Whether the selection stays on the last line as lines come.
    pub fn follow(&mut self, follows: bool) {
        self.renew();
        self.0.get_mut().follows = follows;
    }

    /// Moves the selection; whether there was anywhere to go.
    pub fn go(&mut self, motion: Motion) -> bool {
        let laid = self.0.get_mut();
        let count = laid.rows.len();
        laid.scroll.go(motion, count)
    }

    /// Selects what stands in that line of what is drawn.
    pub fn click(&mut self, line: u16) {
        let laid = self.0.get_mut();
        let count = laid.rows.len();
        laid.scroll.click(line.into(), count);
    }

    /// What the selected line is about.
    pub fn selected(&self) -> Option<T> {
        self.0.borrow().selected()
    }

    /// Draws the lines, which `lay` makes for that many columns. What says how long ago something was is of a
    /// `moment`, a second; what does not is of 0.
    pub fn draw(
        &self,
        moment: u64,
        cx: &Context,
        area: Rect,
        buf: &mut Buffer,
        lay: impl FnOnce(usize) -> Vec<Row<T>>,
    ) {
        let mut laid = self.0.borrow_mut();
        let key = Some((area.width, cx.theme, moment));
        if laid.key != key {
            let before = laid.selected();
            laid.rows = lay(usize::from(area.width));
            laid.key = key;
            laid.land(before);
        }
        let height = usize::from(area.height);
        let top = laid.scroll.window(laid.rows.len(), height);
        for (y, (number, row)) in (area.y..area.bottom()).zip(laid.rows.iter().enumerate().skip(top)) {
            buf.set_line(area.x, y, &row.line, area.width);
            if number == laid.scroll.place() {
                buf.set_style(Rect { y, height: 1, ..area }, cx.theme.selected());
            }
        }
        let end = area.right().saturating_sub(1);
        if top > 0 {
            buf.set_string(end, area.y, cx.theme.mark("▲", "^"), cx.theme.dim());
        }
        if laid.rows.len() > top + height && area.height > 1 {
            buf.set_string(end, area.bottom() - 1, cx.theme.mark("▼", "v"), cx.theme.dim());
        }
    }
}

impl<T: Clone + PartialEq> Laid<T> {
    fn selected(&self) -> Option<T> {
        self.rows.get(self.scroll.place())?.tag.clone()
    }

    /// Puts the selection where it is wanted, or where what it was on is now.
    fn land(&mut self, before: Option<T>) {
        let last = self.rows.len().saturating_sub(1);
        let place = self.scroll.place();
        let rows = &self.rows;
        let of = |tag: T| (0..rows.len()).filter(move |row| rows[*row].tag.as_ref() == Some(&tag));
        let found = match (self.wanted.take(), before) {
            (Some(wanted), _) => of(wanted).next(),
            // Several lines may be about the same.
            (None, Some(before)) => of(before).min_by_key(|row| row.abs_diff(place)),
            (None, None) => None,
        };
        self.scroll.to(if self.follows { last } else { found.unwrap_or(place).min(last) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::State;
    use crate::app::theme::Palette;

    fn draw(sheet: &Sheet<u8>, moment: u64, rows: &[u8]) -> bool {
        let theme = Theme { palette: Palette::Mono, ascii: true };
        let cx = State::new(String::new(), false, theme, 0).cx;
        let area = Rect::new(0, 0, 10, 3);
        let mut laid = false;
        sheet.draw(moment, &cx, area, &mut Buffer::empty(area), |_| {
            laid = true;
            rows.iter().map(|row| Row::of(*row, row.to_string())).collect()
        });
        laid
    }

    #[test]
    fn lines_are_laid_out_only_when_something_is_new() {
        let mut sheet = Sheet::default();
        assert!(draw(&sheet, 1, &[1]) && !draw(&sheet, 1, &[1]));
        assert!(draw(&sheet, 2, &[1]), "a second later");
        sheet.renew();
        assert!(draw(&sheet, 2, &[1]));
    }

    #[test]
    fn the_selection_stays_on_what_its_line_is_about() {
        let mut sheet = Sheet::default();
        draw(&sheet, 0, &[1, 2, 3]);
        sheet.go(Motion::Down);
        sheet.renew();
        draw(&sheet, 0, &[7, 1, 2, 3]);
        assert_eq!(sheet.selected(), Some(2));
        sheet.renew();
        draw(&sheet, 0, &[7]);
        assert_eq!(sheet.selected(), Some(7), "its line is gone");
        sheet.renew();
        draw(&sheet, 0, &[1, 1, 1, 2]);
        sheet.go(Motion::Down);
        sheet.go(Motion::Down);
        sheet.renew();
        draw(&sheet, 0, &[1, 1, 1, 2]);
        sheet.go(Motion::Down);
        assert_eq!(sheet.selected(), Some(2), "several lines may be about the same");
        sheet.select(1);
        draw(&sheet, 0, &[1, 1, 1, 2]);
        assert!(!sheet.go(Motion::Up), "what is wanted is the first of them");
        sheet.follow(true);
        draw(&sheet, 0, &[7, 8, 9]);
        assert_eq!((sheet.selected(), sheet.go(Motion::Down)), (Some(9), false));
    }
}
