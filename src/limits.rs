//! Every bound and default of the server in one place: name, unit, value, source.
//!
//! `COMPAT` values are nats-server's (spec section in the comment); the others are ours and exist
//! so that nothing a peer can make grow grows without end.

use std::time::Duration;

// --- client protocol (nats-server defaults) -------------------------------------------------

/// Longest control line in bytes, verb excluded. `max_control_line`.
pub const MAX_CONTROL_LINE: usize = 4096;
/// Largest message in bytes, headers included. `max_payload`.
pub const MAX_PAYLOAD: usize = 1024 * 1024;
/// Above this `max_payload` nats-server warns at start.
pub const MAX_PAYLOAD_WARN: usize = 8 * 1024 * 1024;
/// Bytes that may wait for one connection before it is a slow consumer. `max_pending`.
pub const MAX_PENDING: usize = 64 * 1024 * 1024;
/// Client connections. `max_connections`.
pub const MAX_CONNECTIONS: i64 = 64 * 1024;
/// Closed connections remembered for monitoring. `max_closed_clients`.
pub const MAX_CLOSED_CLIENTS: usize = 10_000;
/// Bytes of names, subjects and the like, chosen by clients, that are remembered of closed
/// connections; beyond it the oldest are forgotten before there are [`MAX_CLOSED_CLIENTS`].
pub const CLOSED_TEXT: usize = 16 * 1024 * 1024;
/// Digits of a size on the wire; more is a parse error.
pub const MAX_SIZE_DIGITS: usize = 9;
/// Bytes of the input shown in a parser error.
pub const PROTOCOL_SNIPPET: usize = 32;

// --- timers ------------------------------------------------------------------------------------

pub const PING_INTERVAL: Duration = Duration::from_secs(120);
pub const PING_MAX: u32 = 2;
/// The first PING comes this long after CONNECT (plus up to 20 %), or after `ping_interval` if less.
pub const FIRST_PING: Duration = Duration::from_secs(2);
/// A round trip time older than this is measured again.
pub const RTT_AGE: Duration = Duration::from_secs(3600);
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Pending output of a closing connection may take this long.
pub const CLOSE_FLUSH: Duration = Duration::from_millis(100);
pub const AUTH_TIMEOUT: Duration = Duration::from_secs(2);
pub const TLS_TIMEOUT: Duration = Duration::from_secs(2);
/// `handshake_first: auto` waits this long for a ClientHello before it sends INFO.
pub const TLS_FIRST_FALLBACK: Duration = Duration::from_millis(50);
pub const LAME_DUCK_DURATION: Duration = Duration::from_secs(120);
pub const LAME_DUCK_MINIMUM: Duration = Duration::from_secs(30);
pub const LAME_DUCK_GRACE: Duration = Duration::from_secs(10);
/// After an error of accept(2): first pause, and the longest one it doubles up to.
pub const ACCEPT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));
/// Time for the head of a monitoring request.
pub const MONITOR_HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time in which a client of the monitoring port takes an answer. nats-server waits for ever.
pub const MONITOR_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the head of a monitoring request. nats-server takes a mebibyte.
pub const MONITOR_HEAD: usize = 64 * 1024;
/// Monitoring connections at once. For one more, that which is asked for nothing for longest goes.
pub const MONITOR_CONNECTIONS: usize = 256;
/// Answers whose size grows with the connections: how many are made at once, and how long the next
/// one waits for its turn.
pub const MONITOR_MAKERS: usize = 2;
pub const MONITOR_MAKER_WAIT: Duration = Duration::from_secs(5);
/// Answers of more than this many bytes: how many may be on their way at once.
pub const MONITOR_LARGE: usize = 256 * 1024;
pub const MONITOR_LARGE_ANSWERS: usize = 4;

// --- message path ------------------------------------------------------------------------------

/// A worker thread that sleeps more often than this, for reads smaller than
/// [`MODERATION_READ`] bytes with several messages each, pauses for [`MODERATION_PAUSE`] (the
/// kernel's timer slack of 50 µs comes on top) before it listens to its sockets again. Measured with
/// one 128-byte write per message, two processors: 150 µs cost 437 ns of CPU per message at 1.0 million
/// a second, 200 µs 253 at 1.7, 250 µs 218 at 1.9, 400 µs 219 at 2.0, nats-server 650 at 1.6.
pub const MODERATION_BUSY: Duration = Duration::from_micros(25);
pub const MODERATION_READ: usize = 8 * 1024;
pub const MODERATION_PAUSE: Duration = Duration::from_micros(250);

/// Freed memory the allocator may keep for the next burst, in bytes per arena.
pub const FREED_MEMORY: i32 = 4 * 1024 * 1024;

