//! Why something does not go on: one sentence, what shows it, and the command that would clear it.

use qrt_shared::id::Subject;
use qrt_shared::view::Why;
use ratatui::text::Line;

use super::super::query::{Data, Query};
use super::super::theme::Theme;
use super::text;

/// The answer to why, or the question as long as there is none.
#[derive(Debug)]
pub struct Reason {
    subject: Option<Subject>,
    found: Option<Result<Why, String>>,
}

impl Reason {
    /// Asks about a subject; `None` is the vat.
    pub fn new(subject: Option<Subject>) -> Self {
        Self { subject, found: None }
    }

    /// What asks.
    pub fn query(&self) -> Query {
        Query::Why(self.subject.clone())
    }

    /// Takes the answer, if it is one to this question.
    pub fn loaded(&mut self, query: &Query, data: &Data) {
        if let Data::Why(why) = data
            && *query == self.query()
        {
            self.found = Some(Ok(why.clone()));
        }
    }

    /// Takes that there is none.
    pub fn refused(&mut self, query: &Query, why: &str) {
        if *query == self.query() {
            self.found = Some(Err(why.to_owned()));
        }
    }

    /// Takes that nobody answers, unless there is an answer.
    pub fn away(&mut self, why: &str) {
        self.found.get_or_insert_with(|| Err(why.to_owned()));
    }

    /// It in lines.
    pub fn lines(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        match &self.found {
            None => text::wrapped("asking ...", theme.dim(), width),
            Some(Err(why)) => text::wrapped(why, theme.bad(), width),
            Some(Ok(why)) => {
                let style = if why.blocked { theme.bad() } else { theme.good() };
                let mut lines = text::wrapped(&why.sentence, style, width);
                let facts = why.evidence.iter();
                lines.extend(facts.flat_map(|fact| text::wrapped(&format!("- {fact}"), theme.plain(), width)));
                if let Some(command) = &why.command {
                    lines.push(Line::default());
                    lines.extend(text::wrapped(command, theme.key(), width));
                }
                lines
            }
        }
    }
}
