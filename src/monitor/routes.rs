//! Which paths there are, and who answers them.

use super::query::{Query, Undecodable};
use super::reply::Reply;
use super::{
    Monitor, accountz, connz, debug, fipsz, healthz, jetstream, links, metrics, page, subsz, tlsz,
    varz,
};

/// An answer, or the parameter that cannot be read.
pub type Answer = Result<Reply, Undecodable>;

pub struct Route {
    /// Under the base path.
    pub path: &'static str,
    pub counted: Counted,
    pub weight: Weight,
    pub handler: fn(&Monitor, &Query) -> Answer,
}

/// When a request is counted in `http_req_stats`, and under which name. COMPAT: all of it.
#[derive(Clone, Copy)]
pub enum Counted {
    Always(&'static str),
    /// If its parameters can be read.
    Readable(&'static str),
    Never,
}

/// How much there is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The same however many connections there are.
    Fixed,
    /// Grows with the connections: done by a thread that serves no connection, for a few at once.
    Growing,
}

use Counted::{Always, Never, Readable};
use Weight::{Fixed, Growing};

pub const ROUTES: &[Route] = &[
    route("/", Always("/"), Fixed, page::reply),
    route("/varz", Always("/varz"), Fixed, |monitor, _| Ok(varz::reply(monitor))),
    route("/connz", Readable("/connz"), Growing, connz::reply),
    route("/routez", Readable("/routez"), Fixed, links::routez),
    route("/gatewayz", Always("/gatewayz"), Fixed, links::gatewayz),
    route("/leafz", Always("/leafz"), Fixed, links::leafz),
    route("/subsz", Always("/subsz"), Growing, subsz::reply),
    route("/subscriptionsz", Always("/subsz"), Growing, subsz::reply),
    route("/accountz", Always("/accountz"), Fixed, accountz::accountz),
    route("/accstatz", Always("/accstatz"), Fixed, accountz::accstatz),
    route("/jsz", Always("/jsz"), Fixed, jetstream::jsz),
    route("/healthz", Always("/healthz"), Fixed, healthz::reply),
    route("/ipqueuesz", Never, Fixed, jetstream::ipqueuesz),
    route("/raftz", Never, Fixed, jetstream::raftz),
    route("/stacksz", Never, Fixed, debug::stacksz),
    route("/debug/vars", Never, Fixed, debug::vars),
    // natssl's own.
    route("/tlsz", Always("/tlsz"), Fixed, |monitor, _| Ok(tlsz::reply(monitor))),
    route("/fipsz", Always("/fipsz"), Fixed, |monitor, _| Ok(fipsz::reply(monitor))),
    route("/metrics", Always("/metrics"), Growing, metrics::reply),
];

const fn route(
    path: &'static str,
    counted: Counted,
    weight: Weight,
    handler: fn(&Monitor, &Query) -> Answer,
) -> Route {
    Route { path, counted, weight, handler }
}

pub fn find(path: &[u8]) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path.as_bytes() == path)
}

/// What `monitoring { open }` may name is what there is.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::monitoring::ENDPOINTS;

    #[test]
    fn every_path_can_be_named_in_the_configuration() {
        let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        paths.sort_unstable();
        let mut named = ENDPOINTS.to_vec();
        named.sort_unstable();
        assert_eq!(paths, named);
    }
}
