//! All unsafe code of the program: one C call a function, its result turned into a Rust type.
//!
//! What the crates `openssl` and `tokio-openssl` wrap is used through them; here stands only what
//! they lack.

#![allow(unsafe_code)]

pub mod client;
pub mod errors;
pub mod fips;
pub mod mac;
pub mod sockets;
pub mod store;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::asn1::{Asn1GeneralizedTimeRef, Asn1Integer, Asn1StringRef, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{SslContextBuilder, SslContextRef, SslRef};
use openssl::stack::StackRef;
use openssl::x509::store::{X509StoreBuilderRef, X509StoreRef};
use openssl::x509::{X509, X509CrlRef, X509Ref, X509StoreContextRef};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_ulong, c_void};
use std::sync::OnceLock;
use std::time::Duration;

unsafe extern "C" {
    fn SSL_CTX_get_ciphers(ctx: *const openssl_sys::SSL_CTX) -> *mut openssl_sys::OPENSSL_STACK;
    fn SSL_CIPHER_get_protocol_id(cipher: *const openssl_sys::SSL_CIPHER) -> u16;
    fn SSL_CTX_set_default_read_buffer_len(ctx: *mut openssl_sys::SSL_CTX, len: usize);
    fn SSL_CTX_set1_cert_store(ctx: *mut openssl_sys::SSL_CTX, store: *mut openssl_sys::X509_STORE);
    fn X509_CRL_get_ext_by_NID(crl: *const openssl_sys::X509_CRL, nid: c_int, last: c_int)
    -> c_int;
    fn X509_CRL_get_ext_d2i(
        list: *const openssl_sys::X509_CRL,
        nid: c_int,
        critical: *mut c_int,
        index: *mut c_int,
    ) -> *mut c_void;
    fn X509_CRL_get_ext_by_critical(
        crl: *const openssl_sys::X509_CRL,
        critical: c_int,
        last: c_int,
    ) -> c_int;
    fn X509_STORE_add_crl(
        store: *mut openssl_sys::X509_STORE,
        crl: *mut openssl_sys::X509_CRL,
    ) -> c_int;
    fn X509_STORE_CTX_get0_untrusted(
        ctx: *const openssl_sys::X509_STORE_CTX,
    ) -> *mut openssl_sys::OPENSSL_STACK;
    fn SSL_CTX_set_cert_verify_callback(
        ctx: *mut openssl_sys::SSL_CTX,
        callback: extern "C" fn(*mut openssl_sys::X509_STORE_CTX, *mut c_void) -> c_int,
        argument: *mut c_void,
    );
    fn SSL_CTX_set_timeout(ctx: *mut openssl_sys::SSL_CTX, seconds: c_long) -> c_long;
    fn X509_STORE_CTX_set_flags(ctx: *mut openssl_sys::X509_STORE_CTX, flags: c_ulong);
    fn X509_STORE_CTX_set_verify_cb(
        ctx: *mut openssl_sys::X509_STORE_CTX,
        callback: extern "C" fn(c_int, *mut openssl_sys::X509_STORE_CTX) -> c_int,
    );
    fn X509_get_X509_PUBKEY(x: *const openssl_sys::X509) -> *mut c_void;
    fn X509_check_ca(x: *mut openssl_sys::X509) -> c_int;
    fn i2d_X509_PUBKEY(key: *const c_void, out: *mut *mut u8) -> c_int;
    fn SSL_get_signature_type_nid(ssl: *const openssl_sys::SSL, nid: *mut c_int) -> c_int;
    fn SSL_get_peer_signature_type_nid(ssl: *const openssl_sys::SSL, nid: *mut c_int) -> c_int;
    fn EVP_default_properties_is_fips_enabled(libctx: *mut c_void) -> c_int;
    fn X509_NAME_ENTRY_set(entry: *const openssl_sys::X509_NAME_ENTRY) -> c_int;
}

/// Asks the C library's allocator, OpenSSL's too, to keep up to `bytes` of freed memory instead of
/// giving it back with every burst and faulting it in again with the next. mallopt(3).
pub fn keep_freed_memory(bytes: c_int) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: two numbers, no memory. A value the library refuses leaves its default.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, bytes);
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = bytes;
}

