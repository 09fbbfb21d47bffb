//! `/healthz`: is the server serving? COMPAT: compact, without a final newline.

use crate::server::Server;
use hyper::StatusCode;

pub fn body(server: &Server) -> (StatusCode, String) {
    if server.is_lame_duck() {
        let body = r#"{"status":"error","error":"server is not accepting connections"}"#;
        return (StatusCode::INTERNAL_SERVER_ERROR, body.to_owned());
    }
    (StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
}
