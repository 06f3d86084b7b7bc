//! What an operator can do, in one table: its keys, its word in the bottom line, its help, whether it fits what
//! is selected, and the verb of `qrt` that does the same.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qrt_shared::action::{self, Effect};

use super::thing::Thing;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Go to a screen, counted from 0.
    Screen(usize),
    /// Move the selection.
    Move(Motion),
    /// Give the next part of the screen the keys, or the one before.
    Focus(bool),
    /// Go into what is selected.
    Into,
    /// Go back to where one came from.
    Back,
    /// Show only what has some text.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Send a message to the object.
    Send,
    /// Install an object.
    Install,
    /// Edit the object's code, or the key's value.
    Edit,
    /// Set a key of the object's memory by its name.
    Set,
    /// Try again now.
    Retry,
    /// Drop it.
    Drop,
    /// Follow what happens, or stay.
    Pause,
    /// Copy its QRID or id.
    Copy,
    /// Hold it, or release it.
    Hold,
    /// Give it a petname.
    Name,
    /// Say why it does not go on.
    Why,
    /// Show its causes and effects.
    Trace,
    /// Show who can reach it, and what it can reach.
    Reach,
    /// Run the turn again, apart.
    Replay,
    /// Go on with a peer whose history is another.
    Resync,
    /// Learn where another vat answers.
    AddPeer,
    /// Say whether the vat is well.
    Check,
    /// Copy the vat into a file.
    Backup,
    /// Find anything by its name.
    Palette,
    /// Show what keys do.
    Help,
    /// Read everything again.
    Refresh,
    /// Go to the next of the vats this console is attached to.
    Vat,
    /// End the console.
    Quit,
}

/// A movement in a list or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// A row up.
    Up,
    /// A row down.
    Down,
    /// A column or level out.
    Left,
    /// A column or level in.
    Right,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

/// A row of the table.
#[derive(Debug)]
pub struct Entry {
    /// The command.
    pub command: Command,
    /// Its keys; the first is the one that is shown.
    pub keys: &'static [(KeyCode, KeyModifiers)],
    /// One word for it, in the bottom line and the palette.
    pub word: &'static str,
    /// What it does, in the help and the palette.
    pub help: &'static str,
    /// The verb of `qrt` that does the same, where there is one.
    pub verb: Option<&'static str>,
    /// Whether it does something with this.
    pub fits: fn(&Thing) -> bool,
}

const fn key(c: char) -> (KeyCode, KeyModifiers) {
    (KeyCode::Char(c), KeyModifiers::NONE)
}

