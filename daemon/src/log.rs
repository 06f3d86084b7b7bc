//! `qrt log`: one stream of what the daemon wrote into its log and what turns logged.
//!
//! Who looks at a log wants to know what happened around a moment, and that is rarely on one side alone: an object
//! complains, a worker died, a peer was away. So both stand in one list by their times. The daemon's lines are in
//! `DIR/qrtd.log`, those of turns in the journal, and go with it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use qrt_shared::view::{Log, LogLine};

use crate::directory::LOG;
use crate::store::read::{Asked, ReadError, Reader};

/// The most of the daemon's log that is read at once.
const BYTES_MAX: u64 = 256 << 10;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With so many of the newest lines.
    Newest(u64),
    /// After what was read before.
    After {
        /// Bytes of the daemon's log.
        offset: u64,
        /// The last turn.
        turn: u64,
    },
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The daemon's.
    #[error("cannot read the log {}: {source}", path.display())]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal's.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads the log of the vat in `dir`, which does not run.
pub fn read_stopped(dir: &Path, begin: Begin) -> Result<Log, Error> {
    let logged = Reader::open(dir).map_err(ReadError::from)?.ask(|db| logged(db, begin))?;
    read(dir, begin, logged)
}

/// What turns logged.
pub fn logged(db: &Asked<'_>, begin: Begin) -> Result<(Vec<LogLine>, u64), ReadError> {
    match begin {
        Begin::Newest(count) => db.logged_newest(count),
        Begin::After { turn, .. } => db.logged(turn),
    }
}

/// Puts the daemon's lines to those that turns `logged`.
pub fn read(dir: &Path, begin: Begin, logged: (Vec<LogLine>, u64)) -> Result<Log, Error> {
    let path = dir.join(LOG);
    let (text, offset) = match part(&path, begin) {
        Ok(part) => part,
        // A vat that has only run in a terminal has none.
        Err(error) if error.kind() == ErrorKind::NotFound => (String::new(), 0),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let (mut lines, turn) = logged;
    let mut at = 0;
    for line in text.lines() {
        let line = daemon_line(line, at);
        at = line.at;
        lines.push(line);
    }
    lines.sort_by_key(|line| line.at);
    if let Begin::Newest(count) = begin {
        let spare = lines.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        lines.drain(..spare);
    }
    Ok(Log { lines, offset, turn })
}

/// Whole lines of the file, and where they end.
fn part(path: &Path, begin: Begin) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let from = match begin {
        Begin::Newest(_) => size.saturating_sub(BYTES_MAX),
        // A file that is shorter than it was was begun anew.
        Begin::After { offset, .. } => {
            if offset > size {
                0
            } else {
                offset
            }
        }
    };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        // A line longer than any of ours is passed over.
        let passed = if bytes.len() as u64 == BYTES_MAX { BYTES_MAX } else { 0 };
        return Ok((String::new(), from + passed));
    };
    let mut text = &bytes[..=end];
    if from > 0 && matches!(begin, Begin::Newest(_)) {
        // The first line may be a half.
        let start = text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        text = &text[start..];
    }
    Ok((String::from_utf8_lossy(text).into_owned(), from + end as u64 + 1))
}

/// A line that the daemon wrote: time, level, text. What has no time, as the second line of a message, has that of
/// the one before it.
fn daemon_line(line: &str, before: u64) -> LogLine {
    let daemon = |at, level: Option<&str>, text: &str| LogLine {
        at,
        turn: None,
        object: None,
        name: None,
        level: level.map(str::to_owned),
        text: text.to_owned(),
    };
    let whole = || {
        let (time, rest) = line.split_once(' ')?;
        let (level, text) = rest.trim_start().split_once(' ')?;
        Some(daemon(millis(time)?, Some(level), text))
    };
    whole().unwrap_or_else(|| daemon(before, None, line))
}

/// `2026-11-24T08:15:03.123456Z` in milliseconds since the epoch.
fn millis(time: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !marks.iter().all(|(at, mark)| time.as_bytes().get(*at) == Some(mark)) || !time.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // A civil date to days, by the 400-year cycle: years begin in March, so that the leap day is last.
    // Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = days * 86_400 + digits(11, 13)? * 3600 + digits(14, 16)? * 60 + digits(17, 19)?;
    Some(seconds * 1000 + digits(20, 23).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn times_are_read_to_the_millisecond() {
        for (time, at) in [
            ("1970-01-01T00:00:00.000000Z", Some(0)),
            ("2000-02-29T00:00:00.999999Z", Some(951_782_400_999)),
            ("2026-11-22T08:15:03.120000Z", Some(1_795_335_303_120)),
            ("1969-12-31T23:59:59.000000Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("at the start", None),
        ] {
            assert_eq!(millis(time), at, "{time}");
        }
    }

    #[test]
    fn lines_stand_by_their_times_and_a_half_one_is_left_for_later() {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let log = "2000-02-29T00:00:00.001Z  INFO serving\nmore of it\n2000-02-29T00:00:00.009Z  WARN";
        fs::write(dir.path().join(LOG), log).expect("a log");
        let turn = LogLine {
            at: 951_782_400_000,
            turn: Some(3),
            object: None,
            name: None,
            level: None,
            text: "first".to_owned(),
        };
        let begin = Begin::After { offset: 0, turn: 0 };
        let read = read(dir.path(), begin, (vec![turn], 3)).expect("a log");
        let texts: Vec<_> = read.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["first", "serving", "more of it"]);
        assert_eq!((read.lines[1].level.as_deref(), read.lines[2].at, read.turn), (Some("INFO"), 951_782_400_001, 3));
        assert_eq!(read.offset, log.rfind('\n').expect("a line") as u64 + 1);
        let newest = super::read(dir.path(), Begin::Newest(1), (Vec::new(), 3)).expect("a log");
        assert_eq!(newest.lines.len(), 1);
        let beyond = Begin::After { offset: 1 << 20, turn: 3 };
        assert_eq!(
            super::read(dir.path(), beyond, (Vec::new(), 3)).expect("a log").lines.len(),
            2,
            "it was begun anew"
        );
    }
}
