//! Commands that lines for people advise: they are there to be copied into a shell.

use std::path::Path;

/// `text` as one word of a shell's command line.
pub fn word(text: &str) -> String {
    // A word that begins so would be a comment.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@=,#".contains(c);
    if !text.is_empty() && !text.starts_with('#') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `path` as one word of a shell's command line.
pub fn path(path: &Path) -> String {
    word(&path.display().to_string())
}

/// How to come to a vat where `dir` is none: a vat is made only where nothing is.
pub fn make_a_vat(dir: &Path) -> String {
    let is_free = match dir.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => dir.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound),
    };
    if is_free {
        format!("make one with `qrt create-node {}`", path(dir))
    } else {
        "name a vat's, or make a vat in a directory of its own with `qrt create-node`".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stays_one_word() {
        assert_eq!(word("/srv/vat-1.x"), "/srv/vat-1.x");
        assert_eq!(path(Path::new("/a b's")), r"'/a b'\''s'");
        assert_eq!(word(""), "''");
        assert_eq!((word("bob#6"), word("#6")), ("bob#6".into(), "'#6'".into()));
    }

    #[test]
    fn a_vat_is_advised_only_where_one_can_be_made() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let advised = |dir: &Path| make_a_vat(dir).contains(&format!("`qrt create-node {}`", path(dir)));
        assert!(advised(scratch.path()) && advised(&scratch.path().join("none")));
        let file = scratch.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert!(!advised(scratch.path()) && !advised(&file));
    }
}
