//! Removing an object: who holds it, what becomes of what is queued for it, and whether it is to be.

use std::collections::BTreeSet;

use crossterm::event::KeyEvent;
use qrt_shared::id::Qrid;
use qrt_shared::view::{Object, Place};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::Do;
use super::super::popup::Popup;
use super::super::query::{Data, Query};
use super::super::request::Request;
use super::confirm::Confirm;
use crate::format;

/// The question whether an object is to be removed.
pub(super) struct Remove {
    object: Qrid,
    ask: Confirm,
}

impl Remove {
    /// Asks about an object that is called so.
    pub(super) fn new(object: Qrid, called: &str) -> Self {
        Self { object, ask: Confirm::new(format!("Remove {called}?"), "looking who holds it ...".to_owned()) }
    }
}

/// What it costs.
fn told(object: &Object) -> String {
    let queued = format::count(object.row.queued, "message");
    let mut told = format!(
        "Its memory is gone for ever, its QRID is refused for ever, and what is queued for it ({queued}) becomes faults.\n\n"
    );
    let holders: BTreeSet<_> = object.held_by.iter().map(|holding| holding.object.to_string()).collect();
    match holders.len() {
        0 => told.push_str("No object of this vat holds a reference to it; those of other vats may."),
        1 => told.push_str("1 object holds a reference to it, which leads nowhere then; other vats may hold more:"),
        many => {
            let holders = format!("{many} objects hold a reference to it, which leads nowhere then; ");
            told.push_str(&holders);
            told.push_str("other vats may hold more:");
        }
    }
    for holding in &object.held_by {
        let holder = format::object(holding.name.as_ref(), &holding.object);
        let place = match holding.place {
            Place::Power => "power",
            Place::Memory => "memory",
        };
        let line = format!("\n- {holder}, in its {place} as {}", format::line(&holding.key));
        told.push_str(&line);
    }
    told
}

impl Popup for Remove {
    fn title(&self) -> String {
        self.ask.title()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        self.ask.keys()
    }

    fn queries(&self) -> Vec<Query> {
        vec![Query::Object(self.object.clone())]
    }

    fn loaded(&mut self, query: &Query, data: &Data) {
        if let (Query::Object(qrid), Data::Object(object)) = (query, data)
            && *qrid == self.object
        {
            self.ask.tell(told(object), Some(Request::Remove(self.object.clone())));
        }
    }

    fn refused(&mut self, query: &Query, why: &str) {
        if matches!(query, Query::Object(qrid) if *qrid == self.object) {
            self.ask.tell(why.to_owned(), None);
        }
    }

    fn away(&mut self, why: &str) {
        if self.ask.waits() {
            self.ask.tell(why.to_owned(), None);
        }
    }

    fn key(&mut self, key: KeyEvent, cx: &Context) -> Vec<Do> {
        self.ask.key(key, cx)
    }

    fn scroll(&mut self, motion: Motion) {
        self.ask.scroll(motion);
    }

    fn size(&self, cx: &Context, room: Rect) -> (u16, u16) {
        self.ask.size(cx, room)
    }

    fn draw(&self, cx: &Context, area: Rect, buf: &mut Buffer) {
        self.ask.draw(cx, area, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::event::Event;
    use crate::app::script::{Script, object, qrid};

    fn held(holders: &str) -> Object {
        let text = format!(
            r#"{{"qrid":"{0}","name":"counter","turns":1,"faults":0,"memory_bytes":9,"cpu_us":3,"created_at":5,"account":"{0}","held":false,"queued":2,"refused":0,"code":{{"sha256":"ab","text":"()=>1","version":1,"history":[]}},"power":{{"statics":{{}},"natives":{{}}}},"memory":null,"maker":null,"budget":{{}},"account_use":{{"budget":{{}},"objects":1,"memory_bytes":9,"queued_bytes":0,"cpu_us":3,"cpu_left_us":-1}},"held_why":null,"deaths":0,"killed":[],"holds":[],"held_by":[{holders}]}}"#,
            qrid()
        );
        serde_json::from_str(&text).expect("an object")
    }

    #[test]
    fn who_holds_it_is_shown_before_it_can_be_removed() {
        let mut script = Script::new(true);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed("x");
        assert!(Script::asked(&script.typed("y")).is_empty(), "nobody knows yet what it costs");
        let holder = |key: &str| format!(r#"{{"object":"{}","name":"market","place":"memory","key":"{key}"}}"#, qrid());
        let object = held(&[holder("a"), holder("b")].join(","));
        script.loaded(Query::Object(qrid()), Data::Object(Box::new(object)));
        let drawn = script.drawn();
        for says in ["Remove counter?", "(2 messages)", "1 object holds", "market, in its memory as b", "qrt remove /v"]
        {
            assert!(drawn.contains(says), "{says}: {drawn}");
        }
        assert!(drawn.contains(&qrid().to_string()[80..]), "the command is there to its end: {drawn}");
        assert_eq!(Script::asked(&script.typed("y")), [Request::Remove(qrid())]);
    }

    #[test]
    fn a_vat_that_is_away_is_not_waited_for_in_silence() {
        let mut script = Script::new(true);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed("x");
        script.shows(&["looking who holds it"]);
        script.event(Event::Away("no daemon is running on /v".to_owned()));
        script.shows(&["| no daemon is running on /v"]);
        script.loaded(Query::Object(qrid()), Data::Object(Box::new(held(""))));
        script.event(Event::Away("no daemon is running on /v".to_owned()));
        script.shows(&["becomes faults", "y does it"]);
    }

    #[test]
    fn what_nobody_holds_is_said_to_be_so() {
        assert!(told(&held("")).contains("No object of this vat holds"));
    }
}
