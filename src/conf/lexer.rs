//! Text to tokens: what separates keys, values and entries.
//!
//! The language is forgiving in its own ways, and existing files rely on that; so this follows
//! nats-server character by character. Where it looks odd it is `COMPAT`.

mod cursor;
mod scalar;

pub(super) use cursor::Spot;
use cursor::{Cursor, END};

use super::MAX_DEPTH;
use super::error::{Error, IncludeStart, Limit, Syntax};

/// Without `Debug`, like [`super::Value`]: a text may be a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Token {
    Key(String),
    /// A string, with its escapes resolved.
    Text(String),
    Bool(bool),
    /// Digits and what may be a unit.
    Integer(String),
    Float(String),
    /// Of the right form, but perhaps no day of the calendar.
    Time(String),
    /// The name without `$`.
    Variable(String),
    Include(String),
    MapStart,
    MapEnd,
    ArrayStart,
    ArrayEnd,
    End,
}

/// What comes next. Inside which container is the top of `Lexer::open`.
#[derive(Clone, Copy)]
enum State {
    /// A key, or the end of the map or text.
    Entry,
    /// The end of an entry: newline, `,` and the like.
    EntryEnd,
    /// A separator, or at once the value.
    Separator,
    /// What follows a pair of braces inside the braces around the whole text.
    BracesEnd,
    /// The value of a map's key.
    Value,
    /// A value of an array, or its end.
    Element,
    ElementEnd,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Map,
    Array,
}

pub(super) struct Lexer<'a> {
    cursor: Cursor<'a>,
    state: State,
    /// Innermost last; empty at the top level.
    open: Vec<Container>,
    /// Open braces around the entries of the top level, which make no map.
    braces: usize,
    /// Containers around this text, for the bound of `open`.
    outside: usize,
}

