//! The C side of the FIPS activation and proof: configuration, providers, fetches.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslContextRef};
use openssl_sys::{OSSL_PARAM, OSSL_PROVIDER, SSL_CTX, SSL_METHOD};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

type Fetch = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void;
type ProviderOf = unsafe extern "C" fn(*const c_void) -> *const OSSL_PROVIDER;
type Free = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
    fn OPENSSL_load_builtin_modules();
    fn OPENSSL_info(kind: c_int) -> *const c_char;
    fn NCONF_new(method: *mut c_void) -> *mut c_void;
    fn NCONF_free(conf: *mut c_void);
    fn NCONF_load_bio(conf: *mut c_void, bio: *mut openssl_sys::BIO, line: *mut c_long) -> c_int;
    fn CONF_modules_load(conf: *const c_void, name: *const c_char, flags: u64) -> c_int;
    fn OSSL_PROVIDER_do_all(
        context: *mut c_void,
        call: unsafe extern "C" fn(*mut OSSL_PROVIDER, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn OSSL_PROVIDER_get0_name(provider: *const OSSL_PROVIDER) -> *const c_char;
    fn OSSL_PROVIDER_get_params(provider: *const OSSL_PROVIDER, params: *mut OSSL_PARAM) -> c_int;
    fn OSSL_PROVIDER_self_test(provider: *const OSSL_PROVIDER) -> c_int;
    fn OSSL_PARAM_construct_utf8_ptr(
        key: *const c_char,
        buffer: *mut *mut c_char,
        size: usize,
    ) -> OSSL_PARAM;
    fn OSSL_PARAM_construct_int(key: *const c_char, buffer: *mut c_int) -> OSSL_PARAM;
    fn OSSL_PARAM_construct_end() -> OSSL_PARAM;
    fn OSSL_PARAM_modified(param: *const OSSL_PARAM) -> c_int;
    fn SSL_CTX_new_ex(
        context: *mut c_void,
        properties: *const c_char,
        method: *const SSL_METHOD,
    ) -> *mut SSL_CTX;
    fn EVP_MD_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_MD_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_MD_free(it: *mut c_void);
    fn EVP_CIPHER_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_CIPHER_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_CIPHER_free(it: *mut c_void);
    fn EVP_MAC_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_MAC_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_MAC_free(it: *mut c_void);
    fn EVP_KDF_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_KDF_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_KDF_free(it: *mut c_void);
    fn EVP_RAND_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_RAND_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_RAND_free(it: *mut c_void);
    fn EVP_KEYMGMT_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_KEYMGMT_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_KEYMGMT_free(it: *mut c_void);
    fn EVP_KEYEXCH_fetch(c: *mut c_void, name: *const c_char, query: *const c_char) -> *mut c_void;
    fn EVP_KEYEXCH_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_KEYEXCH_free(it: *mut c_void);
    fn EVP_SIGNATURE_fetch(c: *mut c_void, name: *const c_char, q: *const c_char) -> *mut c_void;
    fn EVP_SIGNATURE_get0_provider(it: *const c_void) -> *const OSSL_PROVIDER;
    fn EVP_SIGNATURE_free(it: *mut c_void);
}

/// Kinds of algorithms a provider implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Digest,
    Cipher,
    Mac,
    Kdf,
    Rand,
    Key,
    KeyExchange,
    Signature,
}

impl Kind {
    pub fn text(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Cipher => "cipher",
            Self::Mac => "MAC",
            Self::Kdf => "KDF",
            Self::Rand => "generator",
            Self::Key => "keys",
            Self::KeyExchange => "key exchange",
            Self::Signature => "signature",
        }
    }
}

