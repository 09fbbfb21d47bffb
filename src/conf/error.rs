//! What can be wrong with a configuration text. `Display` is nats-server's message where it has one.

use std::fmt;
use std::io;

use super::value::Position;
use super::{MAX_DEPTH, MAX_EXPANSION_BYTES, MAX_TEXT_BYTES, MAX_TEXT_DEPTH, MAX_TEXTS};

/// Why a configuration could not be read. The operator is to blame, or the machine for `Read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Read {
        operation: Operation,
        path: String,
        reason: String,
    },
    /// The file is no UTF-8 at this place.
    Encoding {
        position: Position,
    },
    Syntax {
        line: usize,
        problem: Syntax,
    },
    /// The text ends after a key.
    Incomplete {
        position: Position,
    },
    IntegerRange {
        text: String,
    },
    FloatRange {
        text: String,
    },
    Time {
        text: String,
    },
    VariableUnknown {
        name: String,
        line: usize,
    },
    /// The text of an environment variable is no value.
    Variable {
        name: String,
        line: usize,
        cause: Box<Error>,
    },
    VariableCycle {
        name: String,
    },
    Include {
        path: String,
        cause: Box<Error>,
    },
    IncludeCycle {
        path: String,
    },
    Limit(Limit),
}

/// What was done to a file when it failed, as Go names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Open,
    Read,
}

/// A bound of this module that nats-server does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Depth { line: usize },
    TextDepth,
    Texts,
    TextBytes,
    Expansion { line: usize },
}

impl Error {
    /// Where a text stops being UTF-8.
    pub(super) fn encoding(path: &str, valid: &[u8]) -> Self {
        let newline = memchr::memrchr(b'\n', valid);
        let line = 1 + memchr::memchr_iter(b'\n', valid).count();
        let column = valid.len() - newline.unwrap_or(0);
        Self::Encoding { position: Position::new(path.into(), line, column) }
    }

    pub(super) fn read(path: &str, error: &io::Error) -> Self {
        // Go opens a folder without complaint and fails to read it.
        let operation = match error.kind() {
            io::ErrorKind::IsADirectory => Operation::Read,
            _ => Operation::Open,
        };
        Self::Read { operation, path: path.to_string(), reason: reason(error) }
    }
}

/// The system's own words, which Rust writes `No such file or directory (os error 2)` and Go
/// `no such file or directory`.
fn reason(error: &io::Error) -> String {
    let mut text = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        io::ErrorKind::IsADirectory => "is a directory".to_string(),
        _ => error.to_string(),
    };
    if let Some(at) = text.find(" (os error ") {
        text.truncate(at);
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Variable { cause, .. } | Self::Include { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

// COMPAT: all texts but those of `Encoding`, `IncludeCycle` and `Limit`, which nats-server lacks.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { operation: Operation::Open, path, reason } => {
                write!(f, "open {path}: {reason}")
            }
            Self::Read { operation: Operation::Read, path, reason } => {
                write!(f, "read {path}: {reason}")
            }
            Self::Encoding { position } => write!(f, "{position}: text is not valid UTF-8"),
            Self::Syntax { line, problem } => write!(f, "Parse error on line {line}: '{problem}'"),
            Self::Incomplete { position } => write!(f, "config is invalid ({position})"),
            Self::IntegerRange { text } => write!(f, "integer '{text}' is out of the range"),
            Self::FloatRange { text } => write!(f, "float '{text}' is out of the range"),
            Self::Time { text } => write!(f, "expected Zulu formatted DateTime, but got '{text}'"),
            Self::VariableUnknown { name, line } => {
                write!(f, "variable reference for '{name}' on line {line} can not be found")
            }
            Self::Variable { name, line, cause } => write!(
                f,
                "variable reference for '{name}' on line {line} could not be parsed: {cause}"
            ),
            Self::VariableCycle { name } => write!(f, "variable reference cycle for '{name}'"),
            Self::Include { path, cause } => {
                write!(f, "error parsing include file '{path}', {cause}")
            }
            Self::IncludeCycle { path } => write!(f, "include cycle: {path} includes itself"),
            Self::Limit(limit) => limit.fmt(f),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth { line } => write!(
                f,
                "Parse error on line {line}: 'More than {MAX_DEPTH} maps and arrays inside one another.'"
            ),
            Self::TextDepth => write!(
                f,
                "more than {MAX_TEXT_DEPTH} include files or environment variables inside one another"
            ),
            Self::Texts => {
                write!(f, "more than {MAX_TEXTS} include files and environment variables")
            }
            Self::TextBytes => write!(f, "files are larger than {MAX_TEXT_BYTES} bytes together"),
            Self::Expansion { line } => write!(
                f,
                "variables on line {line} and before expand to more than {MAX_EXPANSION_BYTES} bytes"
            ),
        }
    }
}

