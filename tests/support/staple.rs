//! Handshakes of a client that may ask for a staple, and verifies nothing.

use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode, StatusType};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};

/// A connection to a NATS server that has said INFO.
pub fn greeted(address: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address).expect("a connection");
    tcp.set_nodelay(true).unwrap();
    tcp.set_read_timeout(Some(super::PATIENCE)).unwrap();
    BufReader::with_capacity(1, &tcp).read_line(&mut String::new()).unwrap();
    tcp
}

/// What clients are made from.
pub fn connector() -> SslConnector {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.build()
}

/// A handshake that asks for this name, and for a staple or not.
pub fn handshake(
    connector: &SslConnector,
    tcp: TcpStream,
    name: &str,
    asks: bool,
) -> SslStream<TcpStream> {
    let mut ssl = connector.configure().unwrap().verify_hostname(false);
    if asks {
        ssl.set_status_type(StatusType::OCSP).unwrap();
    }
    ssl.connect(name, tcp).expect("the handshake succeeds")
}
