//! New code for an object, or a new value for a key of its memory: what changes, and whether it is to be.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use qrt_shared::id::Qrid;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Answer, Do, Edit, Edited, Note};
use super::super::popup::Popup;
use super::super::request::Request;
use super::super::widgets::{diff, text};
use super::report::{scrolled, wheel};
use crate::format;

struct Change {
    title: String,
    /// What was edited, and what it has become.
    edit: Edit,
    before: String,
    request: Request,
    /// Why the vat will not have it.
    refused: Option<String>,
    top: Cell<usize>,
}

/// Shows how an edited text differs from what there is, and asks; nothing, when it is a popup's that has closed.
pub fn change(edit: Edit) -> Option<Box<dyn Popup>> {
    let (title, before, request) = match &edit.what {
        Edited::Code { object, name, before } => {
            let request = Request::Upgrade { object: object.clone(), code: edit.text.clone() };
            (format!("New code for {name}?"), before.clone(), request)
        }
        Edited::Value { object, key, before } => {
            let (object, value) = (object.clone(), edit.text.trim().to_owned());
            let title = format!("New value for {}?", format::key(key, 40));
            let expect = Some(before.trim().to_owned()).filter(|before| !before.is_empty());
            let request = Request::MemorySet { object, key: key.clone(), value, expect };
            (title, before.clone(), request)
        }
        Edited::Field(_) => return None,
    };
    Some(Box::new(Change { title, edit, before, request, refused: None, top: Cell::default() }))
}

/// Lets the operator edit the code of an object.
pub fn edit_code(object: Qrid, name: String, code: String) -> Do {
    let what = Edited::Code { object, name, before: code.clone() };
    Do::Edit(Edit { text: code, suffix: ".js", what })
}

/// Lets the operator edit the value of a key of an object's memory; of a key that is new, there is none.
pub fn edit_value(object: Qrid, key: String, value: Option<&str>) -> Do {
    let text = match value {
        None => String::new(),
        Some(value) if format::line(value) == value => format::qjson(value, 100) + "\n",
        // What is not safe to show is left as it is written: laid out, it would be another value.
        Some(value) => format!("{value}\n"),
    };
    let what = Edited::Value { object, key, before: text.clone() };
    Do::Edit(Edit { text, suffix: ".json", what })
}

impl Change {
    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let refused = self.refused.iter().flat_map(|why| text::refusal(why, cx.theme.bad(), width));
        refused.chain(diff::lines(&self.before, &self.edit.text, cx.theme)).collect()
    }
}

impl Popup for Change {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("y", "yes"), ("e", "edit again"), ("j k", "scroll"), ("Esc", "leave it as it was")]
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if *request != self.request {
            return Vec::new();
        }
        match answer {
            Ok(_) => vec![Do::Close],
            Err(why) => {
                self.refused = Some(why.clone());
                Vec::new()
            }
        }
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Char('y') => vec![Do::Ask(self.request.clone())],
            KeyCode::Char('e') => vec![Do::Close, Do::Edit(self.edit.clone())],
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('n' | 'q') => {
                vec![Do::Close, Do::Say(Note::dim("it is as it was"))]
            }
            _ => scrolled(&self.top, key),
        }
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        let width = room.width.min(120);
        let lines = self.lines(cx, usize::from(width.saturating_sub(4))).len();
        (width, u16::try_from(lines + 2).unwrap_or(u16::MAX))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        text::scrolled(&self.lines(cx, usize::from(area.width)), &self.top, cx, area, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::script::{Script, qrid};

    #[test]
    fn why_code_was_refused_can_be_read_to_its_end() {
        let mut script = Script::new(true);
        let what = Edited::Code { object: qrid(), name: "counter".to_owned(), before: "a".to_owned() };
        let edit = Edit { text: "b(".to_owned(), suffix: ".js", what };
        script.state.perform(change(edit).map(Do::Popup).into_iter().collect(), &mut Vec::new());
        let asked = Script::asked(&script.typed("y"));
        let why = format!("code:1:3: {}THE-END\n  b(\n   ^", "a word or two, ".repeat(9));
        script.answered(&asked[0], Err(why));
        script.shows(&["code:1:3: a word", "THE-END", "|   b( ", "|    ^ "]);
    }
}
