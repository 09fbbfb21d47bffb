//! The client's side of a handshake, to look at a server: everything is let pass and written down.
//! Not for connections that carry data.

use super::error::{SetupError, stack};
use super::ffi::{self, client::watch_requests};
use super::inspect::{self, Certificate};
use super::ocsp::{Staple, Subject};
use super::peer::{Peer, name_text, subject_text};
use super::ready::Ready;
use super::settings::CertificateFiles;
use super::trust::{Bundle, system_roots};
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslMethod, SslMode, SslRef, SslSession,
    SslSessionCacheMode, SslStream, SslVerifyMode, StatusType,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// The name or address that the certificate must have; a name is asked for (SNI), too.
    pub name: String,
    /// Trusted CAs; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key, shown when asked for.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Looks at servers under one set of settings.
pub struct Client {
    context: SslContext,
    name: String,
    trusted: Vec<X509>,
    session: Arc<Mutex<Option<SslSession>>>,
}

/// Why a certificate of the chain is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// X509_V_ERR.
    pub number: i32,
    /// 0: the server's own certificate.
    pub depth: u32,
    pub subject: String,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// Nothing came in time.
    Timeout,
    /// The server closed without a word.
    Closed,
    /// The server sent a fatal alert.
    Alert {
        number: u8,
        code: u64,
    },
    /// OpenSSL gave up: its words and its code.
    Library {
        text: String,
        code: u64,
    },
    Io(String),
}

/// What the handshake showed, or as much as there was of it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub peer: Peer,
    /// As sent, the server's own first.
    pub certificates: Vec<Certificate>,
    pub problems: Vec<Problem>,
    pub staple: Option<Result<Staple, String>>,
    /// Did the server ask for a certificate, and which authorities did it name?
    pub certificate_requested: bool,
    pub authorities: Vec<String>,
}

/// A connection that stands.
pub struct Connected<S> {
    stream: SslStream<S>,
    pub shown: Shown,
}

impl Client {
    pub fn new(_: Ready, settings: &ClientSettings) -> Result<Self, SetupError> {
        let library = |step| move |source| SetupError::Library { step, source };
        let mut builder =
            SslContext::builder(SslMethod::tls_client()).map_err(library("a context"))?;
        let mut store = X509StoreBuilder::new().map_err(library("a store"))?;
        let mut trusted = Vec::new();
        match &settings.ca_file {
            Some(path) => {
                trusted = Bundle::load(path)?.certificates().to_vec();
                for certificate in &trusted {
                    store.add_cert(certificate.clone()).map_err(library("a CA"))?;
                }
            }
            None => system_roots(&mut store)?,
        }
        builder.set_cert_store(store.build());
        // What the file lacks is not looked for among the CAs: clients of NATS do not, either.
        builder.set_mode(SslMode::NO_AUTO_CHAIN);
        if let Some((certificate, key)) = &settings.identity {
            let (certificate, key) = (certificate.clone(), key.clone());
            let files = CertificateFiles::Pem { certificate, key };
            let pair = super::credential::load_pair(&files, None)
                .map_err(|reason| SetupError::Pair { index: 0, count: 1, reason })?;
            let [leaf, rest @ ..] = &pair.chain[..] else { return Err(SetupError::NoCa) };
            builder.set_certificate(leaf).map_err(library("the certificate"))?;
            for certificate in rest {
                builder.add_extra_chain_cert(certificate.clone()).map_err(library("the chain"))?;
            }
            builder.set_private_key(&pair.key).map_err(library("the key"))?;
        }
        let session = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&session);
        builder
            .set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        builder.set_new_session_callback(move |_, new| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
        });
        Ok(Self { context: builder.build(), name: settings.name.clone(), trusted, session })
    }

    /// Has a server offered to resume?
    pub fn has_session(&self) -> bool {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// One handshake over `stream`, whose reads may end with a timeout. With `resume` it offers the
    /// last session, once.
    pub fn connect<S: Read + Write>(
        &self,
        stream: S,
        resume: bool,
    ) -> Result<Connected<S>, (ClientError, Box<Shown>)> {
        let problems = Arc::new(Mutex::new(Vec::new()));
        let ssl = self.prepare(resume, &problems);
        let ssl = ssl.map_err(|error| (of_stack(&error), Box::default()))?;
        let outcome = ssl.connect(stream);
        let problems = || problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match outcome {
            Ok(stream) => {
                let shown = self.shown(stream.ssl(), problems());
                Ok(Connected { stream, shown })
            }
            Err(HandshakeError::SetupFailure(error)) => Err((of_stack(&error), Box::default())),
            Err(HandshakeError::WouldBlock(middle)) => {
                Err((ClientError::Timeout, Box::new(self.shown(middle.ssl(), problems()))))
            }
            Err(HandshakeError::Failure(middle)) => {
                let error = of_ssl(middle.error());
                Err((error, Box::new(self.shown(middle.ssl(), problems()))))
            }
        }
    }

    fn prepare(
        &self,
        resume: bool,
        problems: &Arc<Mutex<Vec<Problem>>>,
    ) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        match self.name.parse::<IpAddr>() {
            Ok(address) => ssl.param_mut().set_ip(address)?,
            Err(_) if self.name.is_empty() => {}
            Err(_) => {
                ssl.set_hostname(&self.name)?;
                ssl.param_mut().set_host(&self.name)?;
            }
        }
        ssl.set_status_type(StatusType::OCSP)?;
        let found = Arc::clone(problems);
        // Everything is looked at, and nothing refused.
        ssl.set_verify_callback(SslVerifyMode::NONE, move |good, context| {
            if !good {
                let subject = context.current_cert().map(subject_text).unwrap_or_default();
                let (number, depth) = (context.error().as_raw(), context.error_depth());
                let problem = Problem { number, depth, subject };
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
            true
        });
        watch_requests(&mut ssl);
        if resume {
            let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(session) = session {
                ffi::client::resume(&mut ssl, &session)?;
            }
        }
        Ok(ssl)
    }

    fn shown(&self, ssl: &SslRef, problems: Vec<Problem>) -> Shown {
        let sent: Vec<X509> =
            ssl.peer_cert_chain().into_iter().flatten().map(|c| c.to_owned()).collect();
        let staple = ssl.ocsp_status().filter(|_| !sent.is_empty()).map(|der| {
            let subject = Subject::new(&sent, &self.trusted).map_err(str::to_owned)?;
            subject.check(der, inspect::now()).map_err(|error| error.to_string())
        });
        let authorities = ffi::client::authorities(ssl).into_iter().flatten();
        let shown = Shown {
            peer: Peer::of(ssl, false, false),
            certificates: inspect::describe(&sent).unwrap_or_default(),
            problems,
            staple,
            certificate_requested: ffi::client::certificate_requested(),
            authorities: authorities.map(name_text).collect(),
        };
        drop(ErrorStack::get());
        shown
    }
}

