//! `qrt man`: the manual pages, in roff.

use clap::Command;
use clap_mangen::Man;
use qrt_shared::action::{self, ACTIONS, Action, Arg, Kind};

use super::{Call, Done};

pub(super) fn run(call: &mut Call) -> Done {
    let qrt = super::command(None);
    let verb = call.text("VERB").and_then(action::by_verb);
    let mut page = Vec::new();
    Man::new(verb.map_or(qrt.clone(), |action| command_of(&qrt, action))).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    if verb.is_none() {
        // No page but this one is installed.
        for Action { verb, .. } in ACTIONS {
            let roff = verb.replace('-', r"\-");
            page = page.replace(&format!("\nqrt\\-{roff}(1)\n"), &format!("\nqrt man {roff}\n"));
        }
    }
    call.out.line(page.trim_end())?;
    Ok(())
}

/// A verb as a command with a page of its own: its synopsis is what is typed, its title `qrt-VERB`.
fn command_of(qrt: &Command, action: &Action) -> Command {
    let verb = action.verb;
    let command = qrt.find_subcommand(verb).expect("the parser is made from the table").clone();
    let words: Vec<_> = action.args.iter().map(word).collect();
    command
        .name(format!("qrt-{verb}"))
        .bin_name(format!("qrt {verb}"))
        .version(qrt_shared::VERSION)
        .disable_version_flag(true)
        .override_usage(format!("qrt {verb} {}", words.join(" ")))
}

/// An argument in a synopsis.
fn word(arg: &Arg) -> String {
    let name = arg.name;
    let given = |value: &str, short: Option<char>| match short {
        Some(short) => format!("-{short} {value}"),
        None => format!("--{name} {value}"),
    };
    match arg.kind {
        Kind::Required => name.to_owned(),
        Kind::Optional => format!("[{name}]"),
        Kind::Many => format!("{name}..."),
        Kind::Flag => format!("[--{name}]"),
        Kind::Option { value, short } => format!("[{}]", given(value, short)),
        Kind::Demanded { value, short } => given(value, short),
        Kind::Repeated { value } => format!("[{}]...", given(value, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::call;

    fn page(line: &[&str]) -> String {
        let (mut call, shown) = call(line);
        run(&mut call).expect("a page");
        // Roff has its own hyphens and apostrophes.
        shown.text().replace("\\-", "-").replace("\\*(Aq", "'")
    }

    #[test]
    fn the_page_of_qrt_names_every_verb() {
        let page = page(&["man"]);
        for action in ACTIONS {
            assert!(page.contains(action.summary), "{}", action.verb);
        }
        assert!(page.contains("\nqrt man memory-set\n") && !page.contains("qrt-memory-set"), "{page}");
        assert!(page.contains("Exit codes: 0 done"), "{page}");
    }

    #[test]
    fn every_verb_has_a_page() {
        for action in ACTIONS {
            let page = page(&["man", action.verb]);
            assert!(page.contains(&format!("qrt-{}", action.verb)) && page.contains(action.summary), "{page}");
        }
        let send = page(&["man", "send"]);
        assert!(send.contains("-d DIR [--wait] [--timeout S] [--key TEXT] QRID ARGSJSON [--json]"), "{send}");
        assert!(!send.contains("--version"), "the verb does not take it: {send}");
    }
}
