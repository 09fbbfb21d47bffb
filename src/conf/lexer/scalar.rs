//! Tokens inside a value: strings, words, numbers, times.
//!
//! The end of a bare word is left for the caller to read; closing quotes are consumed.

use super::cursor::{Cursor, END, Spot};
use super::{Token, is_blank, is_newline};
use crate::conf::error::Syntax;

/// After the opening `'`: no escapes, may span lines.
pub fn single_quoted(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    cursor.begin();
    loop {
        match cursor.next() {
            '\'' => return Ok(closed(cursor)),
            END => return end_in_string(cursor, 0),
            _ => {}
        }
    }
}

/// After the opening `"`: escapes, may span lines.
pub fn double_quoted(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    let mut text = Pieces::default();
    cursor.begin();
    loop {
        match cursor.next() {
            '"' => {
                cursor.back();
                let token = text.finish(cursor)?;
                cursor.next();
                cursor.begin();
                return Ok(token);
            }
            '\\' => text.escape(cursor)?,
            END => return end_in_string(cursor, text.bytes.len()),
            _ => {}
        }
    }
}

/// COMPAT: an unclosed string of no text, or none after its last escape, is the end of the
/// configuration, not an error by itself.
fn end_in_string(cursor: &Cursor, escaped_bytes: usize) -> Result<(Token, Spot), Syntax> {
    if cursor.has_token() {
        Err(Syntax::EndOfText)
    } else {
        Ok((Token::End, cursor.spot(escaped_bytes)))
    }
}

/// The text before the quote or parenthesis just read.
fn closed(cursor: &mut Cursor) -> (Token, Spot) {
    cursor.back();
    let text = cursor.token();
    let spot = cursor.spot(text.len());
    cursor.next();
    cursor.begin();
    (Token::Text(text.to_string()), spot)
}

/// After `(`: raw text up to a line that is `)` alone.
pub fn block(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    cursor.begin();
    loop {
        match cursor.next() {
            ')' if cursor.byte_before(2) == Some(b'\n') && matches!(cursor.peek(), '\n' | END) => {
                let text = cursor.token();
                // COMPAT: at the end of the file nats-server leaves the `)` in the text.
                let inside = if cursor.is_at_end() { text } else { &text[..text.len() - 1] };
                let spot = cursor.spot(text.len());
                cursor.begin();
                return Ok((Token::Text(inside.to_string()), spot));
            }
            END => return Err(Syntax::EndInBlock),
            _ => {}
        }
    }
}

/// A bare word: string, boolean or variable.
pub fn word(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    let mut text = Pieces::default();
    let quoted = bare(cursor, &mut text)?;
    let raw = cursor.token();
    let token = if quoted || text.escaped {
        text.finish(cursor)?
    } else if let Some(value) = boolean(raw) {
        (Token::Bool(value), cursor.spot(raw.len()))
    } else if let Some(name) = raw.strip_prefix('$') {
        cursor.skip_first_byte();
        (Token::Variable(name.to_string()), cursor.spot(name.len()))
    } else {
        text.finish(cursor)?
    };
    leave(cursor, quoted);
    Ok(token)
}

/// The rest of a word that started like a number: always a string.
fn text_word(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    let mut text = Pieces::default();
    let quoted = bare(cursor, &mut text)?;
    let token = text.finish(cursor)?;
    leave(cursor, quoted);
    Ok(token)
}

/// Reads to the end of a bare word; true when a `'` ends it.
fn bare(cursor: &mut Cursor, text: &mut Pieces) -> Result<bool, Syntax> {
    loop {
        match cursor.next() {
            '\\' => text.escape(cursor)?,
            '\'' => {
                cursor.back();
                return Ok(true);
            }
            c if ends_value(c) || c == ']' => {
                cursor.back();
                return Ok(false);
            }
            _ => {}
        }
    }
}

fn leave(cursor: &mut Cursor, quoted: bool) {
    if quoted {
        cursor.next();
    }
    cursor.begin();
}

