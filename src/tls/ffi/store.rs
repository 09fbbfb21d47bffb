//! The C side of `OSSL_STORE`: keys and certificates by address, from whatever provider has them.

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::X509;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

unsafe extern "C" {
    fn OSSL_STORE_open_ex(
        uri: *const c_char,
        libctx: *mut c_void,
        properties: *const c_char,
        ui: *const c_void,
        ui_data: *mut c_void,
        params: *const c_void,
        post: *const c_void,
        post_data: *mut c_void,
    ) -> *mut c_void;
    fn OSSL_STORE_load(store: *mut c_void) -> *mut c_void;
    fn OSSL_STORE_eof(store: *mut c_void) -> c_int;
    fn OSSL_STORE_close(store: *mut c_void) -> c_int;
    fn OSSL_STORE_LOADER_fetch(
        libctx: *mut c_void,
        scheme: *const c_char,
        properties: *const c_char,
    ) -> *mut c_void;
    fn OSSL_STORE_LOADER_free(loader: *mut c_void);
    fn OSSL_STORE_INFO_get_type(info: *const c_void) -> c_int;
    fn OSSL_STORE_INFO_get1_PKEY(info: *const c_void) -> *mut openssl_sys::EVP_PKEY;
    fn OSSL_STORE_INFO_get1_CERT(info: *const c_void) -> *mut openssl_sys::X509;
    fn OSSL_STORE_INFO_free(info: *mut c_void);
    fn UI_UTIL_wrap_read_pem_callback(callback: Ask, writes: c_int) -> *mut c_void;
    fn UI_destroy_method(method: *mut c_void);
    fn UI_null() -> *const c_void;
    fn UI_set_default_method(method: *const c_void);
    fn EVP_PKEY_get0_provider(
        key: *const openssl_sys::EVP_PKEY,
    ) -> *const openssl_sys::OSSL_PROVIDER;
    fn OSSL_PROVIDER_get0_name(provider: *const openssl_sys::OSSL_PROVIDER) -> *const c_char;
}

type Ask = extern "C" fn(*mut c_char, c_int, c_int, *mut c_void) -> c_int;

/// What an address led to.
#[derive(Default)]
pub struct Found {
    pub keys: Vec<PKey<Private>>,
    pub certificates: Vec<X509>,
    /// A PIN or passphrase was wanted, and none was there.
    pub asked_in_vain: bool,
}

/// What is handed to the callback that gives the PIN.
struct Pin<'a> {
    secret: Option<&'a [u8]>,
    asked: bool,
}

/// A pem_password_cb(3): writes the PIN to `buffer`. Without one it fails, and nobody is asked on a
/// terminal.
extern "C" fn give_pin(buffer: *mut c_char, size: c_int, _: c_int, data: *mut c_void) -> c_int {
    // SAFETY: `load` hands over a `Pin` that outlives the store; nothing else touches it meanwhile.
    let Some(pin) = (unsafe { data.cast::<Pin<'_>>().as_mut() }) else { return -1 };
    pin.asked = true;
    let room = usize::try_from(size).unwrap_or(0);
    let Some(secret) = pin.secret.filter(|secret| secret.len() <= room) else { return -1 };
    // SAFETY: OpenSSL gives room for `size` bytes, and no more are written.
    unsafe { std::ptr::copy_nonoverlapping(secret.as_ptr(), buffer.cast(), secret.len()) };
    c_int::try_from(secret.len()).unwrap_or(-1)
}

/// Lets nobody ask on the terminal, now or later: pkcs11-provider does so where no PIN is given, in
/// the middle of a handshake, too, and waits as long as it takes. UI_null(3).
pub fn never_ask() {
    // SAFETY: the method is a constant of the library's.
    unsafe { UI_set_default_method(UI_null()) }
}

/// Keys and certificates at `uri`. `Err`: no provider opens such an address, or what it says is
/// nothing; OSSL_STORE_open_ex(3), OSSL_STORE_load(3).
pub fn load(uri: &str, secret: Option<&[u8]>) -> Result<Found, ErrorStack> {
    const PKEY: c_int = 4;
    const CERT: c_int = 5;
    let Ok(uri) = CString::new(uri) else { return Err(ErrorStack::get()) };
    let mut pin = Pin { secret, asked: false };
    let mut found = Found::default();
    // SAFETY: every object is checked for null and freed once, in the reverse order of its making;
    // `pin` is alive until the store and the method that refer to it are gone. What is taken out of
    // an INFO by `get1` has a reference of its own, which the Rust object frees.
    unsafe {
        let method = UI_UTIL_wrap_read_pem_callback(give_pin, 0);
        if method.is_null() {
            return Err(ErrorStack::get());
        }
        let data = (&raw mut pin).cast::<c_void>();
        let none = std::ptr::null();
        let store = OSSL_STORE_open_ex(
            uri.as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null(),
            method,
            data,
            none,
            none,
            std::ptr::null_mut(),
        );
        if store.is_null() {
            UI_destroy_method(method);
            return Err(ErrorStack::get());
        }
        while OSSL_STORE_eof(store) == 0 {
            let info = OSSL_STORE_load(store);
            if info.is_null() {
                // An object that cannot be read, or the end.
                if OSSL_STORE_eof(store) != 0 || found.keys.len() + found.certificates.len() > 0 {
                    break;
                }
                OSSL_STORE_close(store);
                UI_destroy_method(method);
                let error = ErrorStack::get();
                found.asked_in_vain = pin.asked && pin.secret.is_none();
                return if found.asked_in_vain { Ok(found) } else { Err(error) };
            }
            match OSSL_STORE_INFO_get_type(info) {
                PKEY => {
                    let key = OSSL_STORE_INFO_get1_PKEY(info);
                    if !key.is_null() {
                        found.keys.push(PKey::from_ptr(key));
                    }
                }
                CERT => {
                    let certificate = OSSL_STORE_INFO_get1_CERT(info);
                    if !certificate.is_null() {
                        found.certificates.push(X509::from_ptr(certificate));
                    }
                }
                _ => {}
            }
            OSSL_STORE_INFO_free(info);
        }
        OSSL_STORE_close(store);
        UI_destroy_method(method);
    }
    found.asked_in_vain = pin.asked && pin.secret.is_none();
    // What one of several providers could not do is no error of this thread's next operation.
    drop(ErrorStack::get());
    Ok(found)
}

/// Does an active provider open addresses of this scheme? OSSL_STORE_LOADER_fetch(3).
pub fn is_offered(scheme: &str) -> bool {
    let Ok(scheme) = CString::new(scheme) else { return false };
    // SAFETY: null is the default library context, and the loader is freed once.
    let loader = unsafe {
        let none = std::ptr::null_mut();
        let loader = OSSL_STORE_LOADER_fetch(none, scheme.as_ptr(), std::ptr::null());
        if !loader.is_null() {
            OSSL_STORE_LOADER_free(loader);
        }
        loader
    };
    drop(ErrorStack::get());
    !loader.is_null()
}

/// The name of the provider that holds this key and computes with it; EVP_PKEY_get0_provider(3).
pub fn provider_of(key: &PKeyRef<Private>) -> Option<String> {
    use foreign_types::ForeignTypeRef;
    // SAFETY: both calls only look at a live object; the name is the provider's own C string.
    unsafe {
        let provider = EVP_PKEY_get0_provider(key.as_ptr());
        if provider.is_null() {
            return None;
        }
        let name = OSSL_PROVIDER_get0_name(provider);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}
