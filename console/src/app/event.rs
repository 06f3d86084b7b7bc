//! What happens to the console, and what it wants done.

use crossterm::event::{KeyEvent, MouseEvent};
use qrt_shared::id::Qrid;
use qrt_shared::view::Totals;

use super::command::Command;
use super::pane::Pane;
use super::popup::Popup;
use super::popups;
use super::query::{Data, Query};
use super::request::{Reply, Request};
use super::written::Draft;
use crate::output::Tone;

/// What came of a request: its reply, or why not, in one line.
pub type Answer = Result<Reply, String>;

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text pasted into the terminal.
    Paste(String),
    /// The terminal has another size.
    Resized,
    /// A second has passed.
    Tick,
    /// What a query asked for.
    Loaded(Query, Box<Data>),
    /// Why there is no answer to a query.
    Refused(Query, String),
    /// The vat committed; what it has done by now.
    Committed(Totals),
    /// The daemon does not answer.
    Away(String),
    /// What came of a request.
    Answered(Request, Answer),
    /// The operator's editor has ended; `None` when the text is as it was or there is none.
    Edited(Edit, Option<String>),
    /// The operator's editor did not do.
    NotEdited(String),
    /// The process is to end.
    End,
}

/// What is to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Ask the daemon for this.
    Ask(Request),
    /// Put this into the clipboard.
    Copy(String),
    /// Let the operator edit this.
    Edit(Edit),
    /// Show the next vat.
    Vat,
    /// Stop this process, as the shell's job control does.
    Suspend,
    /// End.
    Quit,
}

/// What a pane or popup wants.
pub enum Do {
    /// Go into this.
    Push(Box<dyn Pane>),
    /// Go to a screen.
    Screen(usize),
    /// Go to a screen, out of whatever one went into there.
    Home(usize),
    /// Go to a screen and show this there.
    Show(usize, Box<dyn Pane>),
    /// Open this.
    Popup(Box<dyn Popup>),
    /// Close the popup on top.
    Close,
    /// Show only what has this text.
    Filter(String),
    /// Carry out this command.
    Run(Command),
    /// Say this in the line above the keys.
    Say(Note),
    /// Ask the daemon for this.
    Ask(Request),
    /// Remember what was written and left.
    Remember(Draft),
    /// Put this into the clipboard.
    Copy(String),
    /// Let the operator edit this.
    Edit(Edit),
    /// Go to the next vat.
    Vat,
    /// End the console.
    Quit,
}

/// A text for the operator's own editor.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The text.
    pub text: String,
    /// How the file's name ends, so that the editor knows what it is.
    pub suffix: &'static str,
    /// What it is for.
    pub what: Edited,
}

/// What a text that was edited is for.
#[derive(Debug, Clone)]
pub enum Edited {
    /// The new code of an object.
    Code {
        /// The object.
        object: Qrid,
        /// What it is called.
        name: String,
        /// The code it has.
        before: String,
    },
    /// The new value of a key of an object's memory.
    Value {
        /// The object.
        object: Qrid,
        /// The key.
        key: String,
        /// The value it has, as it was laid out to be edited; empty when the key is new.
        before: String,
    },
    /// What the popup on top calls so.
    Field(&'static str),
}

impl Edit {
    /// What is to be done when the editor has ended.
    pub fn done(self, text: Option<String>) -> Vec<Do> {
        let Some(text) = text else { return vec![Do::Say(Note::dim("nothing was changed"))] };
        popups::change(Self { text, ..self }).map(Do::Popup).into_iter().collect()
    }
}

/// What stands in the line above the keys: what came of the last command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How it is.
    pub tone: Tone,
    /// One line.
    pub text: String,
    /// The command line that does the same.
    pub command: Option<String>,
}

impl Note {
    /// It worked.
    pub fn good(text: impl Into<String>) -> Self {
        Self { tone: Tone::Good, text: text.into(), command: None }
    }

    /// It did not.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { tone: Tone::Bad, text: text.into(), command: None }
    }

    /// It does not matter much.
    pub fn dim(text: impl Into<String>) -> Self {
        Self { tone: Tone::Dim, text: text.into(), command: None }
    }

    /// What came of a request.
    pub fn of(request: &Request, answer: &Answer, dir: &str) -> Self {
        let note = match answer {
            Ok(reply) => Self { tone: reply.tone(), ..Self::good(reply.told()) },
            Err(why) => Self::bad(why.clone()),
        };
        Self { command: Some(request.line(dir)), ..note }
    }
}
