/// Why a text is not QJSON: where, and what to do about it.
///
/// `Display` is one line: `args.items[3].when: a number beyond what a double holds (line 1,
/// column 17)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message} (line {line}, column {column})")]
pub struct Error {
    /// The path of the value concerned, starting with the name of the whole.
    pub path: String,
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}
