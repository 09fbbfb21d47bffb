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

/// Messages that one turn of a publisher takes whose messages go out `times` each.
async fn published_in_a_turn(times: usize) -> u64 {
    let server = server();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let wants: String = (0..times).map(|sid| format!("SUB s {sid}\r\n")).collect();
    let (mut recipient, _handle, _far) = connected(&server, wants.as_bytes()).await;
    assert!(recipient.as_mut().poll(&mut cx).is_pending());
    let message = [format!("PUB s {PAYLOAD}\r\n").as_bytes(), &[b'x'; PAYLOAD], b"\r\n"].concat();
    let input = message.repeat(INPUT / message.len());
    let (mut publisher, handle, _far) = connected(&server, &input).await;
    assert!(publisher.as_mut().poll(&mut cx).is_pending());
    let counted = handle.activity.all_received().0;
    assert!(counted > 0 && counted < (INPUT / message.len()) as u64, "{counted}");
    counted
}

#[tokio::test]
async fn a_publisher_with_many_recipients_lets_them_run_early() {
    let one = published_in_a_turn(1).await;
    let read_in_a_pass = one / READ_PASSES as u64;
    // Each pass gives twice as much as a turn may.
    let times = 2 * GIVEN_MAX / (read_in_a_pass * PAYLOAD as u64) + 1;
    let many = published_in_a_turn(usize::try_from(times).unwrap()).await;
    assert!(many <= read_in_a_pass + 1, "{many} of {one} in one turn");
}
