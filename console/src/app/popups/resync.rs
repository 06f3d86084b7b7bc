//! Going on with a peer whose history is another: what it would mean, in numbers, and whether it is to be.

use crossterm::event::KeyEvent;
use qrt_shared::control::Resynced;
use qrt_shared::id::VatId;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Context;
use super::super::command::Motion;
use super::super::event::{Answer, Do};
use super::super::popup::Popup;
use super::super::request::{Reply, Request};
use super::confirm::Confirm;
use crate::cli;

/// The question whether the channel to a peer is to go on from where the peer stands.
pub(super) struct Resync {
    peer: VatId,
    ask: Confirm,
}

impl Resync {
    /// Asks about a peer that is called so.
    pub(super) fn new(peer: VatId, called: &str) -> Self {
        Self {
            peer,
            ask: Confirm::new(format!("Resync {called}?"), "asking the other vat where it stands ...".to_owned()),
        }
    }

    /// What has to be asked before there is a question.
    pub(super) fn plan(&self) -> Request {
        Request::ResyncPlan(self.peer)
    }
}

impl Popup for Resync {
    fn title(&self) -> String {
        self.ask.title()
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        self.ask.keys()
    }

    fn answered(&mut self, request: &Request, answer: &Answer) -> Vec<Do> {
        if *request == self.plan() {
            match answer {
                Ok(Reply::Resync(plan)) => {
                    let expect = plan.expect.clone();
                    self.ask.tell(told(plan), Some(Request::Resync(self.peer, expect)));
                }
                Ok(_) => {}
                Err(why) => self.ask.tell(why.clone(), None),
            }
        }
        Vec::new()
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

fn told(plan: &Resynced) -> String {
    cli::resync_question(&plan.vat.to_string(), plan).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::query::{Data, Query};
    use crate::app::script::{Script, VAT, page};
    use qrt_shared::control::Expect;
    use qrt_shared::view::Peer;

    fn peer() -> Peer {
        let text = format!(
            r#"{{"vat":"{VAT}","name":"bob","urls":[],"next_out":103,"acked_out":100,"last_in":0,"pending":2,"pending_bytes":9,"state":"diverged","state_since":5,"theirs":40,"held":false,"named":true,"attempts":0,"next_attempt_at":null,"last_error":null,"failing_since":null,"last_contact_at":null}}"#
        );
        serde_json::from_str(&text).expect("a peer")
    }

    #[test]
    fn what_may_be_lost_is_shown_and_what_was_shown_is_expected() {
        let mut script = Script::new(true);
        script.typed("5");
        let peers = script.state.queries().into_iter().find(|query| matches!(query, Query::Peers(_)));
        script.loaded(peers.expect("the screen shows peers"), Data::Peers(page(vec![peer()])));
        let vat: VatId = VAT.parse().expect("a vat id");
        let asked = Script::asked(&script.typed("R"));
        assert_eq!(asked, [Request::ResyncPlan(vat)]);
        let expect = Expect { last_in: 40, tip: "ab".into(), next_out: 103 };
        let plan = Resynced {
            vat,
            done: false,
            expect: expect.clone(),
            may_be_lost: 60,
            may_be_repeated: 2,
            renumbered: Some((41, 42)),
        };
        script.answered(&asked[0], Ok(Reply::Resync(Box::new(plan))));
        let drawn = script.drawn();
        for says in ["Resync bob?", "may be lost: 60 messages", "may be repeated: 2 messages", "anew, 41 to 42"] {
            assert!(drawn.contains(says), "{says}: {drawn}");
        }
        assert_eq!(Script::asked(&script.typed("y")), [Request::Resync(vat, expect)]);
    }

    #[test]
    fn a_peer_that_does_not_answer_leaves_nothing_to_agree_to() {
        let mut script = Script::new(true);
        let vat = VAT.parse().expect("a vat id");
        let popup = Box::new(Resync::new(vat, "bob"));
        script.state.perform(vec![Do::Popup(popup)], &mut Vec::new());
        script.answered(&Request::ResyncPlan(vat), Err("it did not answer".into()));
        assert!(script.drawn().contains("it did not answer"));
        assert!(Script::asked(&script.typed("y")).is_empty());
    }
}