/// A text that is not in the language. `found` is what stands there; NUL means the end, as nats-server
/// prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syntax {
    TopValueEnd {
        found: char,
    },
    /// As `TopValueEnd`, within braces around the whole text.
    BlockValueEnd {
        found: char,
    },
    /// As `TopValueEnd`, after braces within braces.
    BlockEnd {
        found: char,
    },
    KeySeparator {
        found: char,
    },
    MapKeySeparator {
        found: char,
    },
    ArrayEndInMap,
    MapValueComma,
    MapValueEnd {
        found: char,
    },
    ArrayComma,
    ArrayValueEnd {
        found: char,
    },
    EndOfText,
    EndInMap,
    EndInMapKey,
    EndInQuotedMapKey,
    EndInDoubleQuotedMapKey,
    EndInBlock,
    EndInQuotedInclude,
    EndInDoubleQuotedInclude,
    IncludeStart(IncludeStart),
    NewlineForValue,
    Escape {
        found: char,
    },
    HexLineEnd,
    /// Two bytes, not always whole characters.
    Hex {
        found: Vec<u8>,
    },
    /// Escapes spelled bytes that are no text. nats-server keeps such bytes; here strings are UTF-8
    /// and a changed password would be worse than a refused one.
    EscapedEncoding,
    FloatWithoutStart,
    NumberStartsWithDot,
    Digit {
        found: char,
    },
    FloatDigit {
        found: char,
    },
    DateForm,
    DateDigit {
        found: char,
    },
    Date {
        expected: char,
        found: char,
    },
}

/// What stands where the path of an include should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncludeStart {
    Array,
    Map,
    Block,
    Number,
    Escape,
    Newline,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopValueEnd { found } => write!(
                f,
                "Expected a top-level value to end with a new line, comment or EOF, but got '{}' instead.",
                Shown(*found)
            ),
            Self::BlockValueEnd { found } => write!(
                f,
                "Expected a block-level value to end with a new line, comment or EOF, but got '{}' instead.",
                Shown(*found)
            ),
            Self::BlockEnd { found } => write!(
                f,
                "Expected a block-level to end with a '}}', but got '{}' instead.",
                Shown(*found)
            ),
            Self::KeySeparator { found } => write!(f, "Unexpected key separator '{found}'"),
            Self::MapKeySeparator { found } => write!(f, "Unexpected key separator '{found}'."),
            Self::ArrayEndInMap => f.write_str("Unexpected array end ']' processing map."),
            Self::MapValueComma => f.write_str("Unexpected map value terminator \",\"."),
            Self::MapValueEnd { found } => write!(
                f,
                "Expected a map value terminator \",\" or a map terminator \"}}\", but got '{}' instead.",
                Shown(*found)
            ),
            Self::ArrayComma => f.write_str("Unexpected array value terminator ','."),
            Self::ArrayValueEnd { found } => write!(
                f,
                "Expected an array value terminator \",\" or an array terminator \"]\", but got '{}' instead.",
                Shown(*found)
            ),
            Self::EndOfText => f.write_str("Unexpected EOF."),
            Self::EndInMap => f.write_str("Unexpected EOF processing map."),
            Self::EndInMapKey => f.write_str("Unexpected EOF processing map key."),
            Self::EndInQuotedMapKey => f.write_str("Unexpected EOF processing quoted map key."),
            Self::EndInDoubleQuotedMapKey => {
                f.write_str("Unexpected EOF processing double quoted map key.")
            }
            Self::EndInBlock => f.write_str("Unexpected EOF processing block."),
            Self::EndInQuotedInclude => f.write_str("Unexpected EOF in quoted include"),
            Self::EndInDoubleQuotedInclude => {
                f.write_str("Unexpected EOF in double quoted include")
            }
            Self::IncludeStart(start) => write!(f, "Expected include value but found {start}"),
            Self::NewlineForValue => f.write_str("Expected value but found new line"),
            Self::Escape { found } => write!(
                f,
                "Invalid escape character '{}'. Only the following escape characters are allowed: \
                 \\xXX, \\t, \\n, \\r, \\\", \\\\.",
                Shown(*found)
            ),
            Self::HexLineEnd => {
                f.write_str("Expected two hexadecimal digits after '\\x', but hit end of line")
            }
            Self::Hex { found } => write!(
                f,
                "Expected two hexadecimal digits after '\\x', but got '{}'",
                String::from_utf8_lossy(found)
            ),
            Self::EscapedEncoding => f.write_str("Escapes '\\x' in a string are not valid UTF-8."),
            Self::FloatWithoutStart => f.write_str("Floats must start with a digit"),
            Self::NumberStartsWithDot => f.write_str("Floats must start with a digit, not '.'."),
            Self::Digit { found } => write!(f, "Expected a digit but got '{}'.", Shown(*found)),
            Self::FloatDigit { found } => write!(
                f,
                "Floats must have a digit after the '.', but got '{}' instead.",
                Shown(*found)
            ),
            Self::DateForm => f.write_str("All ISO8601 dates must be in full Zulu form."),
            Self::DateDigit { found } => write!(
                f,
                "Expected digit in ISO8601 datetime, but found '{}' instead.",
                Shown(*found)
            ),
            Self::Date { expected, found } => write!(
                f,
                "Expected '{expected}' in ISO8601 datetime, but found '{}' instead.",
                Shown(*found)
            ),
        }
    }
}

impl fmt::Display for IncludeStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "start of an array",
            Self::Map => "start of a map",
            Self::Block => "start of a block",
            Self::Number => "start of a number",
            Self::Escape => "escape sequence",
            Self::Newline => "new line",
        })
    }
}

/// A character in a message, which must stay on its line.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\n' => f.write_str("\\n"),
            other => write!(f, "{other}"),
        }
    }
}
