//! `qrt why`: what keeps something from going on, and the command that would clear it.

use std::io;

use qrt_shared::id::Subject;
use qrt_shared::view::Why;

use super::{Call, Done};
use crate::format;
use crate::output::{Output, Tone};

pub(super) async fn run(call: &mut Call) -> Done {
    let subject: Option<Subject> = call.text("SUBJECT").map(str::parse).transpose()?;
    let mut why = call.client().await?.why(subject.as_ref()).await?;
    let dir = call.dir_word();
    // The daemon does not know by which path it is called from here.
    why.command = why.command.map(|command| with_dir(&command, &dir));
    if call.json() {
        call.out.json(&why)?;
    } else {
        show(&mut call.out, &why)?;
    }
    Ok(())
}

/// `command` with `dir` in place of the word `DIR`.
fn with_dir(command: &str, dir: &str) -> String {
    command.split(' ').map(|word| if word == "DIR" { dir } else { word }).collect::<Vec<_>>().join(" ")
}

fn show(out: &mut Output, why: &Why) -> io::Result<()> {
    let tone = if why.blocked { Tone::Bad } else { Tone::Good };
    for line in format::wrap(&format::line(&why.sentence), out.width()).lines() {
        let line = out.paint(tone, line);
        out.line(line)?;
    }
    for fact in &why.evidence {
        for (number, line) in format::wrap(&format::line(fact), out.width() - 4).lines().enumerate() {
            out.line(format!("{}{line}", if number == 0 { "  - " } else { "    " }))?;
        }
    }
    if let Some(command) = &why.command {
        // Never broken into lines: it is there to be copied.
        out.line(format!("\nTo clear it: {}", format::line(command)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, Fake, PEER, call};

    #[tokio::test]
    async fn it_says_one_sentence_what_shows_it_and_what_to_do() {
        let why = format!(
            r#"{{"subject":"bob#6","blocked":true,"sentence":"bob does not answer","evidence":["4 attempts failed: refused\u001b[2J","{}"],"command":"qrt retry DIR --peer {PEER}"}}"#,
            "word ".repeat(30)
        );
        let fake = Fake::new(vec![Answer::Json(why)]);
        let dir = fake.dir().display().to_string();
        let (mut call, shown) = call(&["why", &dir, "bob#6"]);
        run(&mut call).await.expect("an answer");
        let text = shown.text();
        assert!(text.starts_with("bob does not answer\n  - 4 attempts failed: refused\\u{1b}[2J\n  - word "), "{text}");
        assert!(text.ends_with(&format!("\nTo clear it: qrt retry {dir} --peer {PEER}\n")), "{text}");
        assert_eq!(fake.requests(), ["GET /v1/why?subject=bob%236 HTTP/1.1"]);
    }

    #[test]
    fn the_directory_takes_the_place_of_the_word_for_it() {
        assert_eq!(with_dir("qrt hold DIR x", "'/a b'"), "qrt hold '/a b' x");
    }

    #[tokio::test]
    async fn without_a_subject_it_is_about_the_vat() {
        let well = r#"{"subject":"vat","blocked":false,"sentence":"nothing waits","evidence":[],"command":null}"#;
        let fake = Fake::new(vec![Answer::Json(well.into())]);
        let dir = fake.dir().display().to_string();
        let (mut vat, shown) = call(&["why", &dir, "--json"]);
        run(&mut vat).await.expect("an answer");
        assert_eq!(shown.text(), format!("{well}\n"));
        assert_eq!(fake.requests(), ["GET /v1/why HTTP/1.1"]);
        let (mut bad, _) = call(&["why", &dir, "Not-a-name"]);
        assert!(run(&mut bad).await.expect_err("no subject").to_string().contains("names nothing of a vat"));
    }
}
