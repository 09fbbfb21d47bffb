//! HMAC-SHA-256 with a key that is set once. EVP_MAC(3).

use openssl::error::ErrorStack;
use std::ffi::{c_char, c_int};
use std::ptr::{self, NonNull};

unsafe extern "C" {
    fn OSSL_PARAM_construct_utf8_string(
        key: *const c_char,
        buf: *mut c_char,
        bsize: usize,
    ) -> openssl_sys::OSSL_PARAM;
}

/// Octets of SHA-256.
const SIZE: usize = 32;

/// Holds a key, as the provider keeps it.
pub struct Hmac(Context);

struct Context(NonNull<openssl_sys::EVP_MAC_CTX>);

// SAFETY: the object belongs to nobody else and to no thread; it may go to another one.
unsafe impl Send for Context {}

impl Context {
    fn of(raw: *mut openssl_sys::EVP_MAC_CTX) -> Result<Self, ErrorStack> {
        NonNull::new(raw).map(Self).ok_or_else(ErrorStack::get)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by this library, and freed once.
        unsafe { openssl_sys::EVP_MAC_CTX_free(self.0.as_ptr()) };
    }
}

fn good(result: c_int) -> Result<(), ErrorStack> {
    if result == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

impl Hmac {
    pub fn new(key: &[u8]) -> Result<Self, ErrorStack> {
        // SAFETY: names that end with NUL; the context keeps its own reference to the algorithm. The
        // parameters point to the digest's name, which is static and only read, and are copied.
        unsafe {
            let hmac = openssl_sys::EVP_MAC_fetch(ptr::null_mut(), c"HMAC".as_ptr(), ptr::null());
            if hmac.is_null() {
                return Err(ErrorStack::get());
            }
            let context = Context::of(openssl_sys::EVP_MAC_CTX_new(hmac));
            openssl_sys::EVP_MAC_free(hmac);
            let context = context?;
            let parameters = [
                OSSL_PARAM_construct_utf8_string(
                    c"digest".as_ptr(),
                    c"SHA256".as_ptr().cast_mut(),
                    0,
                ),
                openssl_sys::OSSL_PARAM_construct_end(),
            ];
            good(openssl_sys::EVP_MAC_init(
                context.0.as_ptr(),
                key.as_ptr(),
                key.len(),
                parameters.as_ptr(),
            ))?;
            Ok(Self(context))
        }
    }

    pub fn of(&self, data: &[u8]) -> Result<[u8; SIZE], ErrorStack> {
        let (mut out, mut length) = ([0; SIZE], 0);
        // SAFETY: the copy of a live context, which has its key; buffers with their lengths.
        unsafe {
            let context = Context::of(openssl_sys::EVP_MAC_CTX_dup(self.0.0.as_ptr()))?;
            let raw = context.0.as_ptr();
            good(openssl_sys::EVP_MAC_update(raw, data.as_ptr(), data.len()))?;
            good(openssl_sys::EVP_MAC_final(raw, out.as_mut_ptr(), &raw mut length, SIZE))?;
        }
        if length == SIZE { Ok(out) } else { Err(ErrorStack::get()) }
    }
}
