//! A question before something is destroyed. The answer is no until `y` is pressed.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Do, Note};
use super::super::popup::Popup;
use super::super::request::Request;
use super::super::widgets::text;
use super::report::{scrolled, wheel};

/// A question.
pub(super) struct Confirm {
    question: String,
    told: String,
    /// What is asked for, when what it costs is known.
    request: Option<Request>,
    top: Cell<usize>,
}

/// Asks whether `request` is to be made.
pub(super) fn confirm(question: &str, told: &str, request: Request) -> Box<dyn Popup> {
    let mut confirm = Confirm::new(question.to_owned(), String::new());
    confirm.tell(told.to_owned(), Some(request));
    Box::new(confirm)
}

impl Confirm {
    /// A question that cannot be answered yet: `told` says what it waits for.
    pub(super) fn new(question: String, told: String) -> Self {
        Self { question, told, request: None, top: Cell::default() }
    }

    /// Whether it cannot be answered yet.
    pub(super) fn waits(&self) -> bool {
        self.request.is_none()
    }

    /// What is known now, and what `y` asks for.
    pub(super) fn tell(&mut self, told: String, request: Option<Request>) {
        (self.told, self.request) = (told, request);
    }

    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let style = cx.theme.plain();
        // A paragraph of nothing is a line all the same.
        let paragraph =
            |text: &str| if text.is_empty() { vec![Line::default()] } else { text::wrapped(text, style, width) };
        let mut lines: Vec<_> = self.told.lines().flat_map(paragraph).collect();
        if let Some(request) = &self.request {
            lines.push(Line::default());
            lines.extend(text::wrapped(&request.line(&cx.dir), style, width));
        }
        lines
    }
}

impl Popup for Confirm {
    fn title(&self) -> String {
        self.question.clone()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match self.request {
            Some(_) => vec![("y", "yes"), ("n", "no"), ("Enter", "no"), ("j k", "scroll")],
            None => vec![("Esc", "close"), ("j k", "scroll")],
        }
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        match (key.code, &self.request) {
            (KeyCode::Char('y' | 'Y'), Some(request)) => vec![Do::Close, Do::Ask(request.clone())],
            (KeyCode::Char('n' | 'N' | 'q') | KeyCode::Enter | KeyCode::Esc, _) => {
                vec![Do::Close, Do::Say(Note::dim("nothing was done"))]
            }
            _ => scrolled(&self.top, key),
        }
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(80);
        let lines = self.lines(cx, usize::from(width.saturating_sub(4))).len();
        (width, u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(4))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let lines = self.lines(cx, usize::from(area.width));
        // What the keys do is always there, however long the rest is.
        let above = Rect { height: area.height.saturating_sub(2), ..area };
        text::scrolled(&lines, &self.top, cx, above, buf);
        let asks = if self.request.is_some() { "y does it; n, Enter or Esc leaves everything as it is" } else { "" };
        let line = Line::styled(asks, cx.theme.warning());
        text::row(
            line,
            Rect { y: above.bottom() + 1, height: area.height.saturating_sub(above.height + 1), ..area },
            buf,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::script::Script;

    #[test]
    fn a_long_question_scrolls_and_the_answer_is_no() {
        let told: Vec<_> = (0..40).map(|number| format!("fact {number}")).collect();
        let mut script = Script::new(true);
        let open = |script: &mut Script| {
            let popup = confirm("Sure?", &told.join("\n"), Request::FaultDrop(7));
            script.state.perform(vec![Do::Popup(popup)], &mut Vec::new());
        };
        open(&mut script);
        let drawn = script.drawn();
        assert!(drawn.contains("fact 0 ") && !drawn.contains("fact 39"), "{drawn}");
        assert!(drawn.contains("y does it"), "{drawn}");
        assert!(drawn.lines().any(|line| line.ends_with("v |")), "it says that there is more: {drawn}");
        script.typed("G");
        let drawn = script.drawn();
        assert!(drawn.contains("fact 39") && drawn.contains("qrt fault-drop /v 7"), "{drawn}");
        assert!(Script::asked(&script.key(KeyCode::Enter)).is_empty());
        assert!(script.drawn().contains("nothing was done"), "{}", script.drawn());
        open(&mut script);
        assert_eq!(Script::asked(&script.typed("y")), [Request::FaultDrop(7)]);
    }
}