/// Gives memory that was freed back to the system: what a large file was parsed into stays scattered
/// otherwise. malloc_trim(3).
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no memory in use is touched.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Ids of the suites a context will really offer, provider filtering included.
/// SSL_CTX_get_ciphers(3), SSL_CIPHER_get_protocol_id(3).
pub fn context_suites(context: &SslContextRef) -> Vec<u16> {
    let mut ids = Vec::new();
    // SAFETY: the context outlives the call; the stack and its elements belong to the context and
    // are only read. A null stack has -1 elements.
    unsafe {
        let stack = SSL_CTX_get_ciphers(context.as_ptr());
        for i in 0..openssl_sys::OPENSSL_sk_num(stack) {
            let cipher = openssl_sys::OPENSSL_sk_value(stack, i);
            if !cipher.is_null() {
                ids.push(SSL_CIPHER_get_protocol_id(cipher.cast()));
            }
        }
    }
    ids
}

/// Size of the read-ahead buffer in bytes. SSL_CTX_set_default_read_buffer_len(3).
pub fn set_read_buffer_len(context: &SslContextRef, len: usize) {
    // SAFETY: called while the context is being built, before any connection uses it.
    unsafe { SSL_CTX_set_default_read_buffer_len(context.as_ptr(), len) }
}

/// The key exchange groups of one connection, `:` between. SSL_set1_groups_list(3).
pub fn set_groups_list(ssl: &mut SslRef, groups: &str) -> Result<(), ErrorStack> {
    const SSL_CTRL_SET_GROUPS_LIST: c_int = 92;
    let groups = CString::new(groups).map_err(|_| ErrorStack::get())?;
    // SAFETY: a live object that is borrowed mutably; the string ends in NUL and is only read
    // during the call.
    let result = unsafe {
        let list = groups.as_ptr().cast_mut().cast();
        openssl_sys::SSL_ctrl(ssl.as_ptr(), SSL_CTRL_SET_GROUPS_LIST, 0, list)
    };
    if result == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

/// May the certificate sign others? X509_check_ca(3).
pub fn is_ca(certificate: &X509Ref) -> bool {
    // SAFETY: a live certificate; OpenSSL caches what it finds in it, under its own lock.
    unsafe { X509_check_ca(certificate.as_ptr()) != 0 }
}

/// DER of a certificate's SubjectPublicKeyInfo, as it stands in the certificate: nothing is decoded
/// and encoded again, which OpenSSL 3.0 takes as long for as for verifying a signature.
/// i2d_X509_PUBKEY(3).
pub fn public_key_der(certificate: &X509Ref) -> Option<Vec<u8>> {
    // SAFETY: the key belongs to the certificate, which outlives both calls; the first call tells
    // the length, the second writes that many bytes and moves its own copy of the pointer.
    unsafe {
        let key = X509_get_X509_PUBKEY(certificate.as_ptr());
        if key.is_null() {
            return None;
        }
        let len = usize::try_from(i2d_X509_PUBKEY(key, std::ptr::null_mut())).ok()?;
        let mut der = vec![0; len];
        let mut at = der.as_mut_ptr();
        let written = usize::try_from(i2d_X509_PUBKEY(key, &mut at)).ok()?;
        (written == len && len > 0).then_some(der)
    }
}

/// Code point of the group of the present session; `None` before the handshake or without
/// (EC)DHE. SSL_get_negotiated_group(3): a NID, or `0x0100_0000 |` the code point where the group
/// has no NID.
pub fn negotiated_group(ssl: &SslRef) -> Option<u16> {
    const SSL_CTRL_GET_NEGOTIATED_GROUP: c_int = 134;
    const NO_NID: c_long = 0x0100_0000;
    // SAFETY: a control without arguments on a live object.
    let value = unsafe {
        openssl_sys::SSL_ctrl(ssl.as_ptr(), SSL_CTRL_GET_NEGOTIATED_GROUP, 0, std::ptr::null_mut())
    };
    match value {
        415 => Some(0x0017),
        715 => Some(0x0018),
        716 => Some(0x0019),
        1034 => Some(0x001d),
        1035 => Some(0x001e),
        value if value & NO_NID != 0 => u16::try_from(value & 0xffff).ok(),
        _ => None,
    }
}

/// Whose signature in a handshake.
#[derive(Clone, Copy)]
pub enum Signer {
    /// This side.
    Own,
    Peer,
}

/// NIDs of key type and digest (0: none of its own) of a signature made in the present handshake;
/// `None`: none was, as when a session is resumed. SSL_get_signature_nid(3).
pub fn signature(ssl: &SslRef, signer: Signer) -> Option<(c_int, c_int)> {
    const SSL_CTRL_GET_PEER_SIGNATURE_NID: c_int = 108;
    const SSL_CTRL_GET_SIGNATURE_NID: c_int = 132;
    let (mut key, mut digest): (c_int, c_int) = (0, 0);
    let control = match signer {
        Signer::Own => SSL_CTRL_GET_SIGNATURE_NID,
        Signer::Peer => SSL_CTRL_GET_PEER_SIGNATURE_NID,
    };
    // SAFETY: calls that write one int each, on a live object.
    unsafe {
        let found = match signer {
            Signer::Own => SSL_get_signature_type_nid(ssl.as_ptr(), &raw mut key),
            Signer::Peer => SSL_get_peer_signature_type_nid(ssl.as_ptr(), &raw mut key),
        };
        if found != 1 {
            return None;
        }
        // Of Ed25519 there is no digest to tell.
        openssl_sys::SSL_ctrl(ssl.as_ptr(), control, 0, (&raw mut digest).cast());
    }
    Some((key, digest))
}

/// Are the default properties of the library context `fips=yes`?
/// EVP_default_properties_is_fips_enabled(3). Safe before any provider is loaded.
pub fn fips_property() -> bool {
    // SAFETY: null is the default library context.
    unsafe { EVP_default_properties_is_fips_enabled(std::ptr::null_mut()) == 1 }
}

/// An object identifier in dotted form, whatever name OpenSSL has for it. OBJ_obj2txt(3).
pub fn dotted_oid(object: &openssl::asn1::Asn1ObjectRef) -> String {
    let mut text = [0u8; 256];
    // SAFETY: the buffer is as long as said; the function ends what it writes with NUL.
    let length =
        unsafe { openssl_sys::OBJ_obj2txt(text.as_mut_ptr().cast(), 256, object.as_ptr(), 1) };
    let length = usize::try_from(length).unwrap_or(0).min(text.len() - 1);
    String::from_utf8_lossy(&text[..length]).into_owned()
}

/// Which RDN of its name an entry belongs to; entries of one RDN share the number.
/// X509_NAME_ENTRY_set(3).
pub fn rdn_index(entry: &openssl::x509::X509NameEntryRef) -> c_int {
    // SAFETY: a live entry, only read.
    unsafe { X509_NAME_ENTRY_set(entry.as_ptr()) }
}

/// The ASN.1 tag of a string. ASN1_STRING_type(3).
pub fn string_tag(string: &openssl::asn1::Asn1StringRef) -> c_int {
    // SAFETY: a live string, only read.
    unsafe { openssl_sys::ASN1_STRING_type(string.as_ptr()) }
}

/// The kind of an alternative name: the context tag of RFC 5280 section 4.2.1.6.
/// GENERAL_NAME_get0_value(3).
pub fn general_name_kind(name: &openssl::x509::GeneralNameRef) -> c_int {
    // SAFETY: a live name, only read; the field is part of the public structure.
    unsafe { (*name.as_ptr()).type_ }
}

/// Seconds a session may be resumed. SSL_CTX_set_timeout(3).
pub fn set_session_timeout(builder: &mut SslContextBuilder, timeout: Duration) {
    let seconds = c_long::try_from(timeout.as_secs()).unwrap_or(c_long::MAX);
    // SAFETY: a number for a context that is being built.
    unsafe { SSL_CTX_set_timeout(builder.as_ptr(), seconds) };
}

/// Makes `store` the trust of a context, which gets a reference of its own.
/// SSL_CTX_set1_cert_store(3).
pub fn share_store(builder: &mut SslContextBuilder, store: &X509StoreRef) {
    // SAFETY: both live; the call takes a reference.
    unsafe { SSL_CTX_set1_cert_store(builder.as_ptr(), store.as_ptr()) }
}

/// Has it a critical extension, other than that it is a delta? X509_CRL_get_ext_by_NID(3),
/// X509_CRL_get_ext_by_critical(3).
pub fn crl_is_special(list: &X509CrlRef) -> bool {
    const DELTA_INDICATOR: c_int = 140;
    // One that cannot be read must not pass for a complete list.
    let is_delta = crl_number(list, CrlNumber::Base).is_some();
    // SAFETY: a live list, only read; -1 begins the search, and a negative result ends it.
    unsafe {
        let delta = match is_delta {
            true => X509_CRL_get_ext_by_NID(list.as_ptr(), DELTA_INDICATOR, -1),
            false => -1,
        };
        let mut at = X509_CRL_get_ext_by_critical(list.as_ptr(), 1, -1);
        while at >= 0 && at == delta {
            at = X509_CRL_get_ext_by_critical(list.as_ptr(), 1, at);
        }
        at >= 0
    }
}

/// The value of an extension, DER; `None`: the certificate has it not. X509_get_ext_by_NID(3).
pub fn extension(certificate: &X509Ref, nid: Nid) -> Option<Vec<u8>> {
    // SAFETY: a live certificate, only read; the extension and its value are parts of it, and the
    // bytes are copied before it can go.
    unsafe {
        let at = openssl_sys::X509_get_ext_by_NID(certificate.as_ptr(), nid.as_raw(), -1);
        let extension = openssl_sys::X509_get_ext(certificate.as_ptr(), at);
        if at < 0 || extension.is_null() {
            return None;
        }
        let value = openssl_sys::X509_EXTENSION_get_data(extension);
        (!value.is_null()).then(|| Asn1StringRef::from_ptr(value.cast()).as_slice().to_vec())
    }
}

/// The same time under the type that has arithmetic. ASN1_TIME_diff(3) takes both.
pub fn time_of(time: &Asn1GeneralizedTimeRef) -> &Asn1TimeRef {
    // SAFETY: ASN1_GENERALIZEDTIME and ASN1_TIME are one C type; the lifetime stays.
    unsafe { Asn1TimeRef::from_ptr(time.as_ptr().cast()) }
}

/// Numbers of a CRL (RFC 5280 sections 5.2.3 and 5.2.4).
#[derive(Clone, Copy)]
pub enum CrlNumber {
    Own,
    /// Of the list that a delta builds on.
    Base,
}

/// A number of this CRL, big-endian; `None`: it has none that can be read.
/// X509_CRL_get_ext_d2i(3).
pub fn crl_number(list: &X509CrlRef, which: CrlNumber) -> Option<Vec<u8>> {
    let nid = match which {
        CrlNumber::Own => 88,
        CrlNumber::Base => 140,
    };
    let none: *mut c_int = std::ptr::null_mut();
    // SAFETY: a live list, only read; both extensions are an INTEGER, and the object that comes back
    // is this function's own, freed with it.
    let number = unsafe {
        let number = X509_CRL_get_ext_d2i(list.as_ptr(), nid, none, none);
        (!number.is_null()).then(|| Asn1Integer::from_ptr(number.cast()))
    };
    Some(number?.to_bn().ok()?.to_vec())
}

/// Adds a CRL, which gets another reference. X509_STORE_add_crl(3).
pub fn add_crl(store: &mut X509StoreBuilderRef, list: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both live; the call takes a reference.
    match unsafe { X509_STORE_add_crl(store.as_ptr(), list.as_ptr()) } {
        1 => Ok(()),
        _ => Err(ErrorStack::get()),
    }
}

/// Has a verification take no notice of dates. X509_STORE_CTX_set_flags(3).
pub fn ignore_time(context: &mut X509StoreContextRef) {
    const NO_CHECK_TIME: c_ulong = 0x20_0000;
    // SAFETY: a live context that has been initialised and is not verifying yet.
    unsafe { X509_STORE_CTX_set_flags(context.as_ptr(), NO_CHECK_TIME) }
}

/// The chain a peer sent, leaf first; `None`: it sent none. X509_STORE_CTX_get0_untrusted(3).
pub fn sent_chain(context: &X509StoreContextRef) -> Option<&StackRef<X509>> {
    // SAFETY: the stack belongs to the context and lives as long.
    unsafe {
        let chain = X509_STORE_CTX_get0_untrusted(context.as_ptr());
        (!chain.is_null()).then(|| StackRef::from_ptr(chain.cast()))
    }
}

/// Has `super::context::verify` decide on peers' chains. SSL_CTX_set_cert_verify_callback(3).
pub fn set_chain_verifier(builder: &mut SslContextBuilder) {
    extern "C" fn call(context: *mut openssl_sys::X509_STORE_CTX, _: *mut c_void) -> c_int {
        // SAFETY: OpenSSL passes a live context that is its own.
        let context = unsafe { X509StoreContextRef::from_ptr_mut(context) };
        // A panic must not pass through C.
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            super::context::verify(context)
        }));
        c_int::from(verdict.unwrap_or(false))
    }
    // SAFETY: a plain function, and no argument to keep alive.
    unsafe { SSL_CTX_set_cert_verify_callback(builder.as_ptr(), call, std::ptr::null_mut()) }
}

