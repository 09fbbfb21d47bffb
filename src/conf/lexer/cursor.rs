//! A place in a text, and the start of the token that is being read.

/// What reading past the end yields. COMPAT: a NUL in the text ends it too, as in nats-server.
pub const END: char = '\0';

pub struct Cursor<'a> {
    text: &'a str,
    /// Next byte to read; always at a character boundary.
    at: usize,
    /// Bytes of the character read last, 0 at the end.
    width: usize,
    /// 1 plus the newlines before `at`.
    line: usize,
    /// The last newline read, 0 on the first line. COMPAT: `back` leaves it, so that columns agree
    /// with nats-server's.
    newline: usize,
    /// First byte of the token.
    start: usize,
    /// `newline` when the token started.
    start_newline: usize,
}

/// Where a token stands: its last line and, in nats-server's counting, its first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub line: usize,
    pub column: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, width: 0, line: 1, newline: 0, start: 0, start_newline: 0 }
    }

    pub fn line(&self) -> usize {
        self.line
    }

    pub fn next(&mut self) -> char {
        let Some(c) = self.text[self.at..].chars().next() else {
            self.width = 0;
            return END;
        };
        if c == '\n' {
            self.line += 1;
            self.newline = self.at;
        }
        self.width = c.len_utf8();
        self.at += self.width;
        c
    }

    /// Undoes the last `next`, once.
    pub fn back(&mut self) {
        self.at -= std::mem::take(&mut self.width);
        if self.text.as_bytes().get(self.at) == Some(&b'\n') && self.line > 1 {
            self.line -= 1;
        }
    }

    pub fn peek(&mut self) -> char {
        let c = self.next();
        self.back();
        c
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The token starts here.
    pub fn begin(&mut self) {
        self.start = self.at;
        self.start_newline = self.newline;
    }

    /// The token goes on, but its text is collected from here.
    pub fn restart(&mut self) {
        self.start = self.at;
    }

    /// The `$` of a variable is no part of its name.
    pub fn skip_first_byte(&mut self) {
        self.start = (self.start + 1).min(self.at);
    }

    pub fn token(&self) -> &'a str {
        &self.text[self.start..self.at]
    }

    pub fn has_token(&self) -> bool {
        self.at > self.start
    }

    /// The last two bytes read.
    pub fn last_two(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at.saturating_sub(2)..self.at]
    }

    /// The byte `distance` before the next one.
    pub fn byte_before(&self, distance: usize) -> Option<u8> {
        self.at.checked_sub(distance).and_then(|at| self.text.as_bytes().get(at)).copied()
    }

    /// The place of a token of `length` bytes that ends here.
    pub fn spot(&self, length: usize) -> Spot {
        let column = self.at.saturating_sub(self.start_newline).saturating_sub(length);
        Spot { line: self.line, column }
    }
}