/// One read buffer per worker thread, shared by its connections, in bytes. Several TLS records fit,
/// so that one pass serves many messages.
pub const READ_BUFFER: usize = 64 * 1024;
/// Output chunks start small (an idle client never needs more) and grow to four TLS records.
pub const CHUNK_MIN: usize = 512;
pub const CHUNK_MAX: usize = 64 * 1024;
/// Chunks of [`CHUNK_MAX`] a connection keeps for reuse while it is busy.
pub const CHUNKS_SPARE: usize = 2;
/// Read passes a connection may make before it lets others run.
pub const READ_PASSES: usize = 4;
/// Bytes of messages a connection gives to others before it wakes them and lets them run: with many
/// recipients each pass makes many times what was read, and all of it waits in memory.
pub const GIVEN_MAX: u64 = 8 * 1024 * 1024;
/// To so many that this would be less for each of them, a connection gives this much: a full TLS record.
pub const GIVEN_EACH: usize = 16 * 1024;
/// Subjects whose match result a connection remembers.
pub const CLIENT_CACHE: usize = 4096;
/// Subjects whose match result an account remembers.
pub const ACCOUNT_CACHE: usize = 1024;
/// Tokens of a subscription; bounds the depth of the index. More than the default control line
/// can hold.
pub const SUBJECT_TOKENS: usize = 2048;
/// Publish permission results a connection remembers.
pub const PERMISSION_CACHE: usize = 128;
/// Reply subjects remembered for `allow_responses`; pruned beyond.
pub const REPLIES_TRACKED: usize = 4096;
/// Part of `max_pending`, in per cent, from which fast producers are stalled.
pub const STALL_PERCENT: usize = 75;
/// Stall per delivery to a stalled client, and at most in one read pass.
pub const STALL: Duration = Duration::from_millis(2);
pub const STALL_TOTAL: Duration = Duration::from_millis(10);

// --- seam --------------------------------------------------------------------------------------

/// A TLS record header, and the largest record (RFC 8446 section 5.1) that may open a connection.
pub const TLS_RECORD_HEADER: usize = 5;
pub const TLS_RECORD_MAX: usize = 16 * 1024;
/// Bytes of a ClientHello, record headers included, that are read before OpenSSL gets them. A longer
/// one is OpenSSL's to judge and gets the first certificate.
pub const TLS_HELLO_MAX: usize = 64 * 1024;
/// OpenSSL's read-ahead buffer in bytes.
pub const TLS_READ_AHEAD: usize = 64 * 1024;
/// Largest certificate, key or CA file read, in bytes.
pub const TLS_FILE_MAX: u64 = 16 * 1024 * 1024;

/// How often the files of `tls` blocks are looked at for a change.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Bytes of one file of CRLs: three million entries.
pub const CRL_FILE_MAX: u64 = 128 * 1024 * 1024;
/// Files in a `crl_dir`.
pub const CRL_FOLDER_FILES: usize = 1000;

/// How often it is looked whether the server's own certificates run out.
pub const CLOCK_INTERVAL: Duration = Duration::from_secs(3600);

/// How long a TLS session may be resumed, unless the configuration says otherwise; at most what RFC
/// 8446 section 4.6.1 allows, seven days.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(2 * 3600);
pub const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Age at which contexts, and with them the keys of session tickets, are made anew.
pub const TICKET_KEY_AGE: Duration = Duration::from_secs(24 * 3600);

/// Failed handshakes of one kind from one address that get a log line of their own in a minute, and
/// addresses with kinds that are counted.
pub const FAILURE_LINES: u64 = 10;
pub const FAILURE_SOURCES: usize = 1024;

/// How long a client's verified chain need not be verified again by the same trust, and how many are
/// remembered.
pub const VERIFIED_FOR: Duration = Duration::from_secs(300);
pub const VERIFIED_CHAINS: usize = 4096;

/// By how much the threads of monitoring yield to those of messages, as nice(1) counts.
pub const ASIDE_NICE: i32 = 5;

/// The audit log: bytes of one file and files kept beside the one in use, by default; the smallest
/// size, which holds a few dozen records; after how long records are on the disk, by default.
pub const AUDIT_SIZE: u64 = 100 * 1024 * 1024;
pub const AUDIT_KEEP: usize = 10;
pub const AUDIT_SIZE_MIN: u64 = 65_536;
pub const AUDIT_SYNC: Duration = Duration::from_secs(1);
/// Records that wait to be written from which on new connections wait, or records are lost.
pub const AUDIT_QUEUE: usize = 1024;
/// Records that wait at most: those of connections that were already being set up come on top of
/// [`AUDIT_QUEUE`]. More are lost, and counted.
pub const AUDIT_QUEUE_MAX: usize = 65_536;
/// How long the thread that writes rests after a write, so that the next one takes several records;
/// it rests no longer once so many wait, well before anybody is held back.
pub const AUDIT_GATHER: Duration = Duration::from_millis(100);
pub const AUDIT_GATHERED: usize = AUDIT_QUEUE / 2;
/// After how long a write that failed is tried again.
pub const AUDIT_RETRY: Duration = Duration::from_millis(250);
/// How long the end of the server waits for the last records.
pub const AUDIT_END: Duration = Duration::from_secs(2);
/// Bytes of a text in a record that a peer can choose; the rest is cut off.
pub const AUDIT_TEXT: usize = 1024;
/// Bytes of a record: no text is longer than [`AUDIT_TEXT`], sixfold where it is escaped.
pub const AUDIT_LINE: usize = 64 * 1024;

/// How long a start waits for the first staples.
pub const FIRST_STAPLES: Duration = Duration::from_secs(5);
/// Answers of responders about peers that are kept; each has one to four thousand octets.
pub const OCSP_ANSWERS: usize = 32_768;
/// Questions about peers that are under way at once.
pub const OCSP_QUESTIONS: usize = 256;
/// Of those, to refresh what is known of connected peers.
pub const OCSP_REFRESHES: usize = 16;
/// Octets of the file of nats-server's OCSP peer cache that are read.
pub const OCSP_CACHE_FILE: u64 = 256 * 1024 * 1024;
