//! Tokens to values: maps, arrays, units, variables, includes.

mod scalar;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Error, Limit};
use super::lexer::{Lexer, Spot, Token};
use super::source::{Source, folder, join};
use super::value::{Entry, Item, Map, Position, Value};
use super::{
    Document, EXPANSION_OVERHEAD, MAX_DEPTH, MAX_EXPANSION_BYTES, MAX_TEXT_BYTES, MAX_TEXT_DEPTH,
    MAX_TEXTS,
};

pub(super) fn parse(source: &dyn Source, path: &str) -> Result<Document, Error> {
    let mut run = Run { source, files: Vec::new(), open: Vec::new(), left: Allowance::default() };
    let root = run.file(path, 0)?;
    Ok(Document { root, files: run.files })
}

/// What the texts of one configuration share.
struct Run<'a> {
    source: &'a dyn Source,
    files: Vec<PathBuf>,
    /// Texts being read, outermost first: the way a cycle is found.
    open: Vec<Text>,
    left: Allowance,
}

#[derive(PartialEq, Eq)]
enum Text {
    File(String),
    Variable(String),
}

/// What is left of the bounds of this module.
struct Allowance {
    texts: usize,
    text_bytes: usize,
    expansion: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { texts: MAX_TEXTS, text_bytes: MAX_TEXT_BYTES, expansion: MAX_EXPANSION_BYTES }
    }
}

impl Allowance {
    fn text(&mut self, bytes: usize) -> Result<(), Error> {
        self.texts = self.texts.checked_sub(1).ok_or(Error::Limit(Limit::Texts))?;
        self.text_bytes =
            self.text_bytes.checked_sub(bytes).ok_or(Error::Limit(Limit::TextBytes))?;
        Ok(())
    }

    fn expand(&mut self, bytes: usize, line: usize) -> Result<(), Error> {
        let left = self.expansion.checked_sub(bytes);
        self.expansion = left.ok_or(Error::Limit(Limit::Expansion { line }))?;
        Ok(())
    }
}

impl Run<'_> {
    /// `outside` counts the containers around an include.
    fn file(&mut self, path: &str, outside: usize) -> Result<Map, Error> {
        let bytes = self.source.read(Path::new(path)).map_err(|e| Error::read(path, &e))?;
        self.left.text(bytes.len())?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|e| Error::encoding(path, &bytes[..e.valid_up_to()]))?;
        if !self.files.iter().any(|file| file == Path::new(path)) {
            self.files.push(PathBuf::from(path));
        }
        self.text(Text::File(path.to_string()), text, path, outside)
    }

    fn include(&mut self, path: &str, outside: usize) -> Result<Map, Error> {
        // Before the file is read again: the message would otherwise repeat the whole chain.
        if self.open.iter().any(|text| matches!(text, Text::File(open) if open == path)) {
            return Err(Error::IncludeCycle { path: path.to_string() });
        }
        self.file(path, outside)
    }

    /// The value of an environment variable: what it would be as the value of a key.
    fn environment(&mut self, name: &str, outside: usize) -> Result<Option<Value>, Error> {
        const KEY: &str = "pk";
        let Some(text) = self.source.variable(name) else {
            return Ok(None);
        };
        self.left.text(text.len())?;
        let map = self.text(
            Text::Variable(name.to_string()),
            &format!("{KEY}={text}"),
            "",
            // The map around KEY is not one of the configuration.
            outside,
        )?;
        Ok(map.into_value(KEY))
    }

    fn text(&mut self, id: Text, text: &str, path: &str, outside: usize) -> Result<Map, Error> {
        if self.open.len() >= MAX_TEXT_DEPTH {
            return Err(Error::Limit(Limit::TextDepth));
        }
        self.open.push(id);
        let map = Builder::new(self, path, outside).build(text);
        self.open.pop();
        map
    }

    fn is_open_variable(&self, name: &str) -> bool {
        self.open.iter().any(|text| matches!(text, Text::Variable(open) if open == name))
    }
}

/// Builds the map of one text.
struct Builder<'run, 'a> {
    run: &'run mut Run<'a>,
    path: Arc<str>,
    outside: usize,
    root: Map,
    /// Containers not yet closed, innermost last.
    open: Vec<Open>,
    /// Keys waiting for a value.
    ///
    /// COMPAT: one stack for all levels, as in nats-server. It shows when a key gets no value, as in
    /// `m { a: }` or `n: 5kbb`: the key stays, and `a` names the map that should have been `m`.
    keys: Vec<(String, Position)>,
}

enum Open {
    Map(Map),
    Array(Vec<Item>),
}

impl<'run, 'a> Builder<'run, 'a> {
    fn new(run: &'run mut Run<'a>, path: &str, outside: usize) -> Self {
        let (root, open, keys) = (Map::default(), Vec::new(), Vec::new());
        Self { run, path: path.into(), outside, root, open, keys }
    }

