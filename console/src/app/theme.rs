//! How things look, by what they mean. Every colour also has a word or a mark, so nothing is lost without.

use ratatui::style::{Color, Modifier, Style};

use crate::output::Tone;

/// Which colours there are. All but none are the terminal's own sixteen, so they fit its background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// For a dark background.
    Dark,
    /// For a light one.
    Light,
    /// None: bold, dim and reverse alone.
    Mono,
}

/// How things look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Which colours there are.
    pub palette: Palette,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
}

impl Theme {
    fn colour(self, dark: Color, light: Color) -> Style {
        match self.palette {
            Palette::Dark => Style::new().fg(dark),
            Palette::Light => Style::new().fg(light),
            Palette::Mono => Style::new(),
        }
    }

    /// Running text.
    pub fn plain(self) -> Style {
        Style::new()
    }

    /// A heading.
    pub fn title(self) -> Style {
        self.colour(Color::Cyan, Color::Blue).add_modifier(Modifier::BOLD)
    }

    /// Less important.
    pub fn dim(self) -> Style {
        match self.palette {
            Palette::Dark | Palette::Light => Style::new().fg(Color::DarkGray),
            Palette::Mono => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// As it should be.
    pub fn good(self) -> Style {
        self.colour(Color::Green, Color::Green)
    }

    /// Not as it should be.
    pub fn bad(self) -> Style {
        let style = self.colour(Color::LightRed, Color::Red);
        if self.palette == Palette::Mono { style.add_modifier(Modifier::BOLD) } else { style }
    }

    /// To be looked at.
    pub fn warning(self) -> Style {
        self.colour(Color::Yellow, Color::Magenta)
    }

    /// A key in the bottom line.
    pub fn key(self) -> Style {
        self.colour(Color::Cyan, Color::Blue).add_modifier(Modifier::BOLD)
    }

    /// A name: of an object, a property, a column.
    pub fn name(self) -> Style {
        self.colour(Color::Blue, Color::Blue)
    }

    /// A string in code or JSON.
    pub fn string(self) -> Style {
        self.colour(Color::Green, Color::Green)
    }

    /// A number or another literal in code or JSON.
    pub fn number(self) -> Style {
        self.colour(Color::Magenta, Color::Magenta)
    }

    /// A word of the language in code.
    pub fn keyword(self) -> Style {
        self.colour(Color::Yellow, Color::Blue)
    }

    /// What the selection is on: one bar, whatever colours are in it otherwise.
    pub fn selected(self) -> Style {
        Style::new().fg(Color::Reset).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED)
    }

    /// The top and bottom lines.
    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Something said in that tone.
    pub fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => self.plain(),
            Tone::Title => self.title(),
            Tone::Good => self.good(),
            Tone::Bad => self.bad(),
            Tone::Dim => self.dim(),
        }
    }

    /// One mark or, where only ASCII may be drawn, another.
    pub fn mark(self, mark: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { mark }
    }
}
