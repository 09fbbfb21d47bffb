//! async-nats, unmodified, in plaintext.

use crate::support::{PATIENCE, Server};
use async_nats::ConnectOptions;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn publish_subscribe_and_headers() {
    let server = Server::start("");
    let nc = async_nats::connect(server.url()).await.unwrap();
    let mut sub = nc.subscribe("foo.*").await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("a", "b");
    nc.publish_with_headers("foo.bar", headers, "hi".into()).await.unwrap();
    let message = timeout(PATIENCE, sub.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"hi");
    assert_eq!(message.headers.unwrap().get("a").unwrap().as_str(), "b");
}

#[tokio::test]
async fn request_reply_and_no_responders() {
    let server = Server::start("");
    let nc = async_nats::connect(server.url()).await.unwrap();
    let mut service = nc.queue_subscribe("svc", "q".into()).await.unwrap();
    let responder = nc.clone();
    tokio::spawn(async move {
        while let Some(request) = service.next().await {
            responder.publish(request.reply.unwrap(), request.payload).await.unwrap();
        }
    });
    nc.flush().await.unwrap();
    let large = vec![b'x'; 900_000];
    let reply = nc.request("svc", large.clone().into()).await.unwrap();
    assert_eq!(reply.payload.len(), large.len());
    let error = nc.request("nobody", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), async_nats::client::RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn queue_groups_share_evenly() {
    let server = Server::start("");
    let mut counts = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let nc = async_nats::connect(server.url()).await.unwrap();
        let mut sub = nc.queue_subscribe("work", "q".into()).await.unwrap();
        nc.flush().await.unwrap();
        tasks.push(tokio::spawn(async move {
            let mut count = 0u32;
            while let Some(message) = sub.next().await {
                if message.payload.is_empty() {
                    break;
                }
                count += 1;
            }
            drop(nc);
            count
        }));
    }
    let nc = async_nats::connect(server.url()).await.unwrap();
    for _ in 0..2000 {
        nc.publish("work", "x".into()).await.unwrap();
    }
    nc.flush().await.unwrap();
    // An empty message stops one member; as many as it takes stop all.
    while tasks.iter().any(|task| !task.is_finished()) {
        nc.publish("work", "".into()).await.unwrap();
        nc.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    for task in tasks {
        counts.push(timeout(PATIENCE, task).await.unwrap().unwrap());
    }
    assert_eq!(counts.iter().sum::<u32>(), 2000);
    assert!(counts.iter().all(|count| (350..650).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn users_with_every_kind_of_password() {
    // The hash is crypt_blowfish's published vector for U*U.
    let ready = natssl::tls::start().unwrap();
    let pbkdf2 = natssl::tls::crypto::password::hash(ready, "p2", false, 1000).unwrap();
    let server = Server::start(&format!(
        "authorization {{ users: [\n\
         {{user: plain, password: p1}}\n\
         {{user: pbkdf2, password: \"{pbkdf2}\"}}\n\
         {{user: bcrypt, password: \"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"}}\n\
         ] }}"
    ));
    let connect = |user: &str, pass: &str| {
        let options = ConnectOptions::with_user_and_password(user.into(), pass.into());
        options.connect(server.url())
    };
    for (user, pass) in [("plain", "p1"), ("pbkdf2", "p2"), ("bcrypt", "U*U")] {
        connect(user, pass).await.unwrap().flush().await.unwrap();
        assert!(connect(user, "wrong").await.is_err(), "{user}");
    }
    assert!(connect("nobody", "p1").await.is_err());
    assert!(async_nats::connect(server.url()).await.is_err());
}

#[tokio::test]
async fn permissions_reach_the_client_as_errors() {
    let mut server = Server::start(
        "authorization { users: [{user: u, password: p, permissions: \
         {publish: {allow: \"a.>\", deny: \"a.x\"}, subscribe: [\"a.*\", \"_INBOX.>\"]}}] }",
    );
    let nc = ConnectOptions::with_user_and_password("u".into(), "p".into())
        .connect(server.url())
        .await
        .unwrap();
    let mut sub = nc.subscribe("a.*").await.unwrap();
    nc.publish("a.x", "no".into()).await.unwrap();
    nc.publish("a.y", "yes".into()).await.unwrap();
    let message = timeout(PATIENCE, sub.next()).await.unwrap().unwrap();
    assert_eq!(message.subject.as_str(), "a.y");
    server.wait_for("Publish Violation - Subject \"a.x\"");
    nc.subscribe("b").await.unwrap();
    nc.flush().await.unwrap();
    server.wait_for("Subscription Violation - Subject \"b\"");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_others_are_not() {
    use std::io::Write;
    let mut server = Server::start("max_pending: 1mb\nmax_payload: 512kb\n");
    let mut slow = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    slow.write_all(b"CONNECT {\"verbose\":false}\r\nSUB flood 1\r\nPING\r\n").unwrap();
    let nc = async_nats::connect(server.url()).await.unwrap();
    let mut sub = nc.subscribe("calm").await.unwrap();
    nc.flush().await.unwrap();
    let payload = "x".repeat(100_000);
    for _ in 0..400 {
        nc.publish("flood", payload.clone().into()).await.unwrap();
        nc.flush().await.unwrap();
    }
    server.wait_for("Slow Consumer Detected: MaxPending of 1048576 Exceeded");
    nc.publish("calm", "still here".into()).await.unwrap();
    let message = timeout(PATIENCE, sub.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"still here");
    drop(slow);
}

#[tokio::test]
async fn lame_duck_tells_clients_and_ends() {
    let mut server =
        Server::start("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"100ms\"\n");
    let (events, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let nc = ConnectOptions::new()
        .max_reconnects(0)
        .event_callback(move |event| {
            let events = events.clone();
            async move {
                let _ = events.send(event);
            }
        })
        .connect(server.url())
        .await
        .unwrap();
    nc.flush().await.unwrap();
    server.signal(rustix::process::Signal::USR2);
    let lame = async {
        while let Some(event) = seen.recv().await {
            if matches!(event, async_nats::Event::LameDuckMode) {
                return true;
            }
        }
        false
    };
    assert!(timeout(Duration::from_secs(20), lame).await.unwrap());
    assert_eq!(server.end(), Some(0));
}
