//! The page a person sees.

use super::reply::{Kind, Reply};
use crate::server::{COMPATIBLE_VERSION, Server};
use hyper::StatusCode;

pub fn page(server: &Server) -> Reply {
    let base = match server.current().options.http_base_path.trim_matches('/') {
        "" => String::new(),
        base => format!("/{base}"),
    };
    let version = crate::tls::VERSION;
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>natssl</title></head>\n<body>\n\
         <h1>natssl {version}</h1>\n<p>compatible with nats-server v{COMPATIBLE_VERSION}</p>\n\
         <p><a href=\"{base}/varz\">varz</a></p>\n<p><a href=\"{base}/healthz\">healthz</a></p>\n\
         <p><a href=\"{base}/tlsz\">tlsz</a></p>\n<p><a href=\"{base}/fipsz\">fipsz</a></p>\n\
         </body>\n</html>\n"
    );
    Reply { status: StatusCode::OK, kind: Kind::Html, body: html.into_bytes() }
}
