//! A line to type into.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line as Styled;
use unicode_width::UnicodeWidthStr;

use super::super::Context;
use super::super::event::{Answer, Do};
use super::super::popup::Popup;
use super::super::request::Request;
use super::super::widgets::text;
use crate::format;

/// What is done with the text; if it will not do, why.
type Then = Box<dyn Fn(String) -> Result<Vec<Do>, String>>;

struct Prompt {
    title: String,
    told: String,
    line: Line,
    /// What was asked for and is not answered.
    asked: Option<Request>,
    /// Why it will not do: what was typed is there to be mended.
    refused: Option<String>,
    then: Then,
}

/// Asks for a line of text, `now` to begin with. What the vat is asked for then must be all that is wanted: the
/// prompt closes once the vat has taken it.
pub(super) fn prompt(
    title: &str,
    told: &str,
    now: String,
    then: impl Fn(String) -> Result<Vec<Do>, String> + 'static,
) -> Box<dyn Popup> {
    let line = Line::new(now);
    let (title, told) = (title.to_owned(), told.to_owned());
    Box::new(Prompt { title, told, line, asked: None, refused: None, then: Box::new(then) })
}

impl Prompt {
    fn enter(&mut self) -> Vec<Do> {
        if self.asked.is_some() {
            return Vec::new();
        }
        match (self.then)(self.line.text.trim().to_owned()) {
            Ok(wanted) => match wanted.as_slice() {
                [Do::Ask(request)] => {
                    self.asked = Some(request.clone());
                    wanted
                }
                _ => [Do::Close].into_iter().chain(wanted).collect(),
            },
            Err(why) => {
                self.refused = Some(why);
                Vec::new()
            }
        }
    }

    /// What is said between what is typed and what is wanted.
    fn said(&self, cx: &Context, width: usize) -> Vec<Styled<'static>> {
        match (&self.asked, &self.refused) {
            (Some(_), _) => vec![Styled::styled("asking the vat ...", cx.theme.dim())],
            (None, Some(why)) => text::refusal(why, cx.theme.bad(), width),
            (None, None) => vec![Styled::default()],
        }
    }
}

impl Popup for Prompt {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("Enter", "do it"), ("Esc", "leave it"), ("Ctrl-U", "empty it")]
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Esc => return vec![Do::Close],
            KeyCode::Enter => return self.enter(),
            _ => {
                self.refused = None;
                self.line.key(key);
            }
        }
        Vec::new()
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if self.asked.as_ref() != Some(request) {
            return Vec::new();
        }
        self.asked = None;
        match answer {
            Ok(_) => vec![Do::Close],
            Err(why) => {
                self.refused = Some(why.clone());
                Vec::new()
            }
        }
    }

    fn paste(&mut self, text: &str) {
        self.refused = None;
        self.line.insert(text);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(76);
        let inner = usize::from(width - 4);
        let lines = self.said(cx, inner).len() + format::wrap(&self.told, inner).lines().count();
        (width, u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(4))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        self.line.draw(true, cx, area, buf);
        let mut lines = self.said(cx, usize::from(area.width));
        lines.extend(text::wrapped(&self.told, cx.theme.dim(), area.width.into()));
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        text::lines(&lines, 0, below, buf);
    }
}

/// Whether a key does what is typed where Enter only begins a new line. No one of them reaches every program
/// through every terminal.
pub(super) fn is_go(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::F(5) => true,
        KeyCode::Enter => key.modifiers.contains(KeyModifiers::ALT),
        KeyCode::Char('s') => key.modifiers == KeyModifiers::CONTROL,
        _ => false,
    }
}

/// A line of text with a cursor in it.
#[derive(Debug, Default, Clone)]
pub(super) struct Line {
    /// The text.
    pub text: String,
    /// The cursor: characters before it.
    cursor: usize,
}

