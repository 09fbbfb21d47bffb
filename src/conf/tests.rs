//! The language as a whole: each row checked against nats-server 2.15.1.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Files and variables of a test.
#[derive(Default)]
pub(super) struct Fixture {
    files: BTreeMap<String, Vec<u8>>,
    variables: BTreeMap<String, String>,
}

impl Fixture {
    pub(super) fn new(text: &str) -> Self {
        Self::default().file("c.conf", text)
    }

    pub(super) fn file(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_string(), text.into());
        self
    }

    pub(super) fn variable(mut self, name: &str, text: &str) -> Self {
        self.variables.insert(name.to_string(), text.to_string());
        self
    }

    pub(super) fn parse(&self) -> Result<Document, Error> {
        parse(self, "c.conf")
    }

    /// The document as the line that is hashed.
    pub(super) fn json(&self) -> String {
        match self.parse() {
            Ok(document) => String::from_utf8(document.digest_input()).unwrap().trim_end().into(),
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn error(&self) -> String {
        match self.parse() {
            Ok(document) => panic!("parsed: {:?}", document.files),
            Err(error) => error.to_string(),
        }
    }
}

impl Source for Fixture {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = path.to_str().unwrap();
        self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

pub(super) fn json(text: &str) -> String {
    Fixture::new(text).json()
}

pub(super) fn error(text: &str) -> String {
    Fixture::new(text).error()
}

#[test]
fn separators_are_equals_colon_or_nothing() {
    for text in ["a = 1", "a: 1", "a 1", "a=1", "a:1", "a\n1", "a\n\n : 1"] {
        assert_eq!(json(text), r#"{"a":1}"#, "{text:?}");
    }
    let end = "Expected a top-level value to end with a new line, comment or EOF";
    assert_eq!(error("a == b"), format!("Parse error on line 1: '{end}, but got 'b' instead.'"));
}

#[test]
fn missing_files_are_named() {
    let error = parse(&Fixture::default(), "/nope.conf").err().unwrap();
    assert_eq!(error.to_string(), "open /nope.conf: no such file or directory");
}

#[test]
fn invalid_utf8_is_refused_with_its_place() {
    let fixture = Fixture::default().file("c.conf", b"a: 1\nb: x\xff".as_slice());
    assert_eq!(fixture.error(), "c.conf:2:5: text is not valid UTF-8");
}

#[test]
fn types_have_go_names() {
    let text = "a: x, b: 1, c: on, d: 1.5, e: 2026-01-02T03:04:05Z, f: {}, g: []";
    let document = Fixture::new(text).parse().ok().unwrap();
    let names: Vec<_> = document.root.iter().map(|e| e.item.value.go_type_name()).collect();
    let map = "map[string]interface {}";
    assert_eq!(names, ["string", "int64", "bool", "float64", "time.Time", map, "[]interface {}"]);
}

#[test]
fn corpus_holds_the_properties() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/conf");
    for file in std::fs::read_dir(folder).into_iter().flatten() {
        fuzz_one(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

/// Pieces of the language, so that random texts get past the first token.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    " ",
    "\t",
    ",",
    ";",
    ":",
    "=",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "(\nx\n)\n",
    "#",
    "//",
    "/",
    "\"",
    "'",
    "\\",
    "\\x41",
    "\\xff",
    "\\q",
    "$",
    "$a",
    "$A",
    "$B",
    "$2a$x",
    "a",
    "b: ",
    "true",
    "off",
    "1",
    "-5",
    "10k",
    "5kbb",
    "9E",
    "1.5",
    ".",
    "1.2.3",
    "2026-01-02T03:04:05Z",
    "2026-",
    "99999999999999999999",
    "é",
    "\u{a0}",
    "\u{2028}",
    "\0",
    "include",
    "include c.conf ",
    "include fuzz.conf\n",
    "a: {b: $a}\n",
    "c: [$c, $a ]\n",
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz_one(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        variable in proptest::collection::vec(proptest::sample::select(PIECES), 0..8),
    ) {
        let text = pieces.concat();
        fuzz_one(text.as_bytes());
        let fixture = Fixture::new(&text).variable("A", &variable.concat()).variable("B", "[$A, $B]");
        if let Ok(document) = fixture.parse() {
            let line = document.digest_input();
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        }
    }

    #[test]
    fn a_printed_tree_parses_back_to_itself(tree in map_of(tree()), style in any::<u8>()) {
        let mut text = String::new();
        print_entries(&mut text, &tree, style);
        prop_assert_eq!(json(&text), serde_json::Value::Object(tree).to_string());
    }
}

type Tree = serde_json::Value;

fn tree() -> impl Strategy<Value = Tree> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        // Quarters print the same everywhere and always with a point.
        (-1_000_000..1_000_000i32).prop_map(|n| Tree::from(f64::from(n) + 0.25)),
        // No characters Go escapes and serde_json does not.
        "[^<>&\u{2028}\u{2029}]{0,12}".prop_map(Tree::from),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::from),
            map_of(inner).prop_map(Tree::Object),
        ]
    })
}

fn map_of(
    value: impl Strategy<Value = Tree>,
) -> impl Strategy<Value = serde_json::Map<String, Tree>> {
    proptest::collection::btree_map("[a-z_]{1,8}", value, 0..6)
        .prop_map(|map| map.into_iter().filter(|(key, _)| key != "include").collect())
}

fn print_entries(text: &mut String, map: &serde_json::Map<String, Tree>, style: u8) {
    for (index, (key, value)) in map.iter().enumerate() {
        let choice = usize::from(style) + index;
        text.push_str([" ", "\n\t", "# note\n", "// note\n"][choice % 4]);
        let quote = ["", "\"", "'"][choice % 3];
        text.push_str(&format!("{quote}{key}{quote}{}", [": ", " = ", " ", "\n:"][choice / 2 % 4]));
        print(text, value, style);
        text.push_str([",", "\n", ";", " # end\n"][choice / 3 % 4]);
    }
}

fn print(text: &mut String, value: &Tree, style: u8) {
    match value {
        Tree::String(string) => {
            text.push('"');
            for c in string.chars() {
                match c {
                    '"' | '\\' => text.extend(['\\', c]),
                    // NUL would end the text.
                    '\0'..='\u{1f}' => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                    _ => text.push(c),
                }
            }
            text.push('"');
        }
        Tree::Array(items) => {
            text.push('[');
            for item in items {
                print(text, item, style);
                text.push_str([", ", " ,", "\n"][usize::from(style) % 3]);
            }
            text.push(']');
        }
        Tree::Object(map) => {
            text.push('{');
            print_entries(text, map, style);
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