impl<S: Read + Write> Connected<S> {
    /// Reads what comes: a server that refuses a client of TLS 1.3 says so after the handshake, and
    /// sessions come then, too. `Ok(None)`: nothing came before the stream's timeout.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ClientError> {
        match self.stream.ssl_read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match of_ssl(&error) {
                ClientError::Timeout => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Says goodbye; the other end may be gone.
    pub fn close(mut self) {
        let _ = self.stream.shutdown();
        drop(ErrorStack::get());
    }
}

fn of_ssl(error: &openssl::ssl::Error) -> ClientError {
    if let Some(stack) = error.ssl_error() {
        return of_stack(stack);
    }
    match (error.code(), error.io_error()) {
        (ErrorCode::WANT_READ | ErrorCode::WANT_WRITE, _) => ClientError::Timeout,
        (_, Some(io)) if matches!(io.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            ClientError::Timeout
        }
        (_, Some(io)) if io.kind() != ErrorKind::UnexpectedEof => {
            ClientError::Io(super::error::io_text(io))
        }
        _ => ClientError::Closed,
    }
}

fn of_stack(error: &ErrorStack) -> ClientError {
    /// ERR_LIB_SSL, and the first of its reasons that are alerts (openssl/sslerr.h).
    const LIB_SSL: i32 = 20;
    const ALERT: i32 = 1000;
    /// SSL_R_UNEXPECTED_EOF_WHILE_READING
    const EOF: i32 = 294;
    let Some(first) = error.errors().first() else {
        return ClientError::Library { text: stack(error), code: 0 };
    };
    #[allow(clippy::useless_conversion)] // An unsigned long has 32 bits elsewhere.
    let code = u64::from(first.code());
    match (first.library_code(), first.reason_code()) {
        (LIB_SSL, EOF) => ClientError::Closed,
        (LIB_SSL, reason) => match u8::try_from(reason - ALERT) {
            Ok(number) => ClientError::Alert { number, code },
            Err(_) => ClientError::Library { text: stack(error), code },
        },
        _ => ClientError::Library { text: stack(error), code },
    }
}
