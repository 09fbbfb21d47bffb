//! OpenSSL's words for its error codes.

use std::ffi::{CStr, c_char, c_ulong};

/// ERR_GET_LIB and ERR_GET_REASON of openssl/err.h.
const LIBRARY_OFFSET: u32 = 23;
const REASON_MASK: u64 = 0x7f_ffff;
/// ERR_SYSTEM_FLAG: a number of the system, not of a library.
const SYSTEM: u64 = 1 << 31;

/// Library and reason of a packed code; `None` for numbers of the system.
pub fn unpack(code: u64) -> Option<(u64, u64)> {
    (code & SYSTEM == 0).then_some((code >> LIBRARY_OFFSET & 0xff, code & REASON_MASK))
}

pub fn pack(library: u64, reason: u64) -> u64 {
    library << LIBRARY_OFFSET | reason
}

/// ERR_reason_error_string(3).
pub fn reason_text(code: u64) -> Option<String> {
    // SAFETY: takes any number and returns null or a string that lives as long as the library.
    text(unsafe { openssl_sys::ERR_reason_error_string(c_ulong::from(code)) })
}

/// ERR_lib_error_string(3).
pub fn library_text(code: u64) -> Option<String> {
    // SAFETY: as above.
    text(unsafe { openssl_sys::ERR_lib_error_string(c_ulong::from(code)) })
}

fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and the library's own text with its end.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_apart_and_have_words() {
        assert_eq!(unpack(0x0A00_0086), Some((20, 134)));
        assert_eq!(pack(20, 134), 0x0A00_0086);
        assert_eq!(unpack(0x8000_0002), None);
        assert_eq!(reason_text(0x0A00_0086).as_deref(), Some("certificate verify failed"));
        assert!(library_text(0x0A00_0086).is_some_and(|text| text.contains("SSL")));
        assert_eq!(reason_text(0x0A00_7FFF), None);
    }
}
