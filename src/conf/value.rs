//! Values of a configuration and where they stand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A place in a file; `Display` is `file:line:column`.
///
/// COMPAT: the column is nats-server's, a byte offset counted from 0 on the first line and from 1 on
/// the others, because it is the distance from the newline before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// As given on the command line, or as joined for an include; empty inside environment variables.
    file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl Position {
    pub fn new(file: Arc<str>, line: usize, column: usize) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { file, line: narrow(line), column: narrow(column) }
    }

    pub fn file(&self) -> &str {
        &self.file
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value. It has no `Debug` because it may be a password.
#[derive(Clone, PartialEq)]
pub enum Value {
    String(String),
    Bool(bool),
    /// Units are multiplied out; the product wraps around like nats-server's.
    Integer(i64),
    /// Always finite.
    Float(f64),
    /// A valid `2006-01-02T15:04:05Z`.
    Time(String),
    Array(Vec<Item>),
    Map(Map),
}

impl Value {
    /// The type as nats-server's messages name it.
    pub fn go_type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int64",
            Self::Float(_) => "float64",
            Self::Time(_) => "time.Time",
            Self::Array(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }

    /// Containers on the longest way down, this one included; 0 for a scalar.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(|i| i.value.depth()).max().unwrap_or(0),
            Self::Map(map) => 1 + map.iter().map(|e| e.item.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// What a copy costs, in the unit of [`super::MAX_EXPANSION_BYTES`].
    pub(super) fn cost(&self) -> usize {
        let inside = match self {
            Self::String(text) | Self::Time(text) => text.len(),
            Self::Bool(_) | Self::Integer(_) | Self::Float(_) => 0,
            Self::Array(items) => items.iter().map(|item| item.value.cost()).sum(),
            Self::Map(map) => map.iter().map(|e| e.key.len() + e.item.value.cost()).sum(),
        };
        super::EXPANSION_OVERHEAD + inside
    }

    /// Moves everything inside to one place: text from the environment has none of its own.
    pub(super) fn place_inside(&mut self, position: &Position) {
        match self {
            Self::Array(items) => items.iter_mut().for_each(|item| item.place(position)),
            Self::Map(map) => {
                for entry in &mut map.entries {
                    entry.position = position.clone();
                    entry.item.place(position);
                }
            }
            _ => {}
        }
    }
}

/// A value and its place.
///
/// COMPAT: in a map this is the place of the key, for that is what nats-server's messages show. In an
/// array it is the value's own: the start of a scalar, just after the end of a map or an array.
#[derive(Clone, PartialEq)]
pub struct Item {
    pub value: Value,
    pub position: Position,
}

impl Item {
    fn place(&mut self, position: &Position) {
        self.position = position.clone();
        self.value.place_inside(position);
    }
}

/// A key and its value.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// As typed, without quotes.
    pub key: String,
    /// Of the key, after its opening quote.
    pub position: Position,
    pub item: Item,
    /// Some `$name` referred to it, so it may be unknown as an option.
    pub is_variable: bool,
}

/// Keys and values in the order of the text. Of equal keys the last one counts, in the place of the
/// first.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<Entry>,
    /// Key to index in `entries`.
    index: BTreeMap<String, usize>,
}

impl Map {
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// By the key as typed.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(*self.index.get(key)?)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries in the byte order of their keys.
    pub fn sorted(&self) -> impl Iterator<Item = &Entry> {
        self.index.values().filter_map(|&at| self.entries.get(at))
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        match self.index.get(&entry.key) {
            Some(&at) => self.entries[at] = entry,
            None => {
                self.index.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// The entry a `$name` refers to, from then on known as a variable.
    pub(super) fn refer(&mut self, name: &str) -> Option<&Entry> {
        let entry = self.entries.get_mut(*self.index.get(name)?)?;
        entry.is_variable = true;
        Some(entry)
    }

    /// The value of a key, taken out of a map that is no longer needed.
    pub(super) fn into_value(mut self, key: &str) -> Option<Value> {
        let at = *self.index.get(key)?;
        Some(self.entries.swap_remove(at).item.value)
    }
}

impl FromIterator<Entry> for Map {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut map = Self::default();
        entries.into_iter().for_each(|entry| map.insert(entry));
        map
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
