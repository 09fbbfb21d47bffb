//! The chain: each record ends with a seal over itself and names the seal of the one before.
//!
//! ```text
//!   {"seq":7, … ,"prev":"<seal of record 6>","hash":"<SHA-256 of all before this comma>"}
//!   {"seq":7, … ,"prev":"<seal of record 6>","mac":"<HMAC-SHA-256 of the same>"}
//! ```

use crate::tls::crypto::seal::{SealError, Sealer};
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// What the first record of all names as the one before.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Hex digits of a seal.
const SEAL: usize = 64;
const HASH: &[u8] = b",\"hash\":\"";
const MAC: &[u8] = b",\"mac\":\"";
const END: &[u8] = b"\"}";

/// Completes `record`, a JSON object without its end, to a line, and returns its seal.
pub fn close(sealer: &Sealer, record: &mut Vec<u8>) -> Result<String, SealError> {
    let seal = sealer.seal(record)?;
    record.extend_from_slice(if sealer.is_keyed() { MAC } else { HASH });
    record.extend_from_slice(seal.as_bytes());
    record.extend_from_slice(END);
    record.push(b'\n');
    Ok(seal)
}

/// A record as it stands in a file; nothing of it is verified.
pub struct Sealed<'a> {
    pub head: Head<'a>,
    /// What the seal is over.
    pub body: &'a [u8],
    pub keyed: bool,
    pub seal: &'a str,
}

/// What every record has.
#[derive(Deserialize)]
pub struct Head<'a> {
    pub seq: u64,
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow)]
    pub prev: Cow<'a, str>,
    /// Of `torn` and `lost`.
    pub bytes: Option<u64>,
    pub count: Option<u64>,
    /// Of `unverified`.
    pub reason: Option<Cow<'a, str>>,
}

/// Reads a line without its newline. `None`: it is no record.
pub fn open(line: &[u8]) -> Option<Sealed<'_>> {
    let rest = line.strip_suffix(END)?;
    let (rest, seal) = rest.split_at_checked(rest.len().checked_sub(SEAL)?)?;
    let (body, keyed) = match (rest.strip_suffix(HASH), rest.strip_suffix(MAC)) {
        (Some(body), _) => (body, false),
        (None, Some(body)) => (body, true),
        (None, None) => return None,
    };
    let seal = std::str::from_utf8(seal).ok()?;
    let head = serde_json::from_slice(line).ok()?;
    Some(Sealed { head, body, keyed, seal })
}

/// Where a chain goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of the last record; 0: there is none.
    pub seq: u64,
    pub seal: String,
}

impl Default for Link {
    fn default() -> Self {
        Self { seq: 0, seal: FIRST.to_owned() }
    }
}

/// How a file ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Empty,
    /// It begins with something that is no record.
    Foreign,
    Records {
        /// The last record, without its newline; `None`: there is only a torn one.
        last: Option<Vec<u8>>,
        /// Bytes behind it that are no record.
        torn: u64,
        /// The very last byte is a newline.
        whole: bool,
    },
}

/// Finds the last record of a file. A crash, or a power failure, may have left anything behind it.
pub fn end_of(path: &Path) -> io::Result<End> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(End::Empty);
    }
    let mut window = 128 * 1024;
    loop {
        let start = size.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        (&mut file).take(size - start).read_to_end(&mut bytes)?;
        let whole = bytes.ends_with(b"\n");
        // The first one in the window may have lost its beginning.
        if let Some((from, to)) = last_record(&bytes, start == 0) {
            let torn = (bytes.len() - to - 1) as u64;
            return Ok(End::Records { last: Some(bytes[from..to].to_vec()), torn, whole });
        }
        if start == 0 {
            // Without a newline, it is the first record of all that was torn.
            let torn = bytes.len() as u64;
            return Ok(match bytes.contains(&b'\n') {
                true => End::Foreign,
                false => End::Records { last: None, torn, whole },
            });
        }
        window = window.saturating_mul(4);
    }
}

/// From where to where the last line stands that is a record.
fn last_record(bytes: &[u8], from_start: bool) -> Option<(usize, usize)> {
    let newline = |byte: &u8| *byte == b'\n';
    let mut end = bytes.iter().rposition(newline)?;
    loop {
        let before = bytes[..end].iter().rposition(newline);
        let start = match before {
            Some(before) => before + 1,
            None if from_start => 0,
            None => return None,
        };
        if open(&bytes[start..end]).is_some() {
            return Some((start, end));
        }
        end = before?;
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    fn line(sealer: &Sealer, seq: u64, prev: &str) -> (Vec<u8>, String) {
        let text = format!("{{\"seq\":{seq},\"time\":\"t\",\"event\":\"test\",\"prev\":\"{prev}\"");
        let mut record = text.into_bytes();
        let seal = close(sealer, &mut record).unwrap();
        (record, seal)
    }

    #[test]
    fn what_is_closed_can_be_opened() {
        let ready = crate::tls::start().unwrap();
        let key = crate::secret::Secret::from("k".repeat(64));
        for key in [None, Some(&key)] {
            let sealer = Sealer::new(ready, key).unwrap();
            let (record, seal) = line(&sealer, 7, FIRST);
            let text = record.strip_suffix(b"\n").unwrap();
            assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok());
            let sealed = open(text).unwrap();
            assert_eq!((sealed.head.seq, sealed.keyed), (7, key.is_some()));
            assert_eq!((&*sealed.head.prev, sealed.seal), (FIRST, &*seal));
            assert!(sealer.fits(sealed.body, sealed.seal).unwrap());
            for cut in 0..text.len() {
                assert!(open(&text[..cut]).is_none(), "{cut}");
            }
        }
    }

    #[test]
    fn the_last_record_is_found_whatever_is_behind_it() {
        let sealer = Sealer::new(crate::tls::start().unwrap(), None).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let end = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            end_of(file.path()).unwrap()
        };
        let (first, seal) = line(&sealer, 1, FIRST);
        let (second, _) = line(&sealer, 2, &seal);
        let last = Some(second[..second.len() - 1].to_vec());
        let both = [first.clone(), second.clone()].concat();
        assert_eq!(end(b""), End::Empty);
        assert_eq!(end(&both), End::Records { last: last.clone(), torn: 0, whole: true });
        let torn = |more: &[u8]| end(&[&both, more].concat());
        assert_eq!(torn(b"{\"seq"), End::Records { last: last.clone(), torn: 5, whole: false });
        let nothing = vec![0; 300 * 1024];
        let size = nothing.len() as u64;
        assert_eq!(torn(&nothing), End::Records { last: last.clone(), torn: size, whole: false });
        assert_eq!(torn(b"a\nb\n"), End::Records { last, torn: 4, whole: true });
        let fragment = &first[..20];
        assert_eq!(end(fragment), End::Records { last: None, torn: 20, whole: false });
        assert_eq!(end(b"[1] 2026 [INF] a log\n"), End::Foreign);
    }
}
