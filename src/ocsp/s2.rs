//! The stream format of S2 and Snappy, in which nats-server keeps answers in its cache file.
//!
//! No crate reads S2 (its blocks may repeat the last offset, which Snappy's cannot). What is written
//! here is not compressed, which both formats allow: answers are mostly signatures and hashes.

use crate::tls::ocsp::ANSWER_MAX;
use std::fmt;

/// Why octets are no stream, or none that is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S2Error {
    /// It does not begin as one.
    Start,
    Truncated,
    /// An instruction that has no sense.
    Corrupt,
    Checksum,
    /// Longer than any answer may be.
    TooLong,
}

impl fmt::Display for S2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "no S2 stream",
            Self::Truncated => "the S2 stream is cut off",
            Self::Corrupt => "the S2 stream is corrupt",
            Self::Checksum => "the S2 stream has a wrong checksum",
            Self::TooLong => "the S2 stream is too long",
        })
    }
}

impl std::error::Error for S2Error {}

/// The identifier of the stream: a chunk of six octets.
const START: &[u8] = b"\xff\x06\x00\x00S2sTwO";
const COMPRESSED: u8 = 0;
const PLAIN: u8 = 1;
/// Chunks from here on may be skipped.
const SKIPPABLE: u8 = 0x80;
const IDENTIFIER: u8 = 0xff;

/// Unpacks a stream of at most [`ANSWER_MAX`] octets.
pub fn unpack(mut stream: &[u8]) -> Result<Vec<u8>, S2Error> {
    if !stream.starts_with(START) && !stream.starts_with(b"\xff\x06\x00\x00sNaPpY") {
        return Err(S2Error::Start);
    }
    let mut out = Vec::new();
    while let Some((&[kind, a, b, c], rest)) = stream.split_first_chunk() {
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        let (chunk, rest) = rest.split_at_checked(length).ok_or(S2Error::Truncated)?;
        stream = rest;
        if kind >= SKIPPABLE {
            if kind == IDENTIFIER && !matches!(chunk, b"S2sTwO" | b"sNaPpY") {
                return Err(S2Error::Start);
            }
            continue;
        }
        let (&checksum, data) = chunk.split_first_chunk::<4>().ok_or(S2Error::Truncated)?;
        let from = out.len();
        match kind {
            COMPRESSED => block(data, &mut out)?,
            PLAIN => append(&mut out, data)?,
            _ => return Err(S2Error::Corrupt),
        }
        if mask(crc32c(&out[from..])) != u32::from_le_bytes(checksum) {
            return Err(S2Error::Checksum);
        }
    }
    if stream.is_empty() { Ok(out) } else { Err(S2Error::Truncated) }
}

/// Packs octets, of which there are at most [`ANSWER_MAX`], without making them fewer.
pub fn pack(data: &[u8]) -> Vec<u8> {
    let mut out = START.to_vec();
    // A chunk holds at most 64 KiB.
    for part in data.chunks(ANSWER_MAX) {
        let length = u32::try_from(part.len() + 4).unwrap_or(u32::MAX).to_le_bytes();
        out.extend([PLAIN, length[0], length[1], length[2]]);
        out.extend(mask(crc32c(part)).to_le_bytes());
        out.extend(part);
    }
    out
}

fn append(out: &mut Vec<u8>, data: &[u8]) -> Result<(), S2Error> {
    if out.len() + data.len() > ANSWER_MAX {
        return Err(S2Error::TooLong);
    }
    out.extend_from_slice(data);
    Ok(())
}

