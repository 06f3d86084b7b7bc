//! `qrt man`: the manual pages, in roff.

use clap_mangen::Man;

use super::{Call, Done};
use crate::failure::Failure;

pub(super) fn run(call: &mut Call) -> Done {
    let qrt = super::command(None);
    let command = match call.text("VERB") {
        None => qrt,
        Some(verb) => {
            let found = qrt.find_subcommand(verb).cloned();
            let found =
                found.ok_or_else(|| Failure::new(format!("there is no verb {verb:?}: `qrt help` lists them")))?;
            // Its synopsis is what is typed; its page is found under `qrt-VERB`.
            found.name(format!("qrt-{verb}")).bin_name(format!("qrt {verb}")).version(qrt_shared::VERSION)
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    call.out.line(String::from_utf8_lossy(&page).trim_end())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::call;
    use qrt_shared::action::ACTIONS;

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
        assert!(page.contains("Exit codes: 0 done"), "{page}");
    }

    #[test]
    fn every_verb_has_a_page() {
        for action in ACTIONS {
            let page = page(&["man", action.verb]);
            assert!(page.contains(&format!("qrt-{}", action.verb)) && page.contains(action.summary), "{page}");
        }
        let (mut nosuch, _) = call(&["man", "nosuch"]);
        assert!(run(&mut nosuch).expect_err("no such verb").to_string().contains("there is no verb"));
    }
}