/// What a verification calls for every finding.
type Judge<'a> = &'a mut dyn FnMut(bool, &mut X509StoreContextRef) -> bool;

thread_local! {
    /// The judge of the verification that runs on this thread.
    static JUDGE: Cell<Option<*mut c_void>> = const { Cell::new(None) };
}

/// Verifies the chain of an initialised context; `judge` has the last word on every finding.
/// X509_verify_cert(3), X509_STORE_CTX_set_verify_cb(3).
pub fn verify_chain(context: &mut X509StoreContextRef, mut judge: Judge<'_>) -> bool {
    extern "C" fn call(good: c_int, context: *mut openssl_sys::X509_STORE_CTX) -> c_int {
        let Some(judge) = JUDGE.get() else { return 0 };
        // SAFETY: the pointer was set below to a judge that outlives the verification, which runs
        // on this thread and calls nobody else's; OpenSSL passes its live context.
        let (judge, context) = unsafe {
            (&mut *judge.cast::<Judge<'_>>(), X509StoreContextRef::from_ptr_mut(context))
        };
        // A panic must not pass through C.
        let verdict =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(good == 1, context)));
        c_int::from(verdict.unwrap_or(false))
    }
    JUDGE.set(Some((&raw mut judge).cast()));
    // SAFETY: a live, initialised context; the callback is a plain function.
    unsafe { X509_STORE_CTX_set_verify_cb(context.as_ptr(), call) };
    let good = context.verify_cert().unwrap_or(false);
    JUDGE.set(None);
    good
}