/// A token when the step completed one.
type Step = Result<Option<(Token, Spot)>, Syntax>;

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, outside: usize) -> Self {
        let (cursor, open) = (Cursor::new(text), Vec::new());
        Self { cursor, state: State::Entry, open, braces: 0, outside }
    }

    /// The next token; `End` for ever after the last one.
    pub(super) fn next(&mut self) -> Result<(Token, Spot), Error> {
        loop {
            let step = match (self.state, self.open.is_empty()) {
                (State::Entry, true) => self.top_entry(),
                (State::Entry, false) => self.map_entry(),
                (State::EntryEnd, true) => self.top_entry_end(),
                (State::EntryEnd, false) => self.map_entry_end(),
                (State::BracesEnd, _) => self.braces_end(),
                (State::Separator, _) => self.separator(),
                (State::Value, true) => self.value(),
                (State::Value, false) => self.map_value(),
                (State::Element, _) => self.element(),
                (State::ElementEnd, _) => self.element_end(),
                (State::Done, _) => self.end(),
            };
            let line = self.cursor.line();
            if self.outside + self.open.len() > MAX_DEPTH {
                return Err(Error::Limit(Limit::Depth { line }));
            }
            if let Some(token) = step.map_err(|problem| Error::Syntax { line, problem })? {
                if token.0 == Token::End {
                    self.state = State::Done;
                }
                return Ok(token);
            }
        }
    }

    // --- entries ---------------------------------------------------------------------------------

    fn top_entry(&mut self) -> Step {
        match self.cursor.next() {
            // Braces around the whole text are optional.
            '{' => {
                self.braces += 1;
                self.skip()
            }
            '}' if self.braces > 0 => self.close_braces(),
            c if c.is_whitespace() => self.skip(),
            '#' => self.comment(),
            '/' if self.cursor.peek() == '/' => self.comment(),
            '/' => Err(Syntax::EndOfText),
            END if self.cursor.has_token() => Err(Syntax::EndOfText),
            END => self.end(),
            _ => {
                self.cursor.back();
                self.key()
            }
        }
    }

    fn top_entry_end(&mut self) -> Step {
        match self.cursor.next() {
            '#' => self.closing_comment(),
            '/' if self.cursor.peek() == '/' => self.closing_comment(),
            // COMPAT: a single slash passes for a blank here.
            '/' => Ok(None),
            c if is_blank(c) => Ok(None),
            c if is_newline(c) || matches!(c, ';' | ',') => {
                self.state = State::Entry;
                self.skip()
            }
            '}' if self.braces > 0 => self.close_braces(),
            '}' | END if self.braces == 0 => {
                self.state = State::Entry;
                self.skip()
            }
            found if self.braces > 0 => Err(Syntax::BlockValueEnd { found }),
            found => Err(Syntax::TopValueEnd { found }),
        }
    }

    /// COMPAT: a comment here also ends what stands before it, except an entry within braces.
    fn closing_comment(&mut self) -> Step {
        if self.braces == 0 || matches!(self.state, State::BracesEnd) {
            self.state = State::Entry;
        }
        self.comment()
    }

    fn close_braces(&mut self) -> Step {
        self.braces -= 1;
        self.state = if self.braces == 0 { State::Entry } else { State::BracesEnd };
        self.skip()
    }

    fn braces_end(&mut self) -> Step {
        match self.cursor.next() {
            '#' => self.closing_comment(),
            '/' if self.cursor.peek() == '/' => self.closing_comment(),
            '/' => Ok(None),
            c if is_blank(c) || is_newline(c) => Ok(None),
            ';' | ',' => {
                self.state = State::Entry;
                self.skip()
            }
            '}' => self.close_braces(),
            found => Err(Syntax::BlockEnd { found }),
        }
    }

    /// COMPAT: a NUL that ends the text belongs to the last token.
    fn end(&self) -> Step {
        Ok(Some((Token::End, self.cursor.spot(self.cursor.token().len()))))
    }

    fn map_entry(&mut self) -> Step {
        match self.cursor.peek() {
            found @ ('=' | ':') => Err(Syntax::MapKeySeparator { found }),
            ']' => Err(Syntax::ArrayEndInMap),
            c if c.is_whitespace() => self.skip_next(),
            '}' => {
                self.cursor.next();
                self.close(Token::MapEnd)
            }
            '#' => {
                self.cursor.next();
                self.comment()
            }
            '/' => {
                self.cursor.next();
                if self.cursor.peek() == '/' {
                    return self.comment();
                }
                // COMPAT: a single slash before a key is dropped, and the next character always starts
                // the key, even a blank.
                self.bare_key()
            }
            END => Err(Syntax::EndInMap),
            _ => self.key(),
        }
    }

    fn map_entry_end(&mut self) -> Step {
        match self.cursor.next() {
            c if is_blank(c) => self.skip(),
            '#' => self.comment(),
            '/' if self.cursor.peek() == '/' => self.comment(),
            c if is_newline(c) || matches!(c, '/' | ';' | ',') => {
                self.state = State::Entry;
                self.skip()
            }
            '}' => self.close(Token::MapEnd),
            found => Err(Syntax::MapValueEnd { found }),
        }
    }

    /// Up to the end of the line. The newline stays for the state that follows.
    fn comment(&mut self) -> Step {
        loop {
            let c = self.cursor.next();
            if is_newline(c) || c == END {
                self.cursor.back();
                self.cursor.begin();
                return Ok(None);
            }
        }
    }

    fn skip(&mut self) -> Step {
        self.cursor.begin();
        Ok(None)
    }

    fn skip_next(&mut self) -> Step {
        self.cursor.next();
        self.skip()
    }

    // --- keys ------------------------------------------------------------------------------------

    fn key(&mut self) -> Step {
        match self.cursor.peek() {
            found @ ('=' | ':') => Err(Syntax::KeySeparator { found }),
            c if c.is_whitespace() => self.skip_next(),
            quote @ ('"' | '\'') => {
                self.cursor.next();
                self.cursor.begin();
                self.quoted_key(quote)
            }
            _ => self.bare_key(),
        }
    }

    fn bare_key(&mut self) -> Step {
        self.cursor.begin();
        self.cursor.next();
        loop {
            match self.cursor.peek() {
                '=' | ':' => return self.key_token(),
                c if c.is_whitespace() => {
                    if self.cursor.token().eq_ignore_ascii_case("include") {
                        return self.include().map(Some);
                    }
                    return self.key_token();
                }
                END if self.open.is_empty() => return self.key_token(),
                END => return Err(Syntax::EndInMapKey),
                _ => self.cursor.next(),
            };
        }
    }

    fn quoted_key(&mut self, quote: char) -> Step {
        loop {
            match self.cursor.peek() {
                c if c == quote => {
                    let token = self.key_token();
                    self.cursor.next();
                    self.cursor.begin();
                    return token;
                }
                END if !self.open.is_empty() => {
                    return Err(match quote {
                        '"' => Syntax::EndInDoubleQuotedMapKey,
                        _ => Syntax::EndInQuotedMapKey,
                    });
                }
                END if self.cursor.has_token() => return Err(Syntax::EndOfText),
                END => return self.end(),
                _ => self.cursor.next(),
            };
        }
    }

    fn key_token(&mut self) -> Step {
        let key = self.cursor.token();
        let spot = self.cursor.spot(key.len());
        self.cursor.begin();
        self.state = State::Separator;
        Ok(Some((Token::Key(key.to_string()), spot)))
    }

    /// Newlines may stand before the separator, and only one separator counts.
    fn separator(&mut self) -> Step {
        match self.cursor.next() {
            c if c.is_whitespace() => return self.skip(),
            '=' | ':' => self.cursor.begin(),
            END if self.open.is_empty() => return self.end(),
            _ => self.cursor.back(),
        }
        self.state = State::Value;
        Ok(None)
    }

    /// After the word `include`.
    fn include(&mut self) -> Result<(Token, Spot), Syntax> {
        self.cursor.begin();
        while is_blank(self.cursor.peek()) {
            self.cursor.next();
            self.cursor.begin();
        }
        self.state = State::EntryEnd;
        let start = match self.cursor.next() {
            quote @ ('"' | '\'') => return self.quoted_include(quote),
            '[' => IncludeStart::Array,
            '{' => IncludeStart::Map,
            '(' => IncludeStart::Block,
            '0'..='9' | '-' => IncludeStart::Number,
            '\\' => IncludeStart::Escape,
            c if is_newline(c) => IncludeStart::Newline,
            _ => {
                self.cursor.back();
                return Ok(self.bare_include());
            }
        };
        Err(Syntax::IncludeStart(start))
    }

    fn bare_include(&mut self) -> (Token, Spot) {
        let end = loop {
            match self.cursor.next() {
                c if is_newline(c) || is_blank(c) || matches!(c, END | ';' | '}' | '\'') => {
                    break c;
                }
                _ => {}
            }
        };
        self.cursor.back();
        let token = self.include_token();
        if end == '\'' {
            self.cursor.next();
            self.cursor.begin();
        }
        token
    }

    fn quoted_include(&mut self, quote: char) -> Result<(Token, Spot), Syntax> {
        self.cursor.begin();
        loop {
            match self.cursor.next() {
                c if c == quote => {
                    self.cursor.back();
                    let token = self.include_token();
                    self.cursor.next();
                    self.cursor.begin();
                    return Ok(token);
                }
                END if quote == '"' => return Err(Syntax::EndInDoubleQuotedInclude),
                END => return Err(Syntax::EndInQuotedInclude),
                _ => {}
            }
        }
    }

    fn include_token(&mut self) -> (Token, Spot) {
        let path = self.cursor.token();
        let spot = self.cursor.spot(path.len());
        self.cursor.begin();
        (Token::Include(path.to_string()), spot)
    }

    // --- values ----------------------------------------------------------------------------------

    /// Inside a map a value may also start on a later line.
    fn map_value(&mut self) -> Step {
        match self.cursor.next() {
            c if c.is_whitespace() => self.skip(),
            ',' => Err(Syntax::MapValueComma),
            // COMPAT: the key stays without a value; see `Builder::value` for what becomes of it.
            '}' => self.close(Token::MapEnd),
            _ => {
                self.cursor.back();
                self.value()
            }
        }
    }

    fn element(&mut self) -> Step {
        match self.cursor.next() {
            c if c.is_whitespace() => self.skip(),
            '#' => self.comment(),
            '/' if self.cursor.peek() == '/' => self.comment(),
            '/' | ',' => Err(Syntax::ArrayComma),
            ']' => self.close(Token::ArrayEnd),
            _ => {
                self.cursor.back();
                self.value()
            }
        }
    }

    fn element_end(&mut self) -> Step {
        match self.cursor.next() {
            c if is_blank(c) => self.skip(),
            '#' => self.comment(),
            '/' if self.cursor.peek() == '/' => self.comment(),
            c if is_newline(c) || matches!(c, '/' | ',') => {
                self.state = State::Element;
                self.skip()
            }
            ']' => self.close(Token::ArrayEnd),
            found => Err(Syntax::ArrayValueEnd { found }),
        }
    }

    fn value(&mut self) -> Step {
        let token = match self.cursor.next() {
            c if is_blank(c) => return self.skip(),
            '[' => return self.enter(Container::Array, Token::ArrayStart),
            '{' => return self.enter(Container::Map, Token::MapStart),
            '\'' => scalar::single_quoted(&mut self.cursor)?,
            '"' => scalar::double_quoted(&mut self.cursor)?,
            '(' => scalar::block(&mut self.cursor)?,
            '-' => scalar::negative(&mut self.cursor)?,
            '.' => return Err(Syntax::FloatWithoutStart),
            c if is_newline(c) => return Err(Syntax::NewlineForValue),
            c => {
                self.cursor.back();
                match c {
                    '0'..='9' => scalar::number(&mut self.cursor)?,
                    _ => scalar::word(&mut self.cursor)?,
                }
            }
        };
        self.after_value();
        Ok(Some(token))
    }

    fn enter(&mut self, container: Container, token: Token) -> Step {
        self.open.push(container);
        self.state = match container {
            Container::Map => State::Entry,
            Container::Array => State::Element,
        };
        self.mark(token)
    }

    fn close(&mut self, token: Token) -> Step {
        self.open.pop();
        self.after_value();
        self.mark(token)
    }

    fn after_value(&mut self) {
        self.state = match self.open.last() {
            Some(Container::Array) => State::ElementEnd,
            Some(Container::Map) | None => State::EntryEnd,
        };
    }

    /// A bracket; its place is just behind it.
    fn mark(&mut self, token: Token) -> Step {
        self.cursor.begin();
        Ok(Some((token, self.cursor.spot(0))))
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

#[cfg(test)]
mod tests;
