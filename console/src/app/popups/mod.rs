//! What lies over a pane: questions, answers, and what one types into. One file a noun.

mod change;
mod compose;
mod confirm;
mod did;
mod editor;
mod help;
mod install;
mod palette;
mod prompt;
mod remove;
mod replay;
mod report;
mod resync;
mod why;

use super::Context;
use super::command::Command;
use super::event::{Do, Note};
use super::pane::Pane;
use super::panes::{self, SCREENS};
use super::popup::Popup;
use super::request::Request;
use super::thing::Thing;

pub use change::{change, edit_code, edit_value};

/// Asks for the text that rows must have; `told` says where.
pub fn filter(told: &str, now: String) -> Box<dyn Popup> {
    prompt::prompt("Filter", told, now, |text| Ok(vec![Do::Filter(text)]))
}

/// Shows what keys do, first those of a pane.
pub fn help(pane: &dyn Pane) -> Box<dyn Popup> {
    let told = |command| pane.told(command).map(|(_, help)| help);
    Box::new(help::Help::new(pane.commands().into_iter().map(|command| (command, told(command))).collect()))
}

/// What a command comes to that asks, or shows something over the pane.
pub fn of(command: Command, thing: &Thing, cx: &Context) -> Vec<Do> {
    match command {
        Command::Send => vec![Do::Popup(Box::new(compose::Compose::new(thing, cx)))],
        Command::Install => vec![Do::Popup(Box::new(install::Install::new(cx)))],
        Command::Why => vec![Do::Popup(Box::new(why::Whyever::new(thing.subject(), thing.called())))],
        Command::Check => vec![Do::Popup(Box::new(report::Health::default())), Do::Ask(Request::Check)],
        Command::Copy => thing.copied().map(Do::Copy).into_iter().collect(),
        Command::Hold => hold(thing),
        Command::Retry => retry(thing),
        Command::Drop => drop(thing),
        Command::Edit => edit(thing),
        Command::Set => set(thing),
        Command::Name => name(thing),
        Command::Palette => vec![Do::Popup(Box::new(palette::Palette::new(thing, cx)))],
        Command::Replay => replay(thing),
        Command::Resync => resync(thing),
        Command::AddPeer => vec![Do::Popup(add_peer())],
        Command::Backup => vec![Do::Popup(backup(cx))],
        _ => vec![Do::Say(Note::dim("not here"))],
    }
}

fn hold(thing: &Thing) -> Vec<Do> {
    match thing {
        Thing::Object { qrid, held, .. } => vec![Do::Ask(Request::Hold(qrid.clone(), !held))],
        Thing::Peer { vat, held, .. } => vec![Do::Ask(Request::HoldPeer(*vat, !held))],
        _ => Vec::new(),
    }
}

fn retry(thing: &Thing) -> Vec<Do> {
    let request = match thing {
        Thing::Fault { id, .. } => Request::FaultRetry(*id),
        thing => Request::Retry(thing.peer()),
    };
    vec![Do::Ask(request)]
}

fn drop(thing: &Thing) -> Vec<Do> {
    let popup = match thing {
        Thing::Outgoing { peer, seq, .. } => {
            let (peer, seq) = (*peer, *seq);
            let told =
                "why is it dropped? The other vat is told. If it was tried before, it may have arrived all the same.";
            prompt::prompt(&format!("Drop {}", thing.called()), told, String::new(), move |reason| {
                if reason.trim().is_empty() {
                    return Err("a reason is wanted: the other vat and the audit keep it".to_owned());
                }
                Ok(vec![Do::Ask(Request::Drop { peer, seq, reason })])
            })
        }
        Thing::Fault { id, .. } => confirm::confirm(
            &format!("Drop fault {id}?"),
            "The message is forgotten for ever.",
            Request::FaultDrop(*id),
        ),
        Thing::Object { qrid, .. } => Box::new(remove::Remove::new(qrid.clone(), &thing.called())),
        _ => return Vec::new(),
    };
    vec![Do::Popup(popup)]
}

fn replay(thing: &Thing) -> Vec<Do> {
    let (turn, object) = match thing {
        Thing::Turn { turn, object } | Thing::Fault { turn: Some(turn), object: Some(object), .. } => (*turn, object),
        _ => return Vec::new(),
    };
    let popup = replay::Replay::new(turn, object.clone());
    let again = popup.request();
    vec![Do::Popup(Box::new(popup)), Do::Ask(again)]
}

fn resync(thing: &Thing) -> Vec<Do> {
    let Thing::Peer { vat, .. } = thing else { return Vec::new() };
    let popup = resync::Resync::new(*vat, &thing.called());
    let plan = popup.plan();
    vec![Do::Popup(Box::new(popup)), Do::Ask(plan)]
}

/// Goes to an object or a peer, on the screen where its like are.
fn go(thing: &Thing) -> Vec<Do> {
    let title = if matches!(thing, Thing::Peer { .. }) { "Peers" } else { "Objects" };
    let screen = SCREENS.iter().position(|screen| screen.title == title).map(Do::Home);
    let there = match panes::of(thing) {
        Some(pane) => Some(Do::Push(pane)),
        None => thing.copied().map(Do::Filter),
    };
    screen.into_iter().chain(there).collect()
}

