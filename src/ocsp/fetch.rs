//! One question to one responder, by POST and, where that fails, by GET (RFC 6960 appendix A).

use crate::tls::ocsp::ANSWER_MAX;
use base64::Engine;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// For one request, from looking up the name to the last octet of the answer.
const TIME: Duration = Duration::from_secs(10);

/// The answer to `request` of the responder at `url`. The error is nats-server's, both attempts of
/// it in a line each.
pub async fn ask(url: &str, request: &[u8]) -> Result<Vec<u8>, String> {
    let url = url.strip_suffix('/').unwrap_or(url);
    let post = match once(Method::POST, url, request.to_vec(), request.len()).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    // COMPAT: standard base64, not escaped for the URL.
    let text = base64::engine::general_purpose::STANDARD.encode(request);
    let get = once(Method::GET, &format!("{url}/{text}"), Vec::new(), text.len()).await;
    get.map_err(|get| format!("{post}\n{get}"))
}

async fn once(method: Method, url: &str, body: Vec<u8>, length: usize) -> Result<Vec<u8>, String> {
    let name = method.as_str().to_owned();
    match tokio::time::timeout(TIME, exchange(method, url, body, length)).await {
        Ok(result) => result.map_err(|error| format!("{error} ({name} {url})")),
        Err(_) => Err(format!("no answer within {} seconds ({name} {url})", TIME.as_secs())),
    }
}

async fn exchange(
    method: Method,
    url: &str,
    body: Vec<u8>,
    length: usize,
) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|error| format!("no address of HTTP: {error}"))?;
    if uri.scheme_str() != Some("http") {
        return Err("only http:// responders are asked: their answers are signed".to_owned());
    }
    let host = uri.host().ok_or("no host in the address")?;
    let port = uri.port_u16().unwrap_or(80);
    let target = (host.trim_matches(['[', ']']), port);
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let tcp = TcpStream::connect(target).await.map_err(|error| text(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.map_err(|e| text(&e))?;
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let name = method.as_str().to_owned();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, uri.authority().map_or(host, |authority| authority.as_str()))
        .header(CONTENT_TYPE, "application/ocsp-request")
        .header(ACCEPT, "application/ocsp-response")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| text(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        let status = response.status().as_u16();
        if status > 299 {
            return Err(format!(
                "non-ok http status on {name} request (reqlen={length}): {status}"
            ));
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        body.map(|body| body.to_bytes().to_vec())
            .map_err(|error| format!("the answer cannot be read: {error}"))
    };
    let answer = answer.await;
    connection.abort();
    answer
}