impl Line {
    /// A line with the cursor at its end.
    pub(super) fn new(text: String) -> Self {
        Self { cursor: text.chars().count(), text }
    }

    /// The byte before which the character `at` stands.
    fn byte(&self, at: usize) -> usize {
        self.text.char_indices().nth(at).map_or(self.text.len(), |(byte, _)| byte)
    }

    /// Puts text, as one line, where the cursor is.
    pub(super) fn insert(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text.insert_str(self.byte(self.cursor), &text);
        self.cursor += text.chars().count();
    }

    /// A key; whether it meant something.
    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.chars().count(),
            KeyCode::Char('u') if control => *self = Self::default(),
            KeyCode::Char('w') if control => {
                let before = &self.text[..self.byte(self.cursor)];
                let from = before.trim_end().rfind([' ', '/']).map_or(0, |at| at + 1);
                self.text.replace_range(from..before.len(), "");
                self.cursor = self.text[..from].chars().count();
            }
            // With Alt it is no letter.
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.byte(self.cursor));
            }
            KeyCode::Delete if self.cursor < self.text.chars().count() => {
                self.text.remove(self.byte(self.cursor));
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.chars().count()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.chars().count(),
            _ => return false,
        }
        true
    }

    /// Draws it in the first line of `area`, what is around the cursor at any rate; the cursor if it has the keys.
    pub(super) fn draw(&self, focus: bool, cx: &Context, area: Rect, buf: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let safe = format::line(&self.text);
        let before = format::line(&self.text[..self.byte(self.cursor)]).width();
        let width = usize::from(area.width);
        let skip = (before + 1).saturating_sub(width);
        let shown: String = safe.chars().skip(skip).collect();
        buf.set_stringn(area.x, area.y, shown, width, cx.theme.plain());
        if focus {
            let x = area.x + u16::try_from(before - skip).unwrap_or(0);
            buf.set_style(Rect { x, y: area.y, width: 1, height: 1 }, cx.theme.selected());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::request::Reply;
    use crate::app::script::{Script, object, qrid};

    fn typed(keys: &[(KeyCode, KeyModifiers)]) -> String {
        let mut line = Line::new("aé b".into());
        for (code, modifiers) in keys {
            assert!(line.key(KeyEvent::new(*code, *modifiers)));
        }
        line.text
    }

    #[test]
    fn what_the_vat_refuses_stays_and_is_mended() {
        let mut script = Script::new(true);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed("n");
        script.ctrl('u');
        let asked = Script::asked(&script.keys("Dead Vat\n"));
        assert_eq!(asked, [Request::Name(qrid(), Some("Dead Vat".into()))]);
        script.shows(&["+ Petname", "Dead Vat", "asking the vat"]);
        assert!(Script::asked(&script.keys("\n")).is_empty(), "once");
        script.answered(
            &asked[0],
            Err("a petname has no blank, and no capital letter either, of that it can be sure: MEND-IT".into()),
        );
        script.shows(&["+ Petname", "Dead Vat", "MEND-IT", "nothing takes the name away"]);
        script.keys("x");
        script.shows(&["Dead Vatx"]);
        script.ctrl('u');
        let asked = Script::asked(&script.keys("dead\n"));
        script.answered(&asked[0], Ok(Reply::Named(Some("dead".into()))));
        assert!(!script.drawn().contains("+ Petname"), "{}", script.drawn());
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let none = KeyModifiers::NONE;
        assert_eq!(typed(&[(KeyCode::Left, none), (KeyCode::Backspace, none), (KeyCode::Char('x'), none)]), "aéxb");
        assert_eq!(typed(&[(KeyCode::Char('w'), KeyModifiers::CONTROL)]), "aé ");
        assert_eq!(typed(&[(KeyCode::Home, none), (KeyCode::Delete, none)]), "é b");
        assert_eq!(typed(&[(KeyCode::Char('u'), KeyModifiers::CONTROL)]), "");
    }
}
