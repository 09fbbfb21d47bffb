//! Which of a thread's links can be read. A single link blocks instead, which saves the system call.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use super::LOOK;
use super::link::{Link, Wait};
use super::scan::Scan;
use crate::Failure;

pub struct Poll {
    epoll: Option<OwnedFd>,
    events: Vec<epoll::Event>,
}

impl Poll {
    /// Changes the links to the waiting they need.
    pub fn new<'a>(links: impl ExactSizeIterator<Item = &'a mut Link>) -> Result<Self, Failure> {
        let single = links.len() == 1;
        Self::with(links, single)
    }

    fn with<'a>(links: impl Iterator<Item = &'a mut Link>, single: bool) -> Result<Self, Failure> {
        let epoll = if single { None } else { Some(epoll::create(epoll::CreateFlags::CLOEXEC)?) };
        for (index, link) in links.enumerate() {
            link.wait_mode(if single { Wait::Look } else { Wait::Poll })?;
            if let Some(epoll) = &epoll {
                epoll::add(
                    epoll,
                    &*link,
                    epoll::EventData::new_u64(index as u64),
                    epoll::EventFlags::IN,
                )?;
            }
        }
        Ok(Self { epoll, events: Vec::with_capacity(256) })
    }

    /// Puts the links that can be read into `ready`, none after `LOOK`.
    pub fn wait(&mut self, ready: &mut Vec<usize>) -> Result<(), Failure> {
        ready.clear();
        let Some(epoll) = &self.epoll else {
            ready.push(0);
            return Ok(());
        };
        self.events.clear();
        epoll::wait(epoll, spare_capacity(&mut self.events), Some(&below_a_second(LOOK)))?;
        ready.extend(self.events.iter().map(|event| event.data.u64() as usize));
        Ok(())
    }
}

fn below_a_second(time: Duration) -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// Waits until a link that does not block can be read, for `longest` at most, which is below a
/// second: `true`, it can. Not with epoll, whose timeouts are whole milliseconds.
pub fn wait_for(link: &Link, longest: Duration) -> Result<bool, Failure> {
    let mut waits = [PollFd::from_borrowed_fd(link.as_fd(), PollFlags::IN)];
    Ok(poll(&mut waits, Some(&below_a_second(longest)))? > 0)
}

/// Reads what is there into `scan` and answers PINGs; returns the messages found. A blocking link is read once.
pub fn drain(link: &mut Link, scan: &mut Scan, buffer: &mut [u8]) -> Result<u64, Failure> {
    let mut messages = 0;
    loop {
        match link.read(buffer) {
            Ok(0) => return Err("the server closed a subscriber".into()),
            Ok(n) => {
                messages += scan.feed(&buffer[..n])?;
                if !link.more_after(n, buffer.len()) {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => return Err(format!("reading a subscriber: {error}").into()),
        }
    }
    if scan.pings > 0 {
        scan.pings = 0;
        link.write_all(b"PONG\r\n")?;
    }
    Ok(messages)
}
