//! One question to one responder over HTTP (RFC 6960 appendix A).

use crate::tls::ocsp::{ANSWER_MAX, OcspError};
use base64::Engine;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How often a responder may send the question elsewhere.
const REDIRECTS: usize = 3;

/// What happened instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// More octets than any answer has.
    TooLong,
    /// On the way there or back.
    Way(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => OcspError::TooLong.fmt(f),
            Self::Way(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for FetchError {}

impl From<String> for FetchError {
    fn from(text: String) -> Self {
        Self::Way(text)
    }
}

type Fetched = Result<Vec<u8>, FetchError>;

/// By POST. `time` is from looking up the name to the last octet of the answer.
pub async fn post(url: &str, request: &[u8], time: Duration) -> Fetched {
    let url = url.strip_suffix('/').unwrap_or(url);
    let length = request.len();
    let status = |code| format!("non-ok http status on POST request (reqlen={length}): {code}");
    once(Method::POST, url, request, time, status).await
}

/// By GET, as nats-server does for a staple.
pub async fn get(url: &str, request: &[u8], time: Duration) -> Fetched {
    let (path, length) = path(url, request);
    let status = |code| format!("non-ok http status on GET request (reqlen={length}): {code}");
    once(Method::GET, &path, &[], time, status).await
}

/// By GET, as nats-server does for a peer.
pub async fn get_for_peer(url: &str, request: &[u8], time: Duration) -> Fetched {
    let status = |code| format!("bad OCSP responder http status: [{code}]");
    once(Method::GET, &path(url, request).0, &[], time, status).await
}

/// The address of a question, and the length of its base64. What has a meaning in addresses is
/// escaped.
fn path(url: &str, request: &[u8]) -> (String, usize) {
    let text = base64::engine::general_purpose::STANDARD.encode(request);
    let escaped = text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    (format!("{}/{escaped}", url.strip_suffix('/').unwrap_or(url)), text.len())
}

async fn once(
    method: Method,
    url: &str,
    body: &[u8],
    time: Duration,
    status: impl Fn(u16) -> String,
) -> Fetched {
    let name = method.as_str().to_owned();
    match tokio::time::timeout(time, exchange(method, url, body, status)).await {
        Ok(Err(FetchError::Way(error))) => Err(format!("{error} ({name} {url})").into()),
        Ok(result) => result,
        Err(_) => {
            let time = crate::options::go_duration(time);
            Err(format!("no answer within {time} ({name} {url})").into())
        }
    }
}

/// Ends the task of a connection when nobody waits for it any more.
struct Connection(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exchange(
    method: Method,
    url: &str,
    body: &[u8],
    status: impl Fn(u16) -> String,
) -> Fetched {
    let mut url: Uri = url.parse().map_err(|error| format!("no address of HTTP: {error}"))?;
    for _ in 0..=REDIRECTS {
        let (response, _connection) = send(&method, &url, body).await?;
        let code = response.status();
        match elsewhere(&method, &url, &response) {
            Some(next) => url = next,
            None if code.as_u16() != 200 => return Err(status(code.as_u16()).into()),
            None => {
                let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
                let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                    true => FetchError::TooLong,
                    false => format!("the answer cannot be read: {error}").into(),
                })?;
                return Ok(body.to_bytes().to_vec());
            }
        }
    }
    Err(format!("the question was sent elsewhere more than {REDIRECTS} times").into())
}

/// Where a response sends the question. A POST keeps its body only with 307 and 308 (RFC 9110
/// section 15.4), and without it is none.
fn elsewhere(method: &Method, url: &Uri, response: &Response<Incoming>) -> Option<Uri> {
    let keeps = match response.status().as_u16() {
        307 | 308 => true,
        301..=303 => method == Method::GET,
        _ => false,
    };
    let place = response.headers().get(LOCATION).filter(|_| keeps)?.to_str().ok()?;
    if place.starts_with('/') && !place.starts_with("//") {
        return format!("http://{}{place}", url.authority()?).parse().ok();
    }
    place.parse().ok()
}

async fn send(
    method: &Method,
    url: &Uri,
    body: &[u8],
) -> Result<(Response<Incoming>, Connection), String> {
    if url.scheme_str() != Some("http") {
        return Err("only http:// responders are asked: their answers are signed".to_owned());
    }
    let host = url.host().ok_or("no host in the address")?;
    let target = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let tcp = TcpStream::connect(target).await.map_err(|error| text(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.map_err(|e| text(&e))?;
    let connection = Connection(tokio::spawn(connection));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, url.authority().map_or(host, |authority| authority.as_str()))
        .header(ACCEPT, "application/ocsp-response");
    if method == Method::POST {
        request = request.header(CONTENT_TYPE, "application/ocsp-request");
    }
    let request = request.body(Full::new(Bytes::from(body.to_vec()))).map_err(|e| text(&e))?;
    let response = sender.send_request(request).await.map_err(|error| text(&error))?;
    Ok((response, connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_in_an_address_is_escaped() {
        let (path, length) = path("http://a/ocsp/", &[0xfb, 0xff, 0xfe, 0]);
        assert_eq!(path, "http://a/ocsp/%2B%2F%2F%2BAA%3D%3D");
        assert_eq!(length, 8);
    }
}
