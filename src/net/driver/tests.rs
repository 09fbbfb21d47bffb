//! The driver over a stream without a kernel: one poll is one turn of its loop.

use super::*;
use crate::limits::GIVEN_MAX;
use crate::options::Options;
use crate::server::{Acceptors, Identity};
use crate::session::Moment;
use crate::tls::Socket;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

const PAYLOAD: usize = 1024;
/// More than one turn reads.
const INPUT: usize = 2 * READ_PASSES * READ_BUFFER;

fn moment() -> Moment {
    Moment { wall: jiff::Timestamp::now(), clock: Instant::now() }
}

fn server() -> Arc<Server> {
    let identity = Identity { id: "N".into(), seed: 1, started: jiff::Timestamp::now() };
    Arc::new(Server::new(identity, Options::default(), 1, Acceptors::default()))
}

/// A connection that has said `first`, as a future to poll.
async fn connected(
    server: &Arc<Server>,
    first: &[u8],
) -> (Pin<Box<impl Future<Output = CloseReason> + use<>>>, Arc<Handle>, DuplexStream) {
    let ready = crate::tls::start().unwrap();
    let (near, mut far) = duplex(INPUT + PAYLOAD);
    far.write_all(first).await.unwrap();
    let options = server.current().options.clone();
    let cid = server.registry.next_cid();
    let address = "127.0.0.1:1".parse().unwrap();
    let handle = Arc::new(Handle::new(cid, address, options.max_pending, moment()));
    let client =
        Client::new(Arc::clone(server), server.current(), Arc::clone(&handle), Instant::now());
    let run = run(Stream::Plain(Socket::new(near)), client, Arc::clone(server), ready);
    (Box::pin(run), handle, far)
}

/// `count` messages to somebody who gets each of them `times`: how many were served after each turn
/// of their publisher, until that is all or, `turns` later, not yet.
async fn served(count: usize, times: usize, turns: usize) -> Vec<usize> {
    let server = server();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let wants: String = (0..times).map(|sid| format!("SUB s {sid}\r\n")).collect();
    let (mut recipient, _handle, _far) = connected(&server, wants.as_bytes()).await;
    assert!(recipient.as_mut().poll(&mut cx).is_pending());
    let message = [format!("PUB s {PAYLOAD}\r\n").as_bytes(), &[b'x'; PAYLOAD], b"\r\n"].concat();
    let (mut publisher, handle, _far) = connected(&server, &message.repeat(count)).await;
    let mut served = Vec::new();
    while served.len() < turns && served.last() != Some(&count) {
        assert!(publisher.as_mut().poll(&mut cx).is_pending());
        served.push(usize::try_from(handle.activity.all_received().0).unwrap());
    }
    served
}

#[tokio::test]
async fn a_publisher_with_many_recipients_lets_them_run_early() {
    let count = INPUT / (PAYLOAD + 16);
    let one = served(count, 1, 1).await;
    assert!(one[0] > READ_PASSES * READ_BUFFER / PAYLOAD / 2 && one[0] < count, "{one:?}");
    let each = 10;
    let times = usize::try_from(GIVEN_MAX).unwrap() / PAYLOAD / each;
    let many = served(count, times, 1).await;
    assert!((each..=each + 2).contains(&many[0]), "{many:?}");
}

#[tokio::test]
async fn what_a_publisher_left_for_its_next_turn_needs_no_further_read() {
    let each = 10;
    let times = usize::try_from(GIVEN_MAX).unwrap() / PAYLOAD / each;
    // All of it comes in one read.
    let count = 4 * each;
    let served = served(count, times, 10).await;
    assert_eq!(served.last(), Some(&count), "{served:?}");
    assert!(served.len() >= 4, "{served:?}");
}