/// What is edited is read first.
fn edit(thing: &Thing) -> Vec<Do> {
    if let Thing::Key { object, key } = thing {
        return vec![Do::Ask(Request::ReadKey(object.clone(), key.clone()))];
    }
    let called = thing.called();
    thing.object().map(|object| Do::Ask(Request::ReadCode(object.clone(), called))).into_iter().collect()
}

/// Whether the key is there is read first.
fn set(thing: &Thing) -> Vec<Do> {
    let Some(object) = thing.object().cloned() else { return Vec::new() };
    let told = "its name: your editor opens on its value, or on nothing when the key is new";
    vec![Do::Popup(prompt::prompt("Set a key of its memory", told, String::new(), move |key| {
        if key.is_empty() {
            return Err("which key? Its name is wanted".to_owned());
        }
        Ok(vec![Do::Ask(Request::ReadKey(object.clone(), key))])
    }))]
}

fn name(thing: &Thing) -> Vec<Do> {
    let told = "a-z 0-9 . _ - , at most 64; nothing takes the name away";
    let named = |text: String| Some(text).filter(|text| !text.is_empty());
    let popup = match thing.clone() {
        Thing::Object { qrid, name, .. } => {
            let now = name.map(|name| name.to_string()).unwrap_or_default();
            prompt::prompt("Petname", told, now, move |text| {
                Ok(vec![Do::Ask(Request::Name(qrid.clone(), named(text)))])
            })
        }
        Thing::Peer { vat, name, .. } => {
            let now = name.map(|name| name.to_string()).unwrap_or_default();
            prompt::prompt("Petname", told, now, move |text| Ok(vec![Do::Ask(Request::NamePeer(vat, named(text)))]))
        }
        _ => return Vec::new(),
    };
    vec![Do::Popup(popup)]
}

fn add_peer() -> Box<dyn Popup> {
    let told = "its vat id and its URL, with a blank between: qrt info shows both there";
    prompt::prompt("Another vat", told, String::new(), |text| {
        let (vat, url) = text.trim().split_once(' ').ok_or("two words: VATID http://host:port")?;
        Ok(vec![Do::Ask(Request::PeerAdd { vat: vat.to_owned(), url: url.trim().to_owned() })])
    })
}

fn backup(cx: &Context) -> Box<dyn Popup> {
    let told = "the new file; the vat's key is not in it, so keep that apart";
    prompt::prompt("Backup", told, format!("{}.backup", cx.dir.trim_end_matches('/')), |text| {
        Ok(vec![Do::Ask(Request::Backup(text))])
    })
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::script::{Script, object, qrid, turn};
    use super::*;
    use crate::app::query::{Data, Query};
    use crossterm::event::KeyCode;

    /// One of each, opened by the key that opens it, on an object that is selected.
    fn each() -> Vec<&'static str> {
        vec!["s", "i", ":", "?", "w", "c", "x", "n", "+", "/"]
    }

    fn opened(plain: bool, key: &str) -> Script {
        let mut script = Script::new(plain);
        script.typed("2");
        script.objects(&[object("counter")]);
        script.typed(key);
        script
    }

    #[test]
    fn every_popup_fits_every_screen_and_draws_ascii_alone_where_it_must() {
        for key in each() {
            let script = opened(true, key);
            for (width, height) in [(40, 8), (41, 9), (80, 24), (160, 50)] {
                let drawn = script.drawn_at(width, height);
                assert!(drawn.is_ascii(), "{key}: {drawn}");
                let edges = drawn.lines().filter(|line| line.contains("-+")).count();
                assert_eq!(edges, 2, "{key} at {width}x{height}: {drawn}");
            }
            assert!(opened(false, key).drawn().contains('╭'), "{key}");
        }
    }

    #[test]
    fn every_popup_closes_with_escape_and_takes_what_is_pasted() {
        for key in each() {
            let mut script = opened(true, key);
            script.event(Event::Paste("one\r\ntwo \u{1b}[31m".into()));
            assert!(!script.drawn().contains('\u{1b}'), "{key}");
            script.key(KeyCode::Esc);
            let drawn = script.drawn();
            assert!(!drawn.contains("-+"), "{key}: {drawn}");
        }
    }

    #[test]
    fn a_replay_fits_every_screen() {
        let mut script = Script::new(true);
        script.typed("3");
        let query = script.state.queries().into_iter().find(|query| matches!(query, Query::Turns(_)));
        script.loaded(query.expect("the screen shows turns"), Data::Turns(super::super::script::page(vec![*turn(9)])));
        let asked = Script::asked(&script.typed("p"));
        assert_eq!(asked, [Request::Replay { turn: 9, args: None, code: None }]);
        assert!(script.state.queries().contains(&Query::Object(qrid())));
        for (width, height) in [(40, 8), (80, 24), (160, 50)] {
            let drawn = script.drawn_at(width, height);
            assert!(drawn.is_ascii() && drawn.contains("run again"), "{drawn}");
        }
    }
}