/// A verification result by number. X509_STORE_CTX_set_error(3) takes any integer.
pub fn verify_result(code: i32) -> openssl::x509::X509VerifyResult {
    // SAFETY: the type is a plain number; every value prints.
    unsafe { openssl::x509::X509VerifyResult::from_raw(code) }
}

type CryptRn =
    unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void, c_int) -> *mut c_char;

/// The system's libcrypt, loaded when the first bcrypt hash is checked and never unloaded.
/// dlopen(3), crypt_rn(3).
fn libcrypt() -> Option<CryptRn> {
    static LIBRARY: OnceLock<Option<CryptRn>> = OnceLock::new();
    *LIBRARY.get_or_init(|| {
        for name in [c"libcrypt.so.1", c"libcrypt.so.2"] {
            // SAFETY: constant names; the handle is kept for ever, so the symbol stays valid, and
            // both libraries document this type for crypt_rn.
            unsafe {
                let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
                if handle.is_null() {
                    continue;
                }
                let symbol = libc::dlsym(handle, c"crypt_rn".as_ptr());
                if !symbol.is_null() {
                    return Some(std::mem::transmute::<*mut c_void, CryptRn>(symbol));
                }
            }
        }
        None
    })
}

/// Is there a libcrypt that can check bcrypt hashes?
pub fn has_libcrypt() -> bool {
    libcrypt().is_some()
}