    fn build(mut self, text: &str) -> Result<Map, Error> {
        let mut lexer = Lexer::new(text, self.outside);
        let mut key_before = false;
        loop {
            let (token, spot) = lexer.next()?;
            if token == Token::End {
                // A text may end in a `}` on a line of its own, which reads like a key.
                if key_before && self.keys.last().is_some_and(|(key, _)| key != "}") {
                    return Err(Error::Incomplete { position: self.position(spot) });
                }
                return Ok(self.root);
            }
            key_before = matches!(token, Token::Key(_));
            self.token(token, spot)?;
        }
    }

    fn token(&mut self, token: Token, spot: Spot) -> Result<(), Error> {
        let value = match token {
            Token::Key(key) => {
                let position = self.position(spot);
                self.keys.push((key, position));
                return Ok(());
            }
            Token::MapStart => {
                self.open.push(Open::Map(Map::default()));
                return Ok(());
            }
            Token::ArrayStart => {
                self.open.push(Open::Array(Vec::new()));
                return Ok(());
            }
            Token::MapEnd | Token::ArrayEnd => match self.open.pop() {
                Some(Open::Map(map)) => Value::Map(map),
                Some(Open::Array(items)) => Value::Array(items),
                None => return Ok(()),
            },
            Token::Text(text) => Value::String(text),
            Token::Bool(value) => Value::Bool(value),
            Token::Float(text) => scalar::float(text)?,
            Token::Time(text) => scalar::time(text)?,
            Token::Integer(text) => match scalar::integer(text)? {
                Some(value) => value,
                None => return Ok(()),
            },
            Token::Variable(name) => self.variable(name, spot)?,
            Token::Include(path) => return self.include(path),
            Token::End => return Ok(()),
        };
        self.value(value, spot);
        Ok(())
    }

    /// Puts a complete value into the innermost open container.
    fn value(&mut self, value: Value, spot: Spot) {
        let own_position = self.position(spot);
        let map = match self.open.last_mut() {
            Some(Open::Array(items)) => {
                items.push(Item { value, position: own_position });
                return;
            }
            Some(Open::Map(map)) => map,
            None => &mut self.root,
        };
        // The lexer sends a key before each value of a map, so there is one.
        let Some((key, position)) = self.keys.pop() else {
            return;
        };
        let item = Item { value, position: position.clone() };
        map.insert(Entry { key, position, item, is_variable: false });
    }

    /// Looks a variable up in the open maps, innermost first, then in the environment.
    fn variable(&mut self, name: String, spot: Spot) -> Result<Value, Error> {
        let line = spot.line;
        // COMPAT: a bcrypt hash without quotes is no variable, but only of this version.
        if name.starts_with("2a$") {
            return Ok(Value::String(format!("${name}")));
        }
        let outside = self.outside + self.open.len();
        let maps = self.open.iter_mut().rev().filter_map(|open| match open {
            Open::Map(map) => Some(map),
            Open::Array(_) => None,
        });
        for map in maps.chain(std::iter::once(&mut self.root)) {
            if let Some(entry) = map.refer(&name) {
                let value = &entry.item.value;
                self.run.left.expand(value.cost(), line)?;
                if outside + value.depth() > MAX_DEPTH {
                    return Err(Error::Limit(Limit::Depth { line }));
                }
                return Ok(value.clone());
            }
        }
        let failed = |cause| Error::Variable { name: name.clone(), line, cause: Box::new(cause) };
        if self.run.is_open_variable(&name) {
            return Err(failed(Error::VariableCycle { name: name.clone() }));
        }
        self.run.left.expand(EXPANSION_OVERHEAD, line)?;
        match self.run.environment(&name, outside).map_err(failed)? {
            Some(mut value) => {
                value.place_inside(&self.position(spot));
                Ok(value)
            }
            None => Err(Error::VariableUnknown { name, line }),
        }
    }

    /// Merges the keys of another file into the innermost map.
    fn include(&mut self, path: String) -> Result<(), Error> {
        let joined = join(&folder(&self.path), &path);
        let included = self
            .run
            .include(&joined, self.outside + self.open.len())
            .map_err(|cause| Error::Include { path, cause: Box::new(cause) })?;
        let map = match self.open.last_mut() {
            Some(Open::Map(map)) => map,
            // The lexer reads no `include` inside an array.
            Some(Open::Array(_)) => return Ok(()),
            None => &mut self.root,
        };
        included.into_iter().for_each(|entry| map.insert(entry));
        Ok(())
    }

    fn position(&self, spot: Spot) -> Position {
        Position::new(self.path.clone(), spot.line, spot.column)
    }
}

#[cfg(test)]
mod tests;
