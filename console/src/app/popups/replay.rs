//! A turn, run again apart: what comes out otherwise, with other arguments or other code if one likes.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use qrt_shared::id::Qrid;
use qrt_shared::view::{Difference, Object, Part, Replayed, Turn};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Answer, Do, Edit, Edited, Note};
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::request::{Reply, Request};
use super::super::widgets::text;
use super::did;
use super::report::{scrolled, wheel};
use crate::cli;
use crate::format;

/// A turn that runs again.
pub(super) struct Replay {
    turn: u64,
    object: Qrid,
    /// What the journal has of it.
    recorded: Option<Box<Turn>>,
    /// What its object is by now.
    now: Option<Box<Object>>,
    /// Arguments and code in place of what was recorded.
    args: Option<String>,
    code: Option<String>,
    /// What came of it; `None` while it runs.
    found: Option<Result<Box<Replayed>, String>>,
    top: Cell<usize>,
}

impl Replay {
    /// A turn of that object.
    pub(super) fn new(turn: u64, object: Qrid) -> Self {
        Self { turn, object, recorded: None, now: None, args: None, code: None, found: None, top: Cell::default() }
    }

    /// What runs it again.
    pub(super) fn request(&self) -> Request {
        Request::Replay { turn: self.turn, args: self.args.clone(), code: self.code.clone() }
    }

    fn run(&mut self) -> Vec<Do> {
        self.found = None;
        self.top.set(0);
        vec![Do::Ask(self.request())]
    }

    fn edit(&self, field: &'static str) -> Vec<Do> {
        let (text, suffix) = match field {
            "args" => (self.args.clone().or_else(|| Some(self.recorded.as_ref()?.args.get().to_owned())), ".json"),
            _ => (self.code.clone().or_else(|| Some(self.now.as_ref()?.code.text.clone())), ".js"),
        };
        match text {
            Some(text) => vec![Do::Edit(Edit { text, suffix, what: Edited::Field(field) })],
            None => vec![Do::Say(Note::bad(format!("there is no {field} to begin with: it is not known, or not yet")))],
        }
    }

    fn lines(&self, cx: &Context, width: usize) -> Vec<Line<'static>> {
        let theme = cx.theme;
        let wrapped = |text: &str, style| text::wrapped(text, style, width);
        let found = match &self.found {
            None => return wrapped("running it again, apart: nothing is changed and nothing is sent ...", theme.dim()),
            Some(Err(why)) => return text::refusal(why, theme.bad(), width),
            Some(Ok(found)) => found,
        };
        let did = &found.replayed;
        let (mark, style) = if found.equal {
            (theme.mark("✓", "ok:"), theme.good())
        } else {
            (theme.mark("≠", "!="), theme.warning())
        };
        let mut lines = wrapped(&format!("{mark} {}", Reply::Replayed(found.clone()).told()), style);
        lines.extend(found.differences.iter().flat_map(|each| difference(each, found, cx, width)));
        let ticks = match found.ticks_recorded {
            recorded if recorded == did.ticks => String::new(),
            recorded => format!(", {recorded} when recorded"),
        };
        lines.push(Line::from(vec![
            Span::raw(format!("it ended: {}  ", did.outcome.as_str())),
            Span::styled(
                format!("{}{ticks}; {}", format::count(did.ticks, "tick"), format::duration(did.cpu_us)),
                theme.dim(),
            ),
        ]));
        lines.extend(did.error.iter().flat_map(|error| did::error(error, theme)));
        let notes = found.notes.iter().flat_map(|note| wrapped(&format!("- {note}"), theme.dim()));
        lines.extend(notes);
        let other = |now: &Object, then: &Turn| now.code.sha256 != then.code;
        if self.code.is_none() && self.now.iter().zip(&self.recorded).any(|(now, then)| other(now, then)) {
            lines.extend(wrapped("- its object has other code by now, which is what c begins with", theme.dim()));
        }
        lines
    }
}

fn difference(difference: &Difference, of: &Replayed, cx: &Context, width: usize) -> Vec<Line<'static>> {
    let theme = cx.theme;
    let Difference { part, which, recorded, replayed } = difference;
    let mut head = vec![Span::styled(part.as_str(), theme.title())];
    match memory(difference) {
        // The key first: it says most.
        Some((object, key)) => {
            let name = of.name.as_ref().filter(|_| object == of.object);
            head.push(Span::styled(format!(" {}", format::line(key)), theme.name()));
            head.push(Span::raw(format!(" of {}", format::object(name, &object))));
        }
        None => head.push(Span::raw(format!(" {}", format::line(which)))),
    }
    let mut lines = text::broken(Line::from(head), width);
    let (then, now) = nothing(difference);
    for (mark, style, value, none) in [("  - ", theme.bad(), recorded, then), ("  + ", theme.good(), replayed, now)] {
        match value {
            Some(value) => lines.extend(did::value(mark, style, Some(value), width, theme)),
            None => lines.push(Line::from(vec![Span::styled(mark, style), Span::styled(none, theme.dim())])),
        }
    }
    lines
}

/// The object whose memory differs, and the key.
fn memory(difference: &Difference) -> Option<(Qrid, &str)> {
    let (object, key) = difference.which.split_once(' ').filter(|_| difference.part == Part::Memory)?;
    Some((object.parse().ok()?, key))
}

/// What is said in place of what was recorded, and of what there is now, where there is nothing.
fn nothing(difference: &Difference) -> (&'static str, &'static str) {
    const FORGOTTEN: &str = "not known any more";
    let none = match difference.part {
        Part::Memory => return ("not written", "not written"),
        Part::Message => "no message",
        Part::Object => "no object",
        Part::Log => "no line",
        Part::Outcome | Part::Result => "nothing",
    };
    match (&difference.recorded, &difference.replayed) {
        // What is there now differs from what is known not to have been there.
        (None, Some(_)) | (Some(_), _) => (none, none),
        (None, None) if difference.which.is_empty() => (FORGOTTEN, FORGOTTEN),
        (None, None) => (FORGOTTEN, none),
    }
}

