//! Who may ask the monitoring endpoints: tokens and users of files, certificates of the handshake.
//!
//! Secrets are compared by their SHA-256, through OpenSSL and in constant time, so that neither
//! content nor length shows. A password that was found good is not derived again before the files are
//! read again: a dashboard asks every second.

use super::Method;
use crate::secret::Secret;
use crate::tls::Ready;
use crate::tls::crypto::digest::Fingerprint;
use crate::tls::crypto::password::{self, Form, HashError};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Shortest token: 16 characters of base64 are 96 bits.
pub const TOKEN_MIN: usize = 16;
/// Longest token or password that is looked at, and most lines of a file.
pub const SECRET_MAX: usize = 1024;
pub const LINES_MAX: usize = 1000;

/// What is wrong with a file, by line from 1; never what stands there.
#[derive(Debug, PartialEq, Eq)]
pub enum FileError {
    Empty { what: &'static str },
    TooLong,
    ShortToken(usize),
    OddToken(usize),
    NoColon(usize),
    PlainPassword(usize),
    Hash(usize, HashError),
    Twice(usize),
    Library,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { what } => write!(f, "there is no {what} in it"),
            Self::TooLong => write!(
                f,
                "more than {LINES_MAX} lines, or one of more than {SECRET_MAX} characters"
            ),
            Self::ShortToken(line) => write!(
                f,
                "line {line}: a token has at least {TOKEN_MIN} characters; 'openssl rand -base64 33' \
                 makes one"
            ),
            Self::OddToken(line) => write!(
                f,
                "line {line}: a token is letters, digits, '-', '.', '_', '~', '+' and '/', and '=' at \
                 the end (RFC 6750)"
            ),
            Self::NoColon(line) => write!(f, "line {line}: expected user:hash"),
            Self::PlainPassword(line) => {
                write!(f, "line {line}: the password is not hashed; 'natssl passwd' makes a hash")
            }
            Self::Hash(line, error) => write!(f, "line {line}: {error}"),
            Self::Twice(line) => write!(f, "line {line}: the user is there already"),
            Self::Library => f.write_str("OpenSSL could not compute a digest"),
        }
    }
}

impl std::error::Error for FileError {}

/// Lines that say something, with their number.
fn lines(text: &str) -> Result<Vec<(usize, &str)>, FileError> {
    let all = text.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    let said: Vec<_> = all.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    let long = said.iter().any(|(_, line)| line.len() > SECRET_MAX);
    if said.len() > LINES_MAX || long { Err(FileError::TooLong) } else { Ok(said) }
}

/// RFC 6750 section 2.1, `b64token`.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/".contains(&c);
    !body.is_empty() && body.bytes().all(allowed)
}

/// Tokens: any of them opens, so that one can be replaced without a gap.
#[derive(Default)]
pub struct Tokens(Vec<Fingerprint>);

impl Tokens {
    pub fn read(ready: Ready, text: &str) -> Result<Self, FileError> {
        let mut tokens = Vec::new();
        for (number, line) in lines(text)? {
            if !is_token(line) {
                return Err(FileError::OddToken(number));
            }
            if line.len() < TOKEN_MIN {
                return Err(FileError::ShortToken(number));
            }
            tokens.push(Fingerprint::of(ready, &[line]).map_err(|_| FileError::Library)?);
        }
        if tokens.is_empty() { Err(FileError::Empty { what: "token" }) } else { Ok(Self(tokens)) }
    }
}

/// Users with hashes of their passwords.
#[derive(Default)]
pub struct Users(Vec<(String, Secret)>);

impl Users {
    pub fn read(text: &str) -> Result<Self, FileError> {
        let mut users: Vec<(String, Secret)> = Vec::new();
        for (number, line) in lines(text)? {
            let (user, hash) = line.split_once(':').ok_or(FileError::NoColon(number))?;
            match password::check_form(hash) {
                Ok(Form::Plain) => return Err(FileError::PlainPassword(number)),
                Ok(Form::Bcrypt | Form::Pbkdf2) => {}
                Err(error) => return Err(FileError::Hash(number, error)),
            }
            if users.iter().any(|(known, _)| known == user) {
                return Err(FileError::Twice(number));
            }
            users.push((user.to_owned(), Secret::from(hash.to_owned())));
        }
        if users.is_empty() { Err(FileError::Empty { what: "user" }) } else { Ok(Self(users)) }
    }
}

/// The rules of one generation.
#[derive(Default)]
pub struct Guard {
    /// A certificate, verified in the handshake.
    certificate: bool,
    /// One of these two, where there is any.
    tokens: Option<Tokens>,
    users: Option<Users>,
    /// Endpoints that ask nobody.
    open: Vec<String>,
    /// User and password, of those that were found good.
    known: Mutex<Vec<Fingerprint>>,
}

/// What a request shows.
pub enum Shown {
    Nothing,
    Token(Secret),
    Password {
        user: String,
        password: Secret,
    },
    /// Something that is neither.
    Odd,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The connection came without a certificate.
    NoCertificate,
    /// Neither token nor password.
    NoCredentials,
    /// They are not known.
    Wrong,
}