fn boolean(word: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 3]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if is_one_of(["true", "yes", "on"]) {
        Some(true)
    } else if is_one_of(["false", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// What ends a value everywhere. COMPAT: `]` is missing on purpose: `[1]` reads on, `[1 ]` does not.
fn ends_value(c: char) -> bool {
    is_newline(c) || is_blank(c) || matches!(c, END | ',' | ';' | '}')
}

/// After a `-`.
pub fn negative(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    first_digit(cursor)?;
    loop {
        match cursor.next() {
            '0'..='9' => {}
            '.' => return float(cursor),
            c if is_unit(c) => return unit(cursor),
            _ => {
                cursor.back();
                return Ok(finish(cursor, Token::Integer));
            }
        }
    }
}

/// A digit is next: a number, a time, an address or a word.
pub fn number(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    first_digit(cursor)?;
    loop {
        match cursor.next() {
            '0'..='9' => {}
            '-' if cursor.token().len() == 5 => return time(cursor),
            '-' => return Err(Syntax::DateForm),
            '.' => return float(cursor),
            c if is_unit(c) => return unit(cursor),
            c if ends_value(c) => {
                cursor.back();
                return Ok(finish(cursor, Token::Integer));
            }
            _ => return text_word(cursor),
        }
    }
}

fn first_digit(cursor: &mut Cursor) -> Result<(), Syntax> {
    match cursor.next() {
        '0'..='9' => Ok(()),
        '.' => Err(Syntax::NumberStartsWithDot),
        found => Err(Syntax::Digit { found }),
    }
}

fn is_unit(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'k' | 'm' | 'g' | 't' | 'p' | 'e')
}

/// After the first letter of a unit.
fn unit(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    let mut c = cursor.next();
    while matches!(c, 'b' | 'B' | 'i' | 'I') {
        c = cursor.next();
    }
    cursor.back();
    if ends_value(c) { Ok(finish(cursor, Token::Integer)) } else { text_word(cursor) }
}

/// After the dot.
fn float(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    match cursor.next() {
        '0'..='9' => {}
        found => return Err(Syntax::FloatDigit { found }),
    }
    loop {
        match cursor.next() {
            '0'..='9' => {}
            '.' => return Ok(address(cursor)),
            _ => {
                cursor.back();
                return Ok(finish(cursor, Token::Float));
            }
        }
    }
}

/// After the second dot.
fn address(cursor: &mut Cursor) -> (Token, Spot) {
    while matches!(cursor.next(), '0'..='9' | '.' | ':' | '-') {}
    cursor.back();
    finish(cursor, Token::Text)
}

/// After the year and its `-`.
fn time(cursor: &mut Cursor) -> Result<(Token, Spot), Syntax> {
    for expected in "00-00T00:00:00Z".chars() {
        let found = cursor.next();
        if expected == '0' {
            if !found.is_ascii_digit() {
                return Err(Syntax::DateDigit { found });
            }
        } else if found != expected {
            return Err(Syntax::Date { expected, found });
        }
    }
    Ok(finish(cursor, Token::Time))
}

fn finish(cursor: &mut Cursor, kind: fn(String) -> Token) -> (Token, Spot) {
    let text = cursor.token();
    let spot = cursor.spot(text.len());
    cursor.begin();
    (kind(text.to_string()), spot)
}

/// A string with escapes: the parts before the token's start, already decoded.
#[derive(Default)]
struct Pieces {
    bytes: Vec<u8>,
    escaped: bool,
}

impl Pieces {
    /// After a backslash.
    fn escape(&mut self, cursor: &mut Cursor) -> Result<(), Syntax> {
        let before = cursor.token().as_bytes();
        self.bytes.extend_from_slice(&before[..before.len() - 1]);
        self.escaped = true;
        let byte = match cursor.next() {
            'x' => hex(cursor)?,
            't' => b'\t',
            'n' => b'\n',
            'r' => b'\r',
            '"' => b'"',
            '\\' => b'\\',
            found => return Err(Syntax::Escape { found }),
        };
        self.bytes.push(byte);
        cursor.restart();
        Ok(())
    }

    fn finish(mut self, cursor: &Cursor) -> Result<(Token, Spot), Syntax> {
        self.bytes.extend_from_slice(cursor.token().as_bytes());
        // COMPAT: the column is off by the difference between the escape and what it stands for.
        let spot = cursor.spot(self.bytes.len());
        let text = String::from_utf8(self.bytes).map_err(|_| Syntax::EscapedEncoding)?;
        Ok((Token::Text(text), spot))
    }
}

/// After `\x`.
fn hex(cursor: &mut Cursor) -> Result<u8, Syntax> {
    for _ in 0..2 {
        if is_newline(cursor.next()) {
            return Err(Syntax::HexLineEnd);
        }
    }
    let digits = cursor.last_two();
    let digit = |at: usize| digits.get(at).and_then(|b| char::from(*b).to_digit(16));
    match (digit(0), digit(1)) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(Syntax::Hex { found: digits.to_vec() }),
    }
}
