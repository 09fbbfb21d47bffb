//! Answers, and JSON as Go prints it.

use super::metrics::Format;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// What an endpoint answers.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub kind: Kind,
    /// Besides those of the kind.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// May be read by pages of other origins, as nats-server's.
    Json,
    /// Of `/debug/vars`.
    JsonUtf8,
    Text,
    /// As [`Kind::Text`], with a header that tells browsers to believe it.
    PlainText,
    Html,
    Metrics(Format),
}

impl Reply {
    /// Indented by two.
    pub fn pretty(value: &impl Serialize) -> Self {
        Self::json(indented(value, b"  "))
    }

    /// Indented by three, as nats-server does for some.
    pub fn wide(value: &impl Serialize) -> Self {
        Self::json(indented(value, b"   "))
    }

    pub fn json(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, kind: Kind::Json, headers: Vec::new(), body }
    }

    pub fn text(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind: Kind::Text, headers: Vec::new(), body: body.into() }
    }

    pub fn bad_request(body: impl Into<Vec<u8>>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, body)
    }

    pub fn not_found() -> Self {
        let (status, body) = (StatusCode::NOT_FOUND, b"404 page not found\n".to_vec());
        Self { status, kind: Kind::PlainText, headers: Vec::new(), body }
    }

    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// `permit` is given back when the body is written or thrown away.
    pub fn into_response(self, permit: Option<OwnedSemaphorePermit>) -> Response<Full<Bytes>> {
        let kind = match self.kind {
            // COMPAT: what Go takes for no text.
            Kind::Text if self.body.iter().any(is_binary) => "application/octet-stream",
            kind => kind.name(),
        };
        let body = match permit {
            None => Bytes::from(self.body),
            Some(permit) => Bytes::from_owner(Held { body: self.body, _permit: permit }),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        match self.kind {
            Kind::Json => {
                let any = HeaderValue::from_static("*");
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
            Kind::PlainText => {
                let no_sniff = HeaderValue::from_static("nosniff");
                headers.insert(header::X_CONTENT_TYPE_OPTIONS, no_sniff);
            }
            Kind::JsonUtf8 | Kind::Text | Kind::Html | Kind::Metrics(_) => {}
        }
        response
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonUtf8 => "application/json; charset=utf-8",
            Self::Text | Self::PlainText => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Metrics(format) => format.content_type(),
        }
    }
}

fn is_binary(byte: &u8) -> bool {
    matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31)
}

struct Held {
    body: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn indented(value: &impl Serialize, indent: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    // Nothing here has keys that are no strings, and memory takes everything.
    let _ = value.serialize(&mut serializer);
    out
}

/// A number Go would print without a fraction is printed without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Float(pub f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

pub fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// `5s`, `1m3s`, `1h2m3s`, `1d2h3m4s`, `1y2d3h4m5s`.
pub fn uptime(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let years = days / 365;
    let (s, m, h, d) = (seconds % 60, minutes % 60, hours % 24, days % 365);
    match (years, days, hours, minutes) {
        (0, 0, 0, 0) => format!("{s}s"),
        (0, 0, 0, _) => format!("{m}m{s}s"),
        (0, 0, ..) => format!("{h}h{m}m{s}s"),
        (0, ..) => format!("{d}d{h}h{m}m{s}s"),
        _ => format!("{years}y{d}d{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_texts() {
        for (seconds, want) in [
            (5, "5s"),
            (63, "1m3s"),
            (3723, "1h2m3s"),
            (93_784, "1d2h3m4s"),
            (365 * 86_400 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5, "1y2d3h4m5s"),
        ] {
            assert_eq!(uptime(Duration::from_secs(seconds)), want);
        }
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        let text = |number| serde_json::to_string(&Float(number)).unwrap();
        assert_eq!((text(0.0), text(2.0)), ("0".to_owned(), "2".to_owned()));
        assert_eq!(text(0.25), "0.25");
    }
}