const fn ctrl(c: char) -> (KeyCode, KeyModifiers) {
    (KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn code(code: KeyCode) -> (KeyCode, KeyModifiers) {
    (code, KeyModifiers::NONE)
}

const fn entry(
    command: Command,
    keys: &'static [(KeyCode, KeyModifiers)],
    word: &'static str,
    help: &'static str,
) -> Entry {
    Entry { command, keys, word, help, verb: None, fits: always }
}

impl Entry {
    const fn verb(self, verb: &'static str) -> Self {
        Self { verb: Some(verb), ..self }
    }

    const fn fits(self, fits: fn(&Thing) -> bool) -> Self {
        Self { fits, ..self }
    }

    /// Whether it leaves the vat as it is: what its verb does is said where the verbs are.
    pub fn looks(&self) -> bool {
        self.verb.and_then(action::by_verb).is_none_or(|action| action.effect == Effect::Read)
    }
}

fn always(_: &Thing) -> bool {
    true
}

fn object(thing: &Thing) -> bool {
    thing.object().is_some()
}

fn editable(thing: &Thing) -> bool {
    object(thing)
}

fn retried(thing: &Thing) -> bool {
    matches!(thing, Thing::Outgoing { .. } | Thing::Peer { .. } | Thing::Fault { .. } | Thing::Vat)
}

fn dropped(thing: &Thing) -> bool {
    matches!(thing, Thing::Outgoing { .. } | Thing::Fault { .. } | Thing::Object { .. })
}

fn held(thing: &Thing) -> bool {
    matches!(thing, Thing::Object { .. } | Thing::Peer { .. })
}

fn copied(thing: &Thing) -> bool {
    thing.copied().is_some()
}

fn traced(thing: &Thing) -> bool {
    thing.traced().is_some()
}

fn turn(thing: &Thing) -> bool {
    matches!(thing, Thing::Turn { .. } | Thing::Fault { turn: Some(_), .. })
}

fn peer(thing: &Thing) -> bool {
    matches!(thing, Thing::Peer { .. })
}

use Command as C;
use KeyCode::{BackTab, Backspace, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up};

/// Every command, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    entry(C::Into, &[code(Enter)], "into", "go into what is selected"),
    entry(C::Back, &[code(Esc), code(Backspace)], "back", "go back to where you came from"),
    entry(C::Focus(true), &[code(Tab)], "next part", "give the next part of the screen the keys"),
    entry(C::Focus(false), &[code(BackTab)], "part before", "give the part before the keys"),
    entry(C::Send, &[key('s')], "send", "send a message to an object").verb("send"),
    entry(C::Install, &[key('i')], "install", "install an object").verb("install"),
    entry(C::Edit, &[key('e')], "edit", "edit the object's code, or the value of its memory's key, in $EDITOR")
        .verb("upgrade")
        .fits(editable),
    entry(C::Set, &[key('m')], "set key", "set a key of the object's memory, a new one too, in $EDITOR")
        .verb("memory-set")
        .fits(object),
    entry(C::Retry, &[key('r')], "retry", "try the delivery, or the failed message, again now")
        .verb("retry")
        .fits(retried),
    entry(C::Drop, &[key('x')], "drop", "drop the message or the fault, or remove the object (asks)")
        .verb("drop")
        .fits(dropped),
    entry(C::Hold, &[key('h')], "hold", "hold the object or the peer's queue, or release it").verb("hold").fits(held),
    entry(C::Why, &[key('w')], "why", "say why it does not go on, and what would help").verb("why"),
    entry(C::Trace, &[key('t')], "trace", "show what led to it, and to what it led").verb("trace").fits(traced),
    entry(C::Reach, &[key('a')], "reach", "show who can reach the object, and what it can reach")
        .verb("reach")
        .fits(object),
    entry(C::Replay, &[key('p')], "replay", "run the turn again, apart, with other code or arguments if you like")
        .verb("replay")
        .fits(turn),
    entry(C::Name, &[key('n')], "name", "give the object or the peer a petname").verb("name").fits(held),
    entry(C::AddPeer, &[key('+')], "add peer", "say where another vat answers").verb("peer-add"),
    entry(C::Resync, &[key('R')], "resync", "go on with a peer whose history is another (asks)")
        .verb("peer-resync")
        .fits(peer),
    entry(C::Copy, &[key('y')], "copy", "copy the QRID, or the id, to the clipboard").fits(copied),
    entry(C::Filter, &[key('/')], "filter", "show only what has some text in it"),
    entry(C::Sort, &[key('o')], "sort", "sort by the next column"),
    entry(C::Pause, &[key(' ')], "pause", "stay with what is shown, or follow what happens"),
    entry(C::Check, &[key('c')], "check", "say whether the vat is well, line by line").verb("check"),
    entry(C::Backup, &[], "backup", "copy the vat into a file").verb("backup"),
    entry(C::Refresh, &[ctrl('l')], "refresh", "draw the screen anew"),
    entry(C::Palette, &[key(':')], "find", "find a command, an object or a peer by its name"),
    entry(C::Vat, &[key('v')], "next vat", "go to the next of the vats this console is attached to"),
    entry(C::Help, &[key('?')], "help", "show what keys do"),
    entry(C::Quit, &[key('q'), ctrl('c')], "quit", "leave the console; the vat goes on"),
    entry(C::Move(Motion::Down), &[key('j'), code(Down)], "down", "a row down"),
    entry(C::Move(Motion::Up), &[key('k'), code(Up)], "up", "a row up"),
    entry(C::Move(Motion::Left), &[code(Left)], "close", "close what is open, or go to the left"),
    entry(C::Move(Motion::Right), &[code(Right)], "open", "open it, or go to the right"),
    entry(C::Move(Motion::PageDown), &[code(PageDown), ctrl('f')], "page down", "a screenful down"),
    entry(C::Move(Motion::PageUp), &[code(PageUp), ctrl('b')], "page up", "a screenful up"),
    entry(C::Move(Motion::First), &[key('g'), code(Home)], "first", "to the first row"),
    entry(C::Move(Motion::Last), &[key('G'), code(End)], "last", "to the last row"),
];

/// The command a key stands for.
pub fn of(key: KeyEvent) -> Option<Command> {
    if let KeyCode::Char(digit @ '1'..='9') = key.code {
        return Some(Command::Screen(usize::try_from(u32::from(digit) - u32::from('1')).ok()?));
    }
    // Shift is in the character already.
    let modifiers = key.modifiers - KeyModifiers::SHIFT;
    let of = |entry: &&Entry| entry.keys.contains(&(key.code, modifiers));
    COMMANDS.iter().find(of).map(|entry| entry.command)
}

/// The table's row of a command.
pub fn entry_of(command: Command) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.command == command)
}

/// Whether a command may be carried out on this; if not, why not and what to do.
pub fn allowed(command: Command, thing: &Thing, read_only: bool) -> Result<(), String> {
    let Some(entry) = entry_of(command) else { return Ok(()) };
    if read_only && !entry.looks() {
        return Err(format!("{} changes the vat, and this console only looks: leave out --read-only", entry.word));
    }
    if !(entry.fits)(thing) {
        return Err(format!("{} does nothing with {}", entry.word, thing.called()));
    }
    Ok(())
}

/// Whether a key asks for job control.
pub fn is_suspend(key: KeyEvent) -> bool {
    key.code == KeyCode::Char('z') && key.modifiers == KeyModifiers::CONTROL
}

/// A key as people write it.
pub fn shown(key: KeyEvent) -> String {
    label((key.code, key.modifiers - KeyModifiers::SHIFT))
}

/// A key of the table as people write it.
pub fn label((code, modifiers): (KeyCode, KeyModifiers)) -> String {
    let key = match code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        BackTab => "Shift-Tab".to_owned(),
        PageUp => "PgUp".to_owned(),
        PageDown => "PgDn".to_owned(),
        other => other.to_string(),
    };
    if modifiers.contains(KeyModifiers::CONTROL) { format!("Ctrl-{key}") } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_stands_for_two_commands() {
        let mut keys = HashSet::new();
        for entry in COMMANDS {
            for key in entry.keys {
                assert!(keys.insert(key), "{}", label(*key));
            }
        }
    }

    #[test]
    fn every_verb_is_one_of_qrt() {
        for verb in COMMANDS.iter().filter_map(|entry| entry.verb) {
            assert!(action::by_verb(verb).is_some(), "{verb}");
        }
    }

    #[test]
    fn a_console_that_only_looks_changes_nothing() {
        for entry in COMMANDS.iter().filter(|entry| !entry.looks()) {
            assert!(allowed(entry.command, &Thing::Vat, true).is_err(), "{}", entry.word);
        }
    }

    #[test]
    fn a_capital_letter_is_another_key() {
        let resync = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!((of(resync), shown(resync).as_str()), (Some(Command::Resync), "R"));
    }
}