impl Popup for Replay {
    fn title(&self) -> String {
        format!("Turn {}, run again: - recorded, + now", self.turn)
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("a", "other arguments"),
            ("c", "other code"),
            ("u", "as recorded"),
            ("r", "run again"),
            ("j k", "scroll"),
            ("Esc", "close"),
        ]
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Turn(self.turn), Query::Object(self.object.clone())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        match (query, data) {
            (Query::Turn(number), Data::Turn(turn)) if *number == self.turn => self.recorded = Some(turn.clone()),
            (Query::Object(qrid), Data::Object(object)) if *qrid == self.object => self.now = Some(object.clone()),
            _ => {}
        }
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if *request == self.request() {
            match answer {
                Ok(Reply::Replayed(replayed)) => self.found = Some(Ok(replayed.clone())),
                Ok(_) => {}
                Err(why) => self.found = Some(Err(why.clone())),
            }
        }
        Vec::new()
    }

    fn edited(&mut self, field: &str, text: String) -> Vec<Do> {
        if field == "args" {
            if let Err(failure) = cli::value(&text, "args") {
                return vec![Do::Say(Note::bad(failure.reason()))];
            }
            self.args = Some(text);
        } else {
            self.code = Some(text);
        }
        self.run()
    }

    fn key(&mut self, key: KeyEvent, _: &Context) -> Vec<Do> {
        match key.code {
            KeyCode::Char('a') => self.edit("args"),
            KeyCode::Char('c') => self.edit("code"),
            KeyCode::Char('u') => {
                (self.args, self.code) = (None, None);
                self.run()
            }
            KeyCode::Char('r' | 'p') => self.run(),
            _ => scrolled(&self.top, key),
        }
    }

    fn scroll(&mut self, motion: Motion) {
        wheel(&self.top, motion);
    }

    fn size(&self, _: &Context, room: Rect) -> (u16, u16) {
        (room.width.min(120), room.height.min(40))
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        let above = Rect { height: area.height.saturating_sub(1), ..area };
        text::scrolled(&self.lines(cx, usize::from(area.width)), &self.top, cx, above, buf);
        let line = text::clip(&format::line(&self.request().line(&cx.dir)), usize::from(area.width));
        let below = Rect { y: above.bottom(), height: area.height - above.height, ..area };
        text::row(Line::styled(line, cx.theme.dim()), below, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::{Effect, Event};
    use crate::app::script::{Script, qrid, turn};

    fn replayed(differences: &str, replaced: &str) -> Box<Replayed> {
        let text = format!(
            r#"{{"turn":9,"object":"{}","name":"counter","replaced":[{replaced}],"equal":{},"differences":[{differences}],"replayed":{{"outcome":"ok","result":4,"result_error":null,"error":null,"memory":[],"sent":[],"made":[],"log":[],"ticks":2,"cpu_us":900}},"ticks_recorded":1,"notes":["a note"],"as_of":5}}"#,
            qrid(),
            differences.is_empty()
        );
        serde_json::from_str(&text).expect("a replay")
    }

    fn opened() -> Script {
        let mut script = Script::new(true);
        let replay = Box::new(Replay::new(9, qrid()));
        script.state.perform(vec![Do::Popup(replay)], &mut Vec::new());
        script.loaded(Query::Turn(9), Data::Turn(turn(9)));
        script
    }

    #[test]
    fn what_came_out_otherwise_is_shown() {
        let mut script = opened();
        assert!(script.drawn().contains("running it again, apart"), "{}", script.drawn());
        let request = Request::Replay { turn: 9, args: None, code: None };
        let difference = format!(
            r#"{{"part":"memory","which":"{} n","recorded":3,"replayed":4}},{{"part":"message","which":"1","recorded":[1]}},{{"part":"object","which":"2"}}"#,
            qrid()
        );
        script.answered(&request, Ok(Reply::Replayed(replayed(&difference, ""))));
        let drawn = script.drawn();
        for says in [
            "3 differences",
            "memory n of counter",
            "- 3",
            "+ 4",
            "message 1",
            "+ no message",
            "- not known any more",
            "+ no object",
            "1 when recorded",
            "- a note",
        ] {
            assert!(drawn.contains(says), "{says}: {drawn}");
        }
        script.answered(&request, Ok(Reply::Replayed(replayed("", ""))));
        assert!(script.drawn().contains("ok: turn 9 of counter, run again: the same came of it"), "{}", script.drawn());
    }

    #[test]
    fn it_runs_with_other_arguments_from_the_operators_editor() {
        let mut script = opened();
        let effects = script.typed("a");
        let [Effect::Edit(edit)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((edit.text.as_str(), edit.suffix), ("1", ".json"));
        let wrong = script.event(Event::Edited(edit.clone(), Some("{".into())));
        assert!(wrong.is_empty(), "{wrong:?}");
        let effects = script.event(Event::Edited(edit.clone(), Some("2".into())));
        let other = Request::Replay { turn: 9, args: Some("2".into()), code: None };
        assert_eq!(Script::asked(&effects), [other]);
        assert!(script.drawn().contains("qrt replay /v 9 --args 2"), "{}", script.drawn());
        let again = Request::Replay { turn: 9, args: None, code: None };
        assert_eq!(Script::asked(&script.typed("u")), [again]);
        assert!(script.typed("c").is_empty(), "its object is not known yet");
        assert!(script.drawn().contains("there is no code to begin with"), "{}", script.drawn());
    }
}
