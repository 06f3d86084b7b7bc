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
        }
    }
}