/// `phrase` hashed with the salt and cost of `setting`, in crypt(3) form. `None`: no libcrypt, a
/// NUL in the input, or a setting it refuses.
pub fn crypt(phrase: &[u8], setting: &str) -> Option<String> {
    /// sizeof(struct crypt_data) of libxcrypt.
    const CRYPT_DATA: c_int = 32768;
    let crypt = libcrypt()?;
    let phrase = CString::new(phrase).ok()?;
    let setting = CString::new(setting).ok()?;
    let mut data = vec![0u64; 32768 / 8];
    // SAFETY: both strings end in NUL; `data` is as large as said, aligned and zeroed as
    // crypt_rn(3) asks; the result is null or points into `data`.
    let text = unsafe {
        let result = crypt(phrase.as_ptr(), setting.as_ptr(), data.as_mut_ptr().cast(), CRYPT_DATA);
        if result.is_null() {
            None
        } else {
            CStr::from_ptr(result).to_str().ok().map(str::to_owned)
        }
    };
    // The work area holds key material derived from the phrase.
    data.fill(0);
    std::hint::black_box(&data);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_of_the_system_agrees_with_a_published_vector() {
        // crypt_blowfish's own test vector.
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(has_libcrypt(), "tests need libcrypt, a part of every glibc system");
        assert_eq!(crypt(b"U*U", hash).as_deref(), Some(hash));
        assert_ne!(crypt(b"U*V", hash).as_deref(), Some(hash));
        assert_eq!(crypt(b"U\0U", hash), None);
    }
}
