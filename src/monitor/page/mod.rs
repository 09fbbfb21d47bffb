//! `/`: the page a person sees. COMPAT: it has nats-server's links, as far as there is something
//! behind them.
//!
//! One answer holds everything: nothing is loaded from elsewhere, and the policy sent along lets only
//! this script and this style run, named by their hashes. The script shows what `/varz`, `/tlsz` and
//! `/fipsz` say, as text and never as HTML.

use super::Monitor;
use super::query::Query;
use super::reply::{Kind, Reply};
use super::routes::{self, Answer};
use crate::tls::Ready;
use crate::tls::crypto::digest::sha256_base64;
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Path and words of nats-server's links, in its order; then natssl's own.
const LINKS: [(&str, &str); 15] = [
    ("/varz", "General"),
    ("/jsz", "JetStream"),
    ("/connz", "Connections"),
    ("/accountz", "Accounts"),
    ("/accstatz", "Account Stats"),
    ("/subsz", "Subscriptions"),
    ("/routez", "Routes"),
    ("/leafz", "LeafNodes"),
    ("/gatewayz", "Gateways"),
    ("/raftz", "Raft Groups"),
    ("/healthz", "Health Probe"),
    ("/debug/vars", "Expvar"),
    ("/tlsz", "TLS"),
    ("/fipsz", "FIPS"),
    ("/metrics", "Metrics"),
];

pub fn reply(monitor: &Monitor, _: &Query) -> Answer {
    let Some(policy) = policy(monitor.ready) else {
        let text = "500 OpenSSL could not compute a digest\n";
        return Ok(Reply::text(StatusCode::INTERNAL_SERVER_ERROR, text));
    };
    let generation = monitor.server.current();
    let html = html(generation.options.http_base_path.trim_matches('/'));
    let fixed = |name, value| (name, HeaderValue::from_static(value));
    let headers = vec![
        (header::CONTENT_SECURITY_POLICY, policy),
        fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        fixed(header::REFERRER_POLICY, "no-referrer"),
        fixed(header::CACHE_CONTROL, "no-cache"),
        fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    Ok(Reply { status: StatusCode::OK, kind: Kind::Html, headers, body: html.into_bytes() })
}

fn policy(ready: Ready) -> Option<HeaderValue> {
    let hash = |text: &str| sha256_base64(ready, text.as_bytes()).ok();
    let (script, style) = (hash(SCRIPT)?, hash(STYLE)?);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src \
         'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    );
    HeaderValue::try_from(policy).ok()
}

fn html(base: &str) -> String {
    // COMPAT: relative, with the base path, for the page itself is served without a slash at its end.
    let head = if base.is_empty() { String::new() } else { format!("/{}", escaped(base)) };
    let links: String = LINKS
        .iter()
        .filter(|(path, _)| routes::find(path.as_bytes()).is_some())
        .map(|(path, words)| {
            format!(
                "<a href=\".{head}{path}\">{words}<span class=\"endpoint\"> {path}</span></a>\n"
            )
        })
        .collect();
    let parts = [("{{style}}", STYLE), ("{{script}}", SCRIPT), ("{{links}}", &links)];
    parts.iter().fold(HTML.to_owned(), |html, (mark, text)| html.replacen(mark, text, 1))
}

/// For an attribute in double quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let page = html("");
        assert!(!page.contains("{{"), "a mark is left");
        // The name of a namespace is no address.
        let loads = page.replace("http://www.w3.org/2000/svg", "");
        for part in [STYLE, SCRIPT] {
            // What the policy's hash is of.
            assert!(page.contains(&format!(">{part}</")));
        }
        for word in ["src=", "@import", "url(", "http://"] {
            assert!(!loads.contains(word), "{word}");
        }
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
        // They end the element they stand in.
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }

    #[test]
    fn links_stand_under_the_base_path() {
        let page = html("");
        assert!(
            page.contains("<a href=\"./varz\">General<span class=\"endpoint\"> /varz</span></a>")
        );
        assert!(html("a/b").contains("<a href=\"./a/b/tlsz\">"));
        let odd = html("\"><script>&");
        assert!(odd.contains("\"./&quot;&gt;&lt;script&gt;&amp;/varz\""), "{odd}");
    }
}