impl Refused {
    pub const ALL: [Self; 3] = [Self::NoCertificate, Self::NoCredentials, Self::Wrong];

    /// For counters.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::NoCredentials => "no_credentials",
            Self::Wrong => "wrong_credentials",
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::NoCertificate => "no client certificate",
            Self::NoCredentials => "no credentials",
            Self::Wrong => "wrong token, or wrong user or password",
        }
    }
}

/// What to do with a request.
pub enum Verdict<'a> {
    /// By what it showed; [`Method::Open`]: nobody is asked there.
    Admit(Method),
    Refuse(Refused),
    /// Takes as long as the hash asks for; then [`Guard::remember`].
    Check(Check<'a>),
}

/// A password to be compared.
pub struct Check<'a> {
    pub stored: Secret,
    pub given: Secret,
    /// A user nobody knows costs as much as a wrong password.
    pub user_exists: bool,
    user: &'a str,
}

impl Guard {
    /// `certificate`: clients must have shown one that was verified; `open`: paths that ask nobody.
    pub fn new(
        certificate: bool,
        tokens: Option<Tokens>,
        users: Option<Users>,
        open: Vec<String>,
    ) -> Self {
        Self { certificate, tokens, users, open, known: Mutex::default() }
    }

    /// Do both let the same in?
    pub fn same(a: Option<&Self>, b: Option<&Self>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return a.is_none() == b.is_none() };
        let tokens = match (&a.tokens, &b.tokens) {
            (Some(a), Some(b)) => {
                a.0.len() == b.0.len() && a.0.iter().zip(&b.0).all(|(a, b)| a.matches(b))
            }
            (a, b) => a.is_none() == b.is_none(),
        };
        let users = |guard: &Self| guard.users.as_ref().map(|users| users.0.clone());
        tokens && users(a) == users(b) && (a.certificate, &a.open) == (b.certificate, &b.open)
    }

    pub fn asks_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    pub fn asks_passwords(&self) -> bool {
        self.users.is_some()
    }

    /// `endpoint`: its path; `certified`: the handshake verified a certificate of the client.
    pub fn decide<'a>(
        &self,
        ready: Ready,
        endpoint: &str,
        certified: bool,
        shown: &'a Shown,
    ) -> Verdict<'a> {
        if self.open.iter().any(|open| open == endpoint) {
            return Verdict::Admit(Method::Open);
        }
        if self.certificate && !certified {
            return Verdict::Refuse(Refused::NoCertificate);
        }
        if self.tokens.is_none() && self.users.is_none() {
            return Verdict::Admit(Method::Certificate);
        }
        match (shown, &self.tokens, &self.users) {
            (Shown::Nothing, ..) => Verdict::Refuse(Refused::NoCredentials),
            (Shown::Token(token), Some(tokens), _) => {
                let given = Fingerprint::of(ready, &[token.expose()]);
                // All of them: the time says nothing about which one it is.
                let good = given.is_ok_and(|given| {
                    tokens.0.iter().fold(false, |good, known| good | known.matches(&given))
                });
                if good { Verdict::Admit(Method::Token) } else { Verdict::Refuse(Refused::Wrong) }
            }
            (Shown::Password { user, password }, _, Some(users)) => {
                self.password(ready, users, user, password)
            }
            (Shown::Token(_) | Shown::Password { .. } | Shown::Odd, ..) => {
                Verdict::Refuse(Refused::Wrong)
            }
        }
    }

    fn password<'a>(
        &self,
        ready: Ready,
        users: &Users,
        user: &'a str,
        given: &Secret,
    ) -> Verdict<'a> {
        if let Ok(shown) = Fingerprint::of(ready, &[user, given.expose()]) {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.iter().fold(false, |good, known| good | known.matches(&shown)) {
                return Verdict::Admit(Method::Password);
            }
        }
        let found = users.0.iter().find(|(name, _)| name == user);
        let Some((_, stored)) = found.or(users.0.first()) else {
            return Verdict::Refuse(Refused::Wrong);
        };
        let (stored, given) = (stored.clone(), given.clone());
        Verdict::Check(Check { stored, given, user_exists: found.is_some(), user })
    }

    /// The password of this check was good.
    pub fn remember(&self, ready: Ready, check: &Check<'_>) {
        let Ok(shown) = Fingerprint::of(ready, &[check.user, check.given.expose()]) else { return };
        let users = self.users.as_ref().map_or(0, |users| users.0.len());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A user has one password.
        if known.len() < users && !known.iter().any(|known| known.matches(&shown)) {
            known.push(shown);
        }
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    use super::*;

    fn ready() -> Ready {
        crate::tls::start().unwrap()
    }

    const TOKENS: &str = "# two\n\nabcdefghijklmnop\n  ABCDEFGHIJKLMNOP==\n";

    fn guard() -> Guard {
        let hash = password::hash(ready(), "s3cret", false, 1000).unwrap();
        Guard {
            tokens: Some(Tokens::read(ready(), TOKENS).unwrap()),
            users: Some(Users::read(&format!("prom:{hash}\n")).unwrap()),
            open: vec!["/healthz".to_owned()],
            ..Guard::default()
        }
    }

    fn decide(guard: &Guard, certified: bool, shown: &Shown) -> Result<(), Refused> {
        match guard.decide(ready(), "/varz", certified, shown) {
            Verdict::Admit(_) => Ok(()),
            Verdict::Refuse(refused) => Err(refused),
            Verdict::Check(check) => {
                let good = password::verify(ready(), check.stored.expose(), check.given.expose());
                if good && check.user_exists {
                    guard.remember(ready(), &check);
                    return Ok(());
                }
                Err(Refused::Wrong)
            }
        }
    }

    fn token(text: &str) -> Shown {
        Shown::Token(Secret::from(text.to_owned()))
    }

    fn login(user: &str, password: &str) -> Shown {
        Shown::Password { user: user.to_owned(), password: Secret::from(password.to_owned()) }
    }

    #[test]
    fn tokens_and_passwords_open_and_nothing_else_does() {
        let guard = guard();
        for good in ["abcdefghijklmnop", "ABCDEFGHIJKLMNOP=="] {
            assert_eq!(decide(&guard, false, &token(good)), Ok(()));
        }
        for _ in 0..2 {
            assert_eq!(decide(&guard, false, &login("prom", "s3cret")), Ok(()));
        }
        assert_eq!(guard.known.lock().unwrap().len(), 1);
        assert_eq!(decide(&guard, false, &Shown::Nothing), Err(Refused::NoCredentials));
        for wrong in [
            token("abcdefghijklmnoq"),
            token("abcdefghijklmno"),
            token(""),
            login("prom", "S3cret"),
            login("prom", ""),
            login("", "s3cret"),
            // What is hashed is not the two run together.
            login("proms3", "cret"),
            Shown::Odd,
        ] {
            assert_eq!(decide(&guard, false, &wrong), Err(Refused::Wrong));
        }
        assert!(matches!(
            guard.decide(ready(), "/healthz", false, &Shown::Nothing),
            Verdict::Admit(Method::Open)
        ));
    }

    #[test]
    fn a_certificate_is_asked_for_besides() {
        let both = Guard { certificate: true, ..guard() };
        let good = token("abcdefghijklmnop");
        assert_eq!(decide(&both, false, &good), Err(Refused::NoCertificate));
        assert_eq!(decide(&both, true, &Shown::Nothing), Err(Refused::NoCredentials));
        assert_eq!(decide(&both, true, &good), Ok(()));
        let alone = Guard { certificate: true, ..Guard::default() };
        assert_eq!(decide(&alone, true, &Shown::Nothing), Ok(()));
        assert_eq!(decide(&alone, false, &Shown::Nothing), Err(Refused::NoCertificate));
        // A kind that is not asked for opens nothing.
        let tokens = Guard { users: None, ..guard() };
        assert_eq!(decide(&tokens, true, &login("prom", "s3cret")), Err(Refused::Wrong));
    }

    #[test]
    fn guards_are_the_same_when_they_let_the_same_in() {
        let read = |text| Guard { tokens: Tokens::read(ready(), text).ok(), ..Guard::default() };
        let (a, b) = (read(TOKENS), read("abcdefghijklmnop\nABCDEFGHIJKLMNOP==\n"));
        assert!(Guard::same(Some(&a), Some(&b)) && Guard::same(None, None));
        let fewer = read("abcdefghijklmnop");
        assert!(!Guard::same(Some(&a), Some(&fewer)) && !Guard::same(Some(&a), None));
        let users = |hash: &str| Guard {
            users: Users::read(&format!("a:{hash}")).ok(),
            ..Guard::default()
        };
        let hash = || password::hash(ready(), "x", false, 1000).unwrap();
        assert!(!Guard::same(Some(&users(&hash())), Some(&users(&hash()))));
    }

    #[test]
    fn files_are_checked_and_errors_show_nothing_of_them() {
        let token = |text: &str| Tokens::read(ready(), text).map(|_| ()).unwrap_err();
        assert_eq!(token("# nothing\n"), FileError::Empty { what: "token" });
        assert_eq!(token("\nshort\n"), FileError::ShortToken(2));
        assert_eq!(token("abcdefgh ijklmnopq"), FileError::OddToken(1));
        assert_eq!(token(&"x".repeat(SECRET_MAX + 1)), FileError::TooLong);
        assert_eq!(token(&"abcdefghijklmnop\n".repeat(LINES_MAX + 1)), FileError::TooLong);
        let users = |text: &str| Users::read(text).map(|_| ()).unwrap_err();
        let hash = password::hash(ready(), "x", false, 1000).unwrap();
        assert_eq!(users(""), FileError::Empty { what: "user" });
        assert_eq!(users("prom"), FileError::NoColon(1));
        assert_eq!(users("prom:planted-secret"), FileError::PlainPassword(1));
        assert_eq!(users(&format!("a:{hash}\na:{hash}")), FileError::Twice(2));
        let bad = users("a:$pbkdf2-sha256$planted-secret");
        assert!(matches!(bad, FileError::Hash(1, _)) && !bad.to_string().contains("planted"));
    }
}