/// Name of the provider that would serve this algorithm under the default properties; `None`:
/// nobody. EVP_MD_fetch(3) and its kin.
pub fn provider_of(kind: Kind, algorithm: &CStr) -> Option<String> {
    let (fetch, provider_of, free): (Fetch, ProviderOf, Free) = match kind {
        Kind::Digest => (EVP_MD_fetch, EVP_MD_get0_provider, EVP_MD_free),
        Kind::Cipher => (EVP_CIPHER_fetch, EVP_CIPHER_get0_provider, EVP_CIPHER_free),
        Kind::Mac => (EVP_MAC_fetch, EVP_MAC_get0_provider, EVP_MAC_free),
        Kind::Kdf => (EVP_KDF_fetch, EVP_KDF_get0_provider, EVP_KDF_free),
        Kind::Rand => (EVP_RAND_fetch, EVP_RAND_get0_provider, EVP_RAND_free),
        Kind::Key => (EVP_KEYMGMT_fetch, EVP_KEYMGMT_get0_provider, EVP_KEYMGMT_free),
        Kind::KeyExchange => (EVP_KEYEXCH_fetch, EVP_KEYEXCH_get0_provider, EVP_KEYEXCH_free),
        Kind::Signature => (EVP_SIGNATURE_fetch, EVP_SIGNATURE_get0_provider, EVP_SIGNATURE_free),
    };
    // SAFETY: null is the default library context, a null query leaves the default properties; the
    // fetched object is freed once, after its provider's name was copied.
    let name = unsafe {
        let object = fetch(std::ptr::null_mut(), algorithm.as_ptr(), std::ptr::null());
        if object.is_null() {
            None
        } else {
            let name = text(OSSL_PROVIDER_get0_name(provider_of(object)));
            free(object);
            Some(name)
        }
    };
    let _ = ErrorStack::get();
    name
}

/// Where the library looks when nobody tells it otherwise. OPENSSL_info(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    Configuration,
    Engines,
    Modules,
}

pub fn folder(which: Folder) -> String {
    let kind = match which {
        Folder::Configuration => 1001,
        Folder::Engines => 1002,
        Folder::Modules => 1003,
    };
    // SAFETY: any number is allowed; the result is null or a constant string.
    unsafe { text(OPENSSL_info(kind)) }
}

/// What [`init`] does with the system's configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    Read,
    Ignore,
}

/// Initialises libcrypto; must be the first call. Unlike [`openssl::init`] it says whether the
/// configuration could be read, and what OpenSSL noted meanwhile. OPENSSL_init_crypto(3).
pub fn init(configuration: Configuration) -> (bool, ErrorStack) {
    let option = match configuration {
        Configuration::Read => 0x40,
        Configuration::Ignore => 0x80,
    };
    // SAFETY: no settings; the call may come at any time.
    let done = unsafe { OPENSSL_init_crypto(option, std::ptr::null()) } == 1;
    (done, ErrorStack::get())
}

/// Runs a configuration text as if it stood in the configuration file: sections are found from
/// `openssl_conf`. Returns what OpenSSL noted; whether it had its effect, the caller has to ask.
/// NCONF_load_bio(3), CONF_modules_load(3).
pub fn configure(configuration: &str) -> ErrorStack {
    let length = c_int::try_from(configuration.len()).unwrap_or(c_int::MAX);
    // SAFETY: the BIO reads `configuration`, which outlives it; both objects are freed once and
    // not used afterwards; null means the default method, name and library context.
    unsafe {
        OPENSSL_load_builtin_modules();
        let bio = openssl_sys::BIO_new_mem_buf(configuration.as_ptr().cast(), length);
        let conf = NCONF_new(std::ptr::null_mut());
        if !bio.is_null() && !conf.is_null() && NCONF_load_bio(conf, bio, std::ptr::null_mut()) > 0
        {
            CONF_modules_load(conf, std::ptr::null(), 0);
        }
        NCONF_free(conf);
        openssl_sys::BIO_free_all(bio);
    }
    ErrorStack::get()
}

/// Makes `fips=yes` the default property of every fetch. EVP_default_properties_enable_fips(3).
pub fn require_fips_property() -> bool {
    // SAFETY: null is the default library context.
    unsafe { openssl_sys::EVP_default_properties_enable_fips(std::ptr::null_mut(), 1) == 1 }
}

/// Loads a provider for as long as the process lives: the handle is never given back, because a
/// provider without one is deactivated. No other provider is fallen back to. OSSL_PROVIDER_load(3).
pub fn load_provider_for_ever(name: &CStr) -> Result<(), ErrorStack> {
    // SAFETY: null is the default library context.
    let provider = unsafe { openssl_sys::OSSL_PROVIDER_load(std::ptr::null_mut(), name.as_ptr()) };
    if provider.is_null() { Err(ErrorStack::get()) } else { Ok(()) }
}

