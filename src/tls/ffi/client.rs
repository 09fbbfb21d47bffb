//! What a client is asked for in a handshake.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{SslRef, SslSessionRef};
use openssl::stack::StackRef;
use openssl::x509::X509Name;
use std::cell::Cell;
use std::ffi::{c_int, c_void};

type CertificateCallback = extern "C" fn(*mut openssl_sys::SSL, *mut c_void) -> c_int;

unsafe extern "C" {
    fn SSL_set_cert_cb(
        ssl: *mut openssl_sys::SSL,
        callback: CertificateCallback,
        argument: *mut c_void,
    );
    fn SSL_get0_peer_CA_list(
        ssl: *const openssl_sys::SSL,
    ) -> *const openssl_sys::stack_st_X509_NAME;
}

thread_local! {
    /// Did the server of this thread's handshake ask for a certificate?
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

extern "C" fn asked(_: *mut openssl_sys::SSL, _: *mut c_void) -> c_int {
    ASKED.set(true);
    // Go on, with the certificate that is set or with none.
    1
}

/// From now on [`certificate_requested`] tells of this connection, whose handshake this thread does.
/// SSL_set_cert_cb(3).
pub fn watch_requests(ssl: &mut SslRef) {
    ASKED.set(false);
    // SAFETY: a live object; the callback is a plain function that takes no argument.
    unsafe { SSL_set_cert_cb(ssl.as_ptr(), asked, std::ptr::null_mut()) };
}

pub fn certificate_requested() -> bool {
    ASKED.get()
}

/// The authorities the server named when it asked. SSL_get0_peer_CA_list(3).
pub fn authorities(ssl: &SslRef) -> Option<&StackRef<X509Name>> {
    // SAFETY: a live object; the list belongs to it and lives as long.
    unsafe {
        let list = SSL_get0_peer_CA_list(ssl.as_ptr());
        (!list.is_null()).then(|| StackRef::from_ptr(list.cast_mut()))
    }
}

/// Offers a session that this connection's context was given. SSL_set_session(3).
pub fn resume(ssl: &mut SslRef, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the caller keeps sessions beside the context they came from and uses them there only,
    // which is what the function asks for.
    unsafe { ssl.set_session(session) }
}
