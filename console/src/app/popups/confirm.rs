//! A question before something is destroyed. The answer is no until `y` is pressed.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Context;
use super::super::event::{Do, Note};
use super::super::popup::Popup;
use super::super::request::Request;
use super::super::widgets::text;
use crate::format;

struct Confirm {
    question: String,
    told: String,
    request: Request,
}

/// Asks whether `request` is to be made.
pub(super) fn confirm(question: &str, told: &str, request: Request) -> Box<dyn Popup> {
    Box::new(Confirm { question: question.to_owned(), told: told.to_owned(), request })
}

impl Popup for Confirm {
    fn title(&self) -> String {
        self.question.clone()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("y", "yes"), ("n", "no"), ("Enter", "no")]
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Char('y' | 'Y') => vec![Do::Close, Do::Ask(self.request.clone())],
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Enter | KeyCode::Esc => {
                vec![Do::Close, Do::Say(Note::dim("nothing was done"))]
            }
            _ => Vec::new(),
        }
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(76);
        let lines = format::wrap(&self.text(cx), usize::from(width - 4)).lines().count();
        (width, u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::paragraph(&self.text(cx), cx.theme.plain(), area, buf);
    }
}

impl Confirm {
    fn text(&self, cx: &Context) -> String {
        format!("{}\n\n{}\n\ny does it; anything else does not", self.told, self.request.line(&cx.dir))
    }
}