/// What an active provider says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProviderFacts {
    /// As configured, such as `fips`.
    pub name: String,
    /// Its own name, such as `OpenSSL FIPS Provider`.
    pub label: String,
    pub version: String,
    pub build: String,
    /// It works; false in its error state.
    pub status: bool,
    /// Switches of the module that it lets read back, with their values.
    pub switches: Vec<(&'static str, i32)>,
}

/// Switches of FIPS providers, fips_module(7) and fips_config(5).
const SWITCHES: [&CStr; 8] = [
    c"security-checks",
    c"tls1-prf-ems-check",
    c"drbg-no-trunc-md",
    c"rsa-pkcs15-pad-disabled",
    c"signature-digest-check",
    c"hmac-key-check",
    c"rsa-pss-saltlen-check",
    c"ecdh-cofactor-check",
];

/// Every active provider. Call it only after a provider was activated: before, it would activate
/// the default one for good. OSSL_PROVIDER_do_all(3).
pub fn providers() -> Vec<ProviderFacts> {
    unsafe extern "C" fn one(provider: *mut OSSL_PROVIDER, found: *mut c_void) -> c_int {
        // SAFETY: `found` is the vector below, alive and not otherwise borrowed during the call.
        let found = unsafe { &mut *found.cast::<Vec<ProviderFacts>>() };
        found.push(facts(provider));
        1
    }
    let mut found: Vec<ProviderFacts> = Vec::new();
    // SAFETY: `one` runs within this call only and does not unwind: `facts` copies text.
    unsafe {
        OSSL_PROVIDER_do_all(std::ptr::null_mut(), one, std::ptr::from_mut(&mut found).cast());
    }
    let _ = ErrorStack::get();
    found
}

fn facts(provider: *mut OSSL_PROVIDER) -> ProviderFacts {
    let string = |key: &CStr| {
        let mut value: *mut c_char = std::ptr::null_mut();
        // SAFETY: the parameters live through the call; the provider stores a pointer to a string
        // of its own, valid while it is loaded, which is copied at once.
        unsafe {
            let mut params = [
                OSSL_PARAM_construct_utf8_ptr(key.as_ptr(), &raw mut value, 0),
                OSSL_PARAM_construct_end(),
            ];
            OSSL_PROVIDER_get_params(provider, params.as_mut_ptr());
            text(value)
        }
    };
    let number = |key: &CStr| {
        let mut value: c_int = -1;
        // SAFETY: as above, with a number instead of a pointer.
        unsafe {
            let mut params = [
                OSSL_PARAM_construct_int(key.as_ptr(), &raw mut value),
                OSSL_PARAM_construct_end(),
            ];
            let asked = OSSL_PROVIDER_get_params(provider, params.as_mut_ptr());
            (asked == 1 && OSSL_PARAM_modified(params.as_ptr()) == 1).then_some(value)
        }
    };
    let switch = |key: &'static CStr| Some((key.to_str().ok()?, number(key)?));
    // SAFETY: the provider is alive for the call that handed it out.
    let name = unsafe { text(OSSL_PROVIDER_get0_name(provider)) };
    ProviderFacts {
        label: string(c"name"),
        version: string(c"version"),
        build: string(c"buildinfo"),
        status: number(c"status") == Some(1),
        switches: SWITCHES.iter().copied().filter_map(switch).collect(),
        name,
    }
}

/// Runs the self-tests of the provider again. OSSL_PROVIDER_self_test(3).
pub fn self_test(name: &CStr) -> Result<(), ErrorStack> {
    // SAFETY: null is the default library context; the handle is given back once. Loading an
    // active provider only counts a reference.
    let passed = unsafe {
        let provider = openssl_sys::OSSL_PROVIDER_try_load(std::ptr::null_mut(), name.as_ptr(), 1);
        if provider.is_null() {
            false
        } else {
            SELF_TESTING.set(true);
            let passed = OSSL_PROVIDER_self_test(provider) == 1;
            SELF_TESTING.set(false);
            openssl_sys::OSSL_PROVIDER_unload(provider);
            passed
        }
    };
    if passed { Ok(()) } else { Err(ErrorStack::get()) }
}

