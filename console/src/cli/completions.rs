//! `qrt completions`: what a shell needs to complete verbs and flags.

use clap_complete::{Shell, generate};

use super::{Call, Done};

pub(super) fn run(call: &mut Call) -> Done {
    let shell = *call.args.get_one::<Shell>("SHELL").expect("the parser demands it");
    let mut script = Vec::new();
    generate(shell, &mut super::command(None), "qrt", &mut script);
    call.out.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::call;
    use clap::ValueHint;
    use qrt_shared::action::ACTIONS;

    #[test]
    fn every_shell_is_told_every_verb() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let (mut call, shown) = call(&["completions", shell]);
            run(&mut call).expect("a script");
            let script = shown.text();
            for action in ACTIONS {
                assert!(script.contains(action.verb), "{shell}: {}", action.verb);
            }
            assert!(script.contains("no-make-object"), "{shell}");
            assert!(script.contains("mono"), "{shell}: the themes");
        }
    }

    #[test]
    fn a_shell_is_told_what_stands_for_files_and_directories() {
        let command = super::super::command(None);
        let hint = |verb: &str, name: &str| {
            let verb = command.find_subcommand(verb).expect("a verb");
            verb.get_arguments().find(|arg| arg.get_id() == name).expect("an argument").get_value_hint()
        };
        assert_eq!((hint("info", "DIR"), hint("send", "dir")), (ValueHint::DirPath, ValueHint::DirPath));
        assert_eq!((hint("install", "FILE"), hint("replay", "code")), (ValueHint::AnyPath, ValueHint::AnyPath));
        assert_eq!((hint("restore", "key"), hint("send", "key")), (ValueHint::AnyPath, ValueHint::Unknown));
    }
}
