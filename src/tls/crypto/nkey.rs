//! Names made of keys, in NATS's text form: base32 of prefix, key and CRC-16.

use crate::tls::Ready;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;

/// Prefix byte of a server: its names begin with `N`.
const SERVER: u8 = 13 << 3;

/// A new server identity: the public half of an Ed25519 key, as nats-server makes one at each
/// start. Where Ed25519 is not there or not approved, a random name of the same form: nothing is
/// ever signed with it.
pub fn new_server_id(ready: Ready) -> Result<String, ErrorStack> {
    let approved = ready.inventory().ed25519_approved;
    let key = approved.then(PKey::generate_ed25519);
    let key = key.and_then(|key| key.and_then(|key| key.raw_public_key()).ok());
    let bytes = match key.and_then(|raw| <[u8; 32]>::try_from(raw).ok()) {
        Some(bytes) => bytes,
        None => super::random::bytes(ready)?,
    };
    Ok(encode(SERVER, &bytes))
}

fn encode(prefix: u8, key: &[u8; 32]) -> String {
    let mut raw = Vec::with_capacity(35);
    raw.push(prefix);
    raw.extend_from_slice(key);
    let crc = crc16(&raw);
    raw.extend_from_slice(&crc.to_le_bytes());
    base32(&raw)
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0. A checksum against typing errors, no cryptography.
fn crc16(data: &[u8]) -> u16 {
    data.iter().fold(0u16, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
        }
        crc
    })
}

/// RFC 4648 section 6, without padding.
fn base32(data: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(data.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in data {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_of_rfc_4648_section_10() {
        for (plain, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }

    #[test]
    fn crc_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[cfg(not(feature = "fips"))]
    #[test]
    fn server_names_have_the_form_clients_expect() {
        let ready = crate::tls::start().unwrap();
        let (a, b) = (new_server_id(ready).unwrap(), new_server_id(ready).unwrap());
        assert_eq!(a.len(), 56);
        assert!(a.starts_with('N') && a != b);
    }
}