/// Takes `count` octets as a number, the lowest first.
fn number(data: &mut &[u8], count: usize) -> Result<usize, S2Error> {
    let (bytes, rest) = data.split_at_checked(count).ok_or(S2Error::Truncated)?;
    *data = rest;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// One block: its length, then literals and copies of what came before.
fn block(mut data: &[u8], out: &mut Vec<u8>) -> Result<(), S2Error> {
    let start = out.len();
    let mut length = 0usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = number(&mut data, 1)?;
        length |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    if start + length > ANSWER_MAX {
        return Err(S2Error::TooLong);
    }
    let mut offset = 0;
    while !data.is_empty() {
        let tag = number(&mut data, 1)?;
        let high = tag >> 2;
        let count = match tag & 3 {
            0 => {
                let count = match high {
                    60..=63 => number(&mut data, high - 59)? + 1,
                    short => short + 1,
                };
                let (literal, rest) = data.split_at_checked(count).ok_or(S2Error::Truncated)?;
                append(out, literal)?;
                data = rest;
                continue;
            }
            1 => {
                let near = (tag & 0xe0) << 3 | number(&mut data, 1)?;
                let count = high & 7;
                if near != 0 {
                    offset = near;
                    count + 4
                } else {
                    // S2: the offset of before, and longer counts.
                    4 + match count {
                        5 => number(&mut data, 1)? + 4,
                        6 => number(&mut data, 2)? + (1 << 8),
                        7 => number(&mut data, 3)? + (1 << 16),
                        short => short,
                    }
                }
            }
            kind => {
                offset = number(&mut data, if kind == 2 { 2 } else { 4 })?;
                high + 1
            }
        };
        let from = out.len().checked_sub(offset).filter(|from| offset > 0 && *from >= start);
        let from = from.ok_or(S2Error::Corrupt)?;
        if out.len() + count > ANSWER_MAX {
            return Err(S2Error::TooLong);
        }
        // What is copied may reach into what is being written.
        for at in from..from + count {
            out.push(out[at]);
        }
    }
    if out.len() - start == length { Ok(()) } else { Err(S2Error::Corrupt) }
}

/// CRC-32C, one bit after the other: answers are short and seldom.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

/// As the format has it, so that checksums of checksums are none.
fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stream of one compressed chunk.
    fn stream(plain: &[u8], block: &[u8]) -> Vec<u8> {
        let length = (block.len() + 4).to_le_bytes();
        let checksum = mask(crc32c(plain)).to_le_bytes();
        [START, &[COMPRESSED, length[0], length[1], length[2]], &checksum, block].concat()
    }

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn every_instruction_is_read() {
        // "abcd" and copies of it by each kind of offset; then the last offset again, and longer.
        for (plain, block) in [
            (b"abcd".to_vec(), b"\x04\x0cabcd".to_vec()),
            (b"abcdabcd".to_vec(), b"\x08\x0cabcd\x01\x04".to_vec()),
            (b"abcdabcd".to_vec(), b"\x08\x0cabcd\x0e\x04\x00".to_vec()),
            (b"abcdabcd".to_vec(), b"\x08\x0cabcd\x0f\x04\x00\x00\x00".to_vec()),
            (b"abcdabcdabcd".to_vec(), b"\x0c\x0cabcd\x01\x04\x01\x00".to_vec()),
            (b"abcd".repeat(4), b"\x10\x0cabcd\x01\x04\x15\x00\x00".to_vec()),
            (b"a".repeat(265), b"\x89\x02\x00a\x01\x01\x19\x00\x00\x00".to_vec()),
        ] {
            assert_eq!(unpack(&stream(&plain, &block)), Ok(plain.clone()), "{block:?}");
        }
        let long = [7; 300];
        let block = [&[0xac, 0x02, 0xf4, 0x2b, 0x01][..], &long].concat();
        assert_eq!(unpack(&stream(&long, &block)).unwrap(), long);
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(unpack(b""), Err(S2Error::Start));
        assert_eq!(unpack(b"\xff\x06\x00\x00LzMa!!"), Err(S2Error::Start));
        let good = pack(b"abcd");
        for cut in START.len() + 1..good.len() {
            assert_eq!(unpack(&good[..cut]), Err(S2Error::Truncated), "{cut}");
        }
        let mut other = good.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(unpack(&other), Err(S2Error::Checksum));
        // A copy from before the beginning; an offset of before that there is not; a wrong length.
        for block in [b"\x08\x0cabcd\x01\x05".as_slice(), b"\x08\x01\x00", b"\x05\x0cabcd"] {
            assert_eq!(unpack(&stream(b"", block)), Err(S2Error::Corrupt), "{block:?}");
        }
        assert_eq!(unpack(&stream(b"", b"\xff\xff\xff\x7f")), Err(S2Error::TooLong));
        let two = [pack(&vec![0; ANSWER_MAX]), pack(b"a")].concat();
        assert_eq!(unpack(&two), Err(S2Error::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(unpack(&pack(&data)).unwrap(), data);
        }

        #[test]
        fn nothing_makes_it_fail_otherwise(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&stream(b"", &data));
            let _ = unpack(&[START, &data].concat());
        }
    }
}