/// A server context whose algorithms are fetched with `fips=yes` whatever the default properties
/// become. SSL_CTX_new_ex(3).
pub fn fips_context() -> Result<SslContextBuilder, ErrorStack> {
    // SAFETY: the builder takes the only reference to a new context.
    unsafe {
        let context = SSL_CTX_new_ex(
            std::ptr::null_mut(),
            c"fips=yes".as_ptr(),
            openssl::ssl::SslMethod::tls().as_ptr(),
        );
        if context.is_null() {
            return Err(ErrorStack::get());
        }
        Ok(SslContextBuilder::from_ptr(context))
    }
}

/// Security level of a context as the system left it, 0 to 5. SSL_CTX_get_security_level(3).
pub fn security_level(builder: &SslContextBuilder) -> u32 {
    // SAFETY: a live context, which is only read.
    let level = unsafe { openssl_sys::SSL_CTX_get_security_level(builder.as_ptr()) };
    u32::try_from(level).unwrap_or(0)
}

/// Lowest version a built context speaks, `0x0303` for TLS 1.2. SSL_CTX_get_min_proto_version(3).
pub fn lowest_version(context: &SslContextRef) -> c_long {
    const SSL_CTRL_GET_MIN_PROTO_VERSION: c_int = 130;
    // SAFETY: a control without arguments on a live object.
    unsafe {
        openssl_sys::SSL_CTX_ctrl(
            context.as_ptr(),
            SSL_CTRL_GET_MIN_PROTO_VERSION,
            0,
            std::ptr::null_mut(),
        )
    }
}

type Indicator = unsafe extern "C" fn(*const c_char, *const c_char, *const OSSL_PARAM) -> c_int;

/// Unapproved uses the module reported and that were denied.
static DENIED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The self-tests of 3.5 use PBKDF2 with few iterations: denied that, the module would go into
    /// its error state for good.
    static SELF_TESTING: Cell<bool> = const { Cell::new(false) };
}

/// Makes the module fail whatever it would tolerate and calls unapproved.
/// OSSL_INDICATOR_set_callback(3), in OpenSSL 3.4 and later; `false` where the library lacks it.
pub fn deny_unapproved() -> bool {
    unsafe extern "C" fn deny(_: *const c_char, _: *const c_char, _: *const OSSL_PARAM) -> c_int {
        if SELF_TESTING.get() {
            return 1;
        }
        DENIED.fetch_add(1, Ordering::Relaxed);
        0
    }
    // SAFETY: the symbol, where it exists, has this documented type; `deny` lives for ever, does
    // not unwind and touches an atomic and a thread-local number only.
    unsafe {
        let symbol = libc::dlsym(libc::RTLD_DEFAULT, c"OSSL_INDICATOR_set_callback".as_ptr());
        if symbol.is_null() {
            return false;
        }
        let set = std::mem::transmute::<
            *mut c_void,
            unsafe extern "C" fn(*mut c_void, Option<Indicator>),
        >(symbol);
        set(std::ptr::null_mut(), Some(deny));
    }
    true
}

/// How often [`deny_unapproved`] denied.
pub fn denied() -> u64 {
    DENIED.load(Ordering::Relaxed)
}

/// Takes variables out of the environment, so that neither the library nor the module sees them.
/// Returns those that were there. Only for the first statement of `main`.
pub fn forget_variables(names: &[&'static str]) -> Vec<&'static str> {
    let present = |name: &&&'static str| std::env::var_os(name).is_some();
    let present: Vec<_> = names.iter().filter(present).copied().collect();
    for name in &present {
        // SAFETY: nothing else runs yet: this is called before the first thread is made.
        unsafe { std::env::remove_var(name) }
    }
    present
}

/// A constant name as C has it.
pub fn c_name(name: &str) -> CString {
    CString::new(name.replace('\0', "")).unwrap_or_default()
}

/// # Safety
/// `pointer` is null or a string that ends in NUL and lives through the call.
// SAFETY: as the callers above ensure.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
