//! A reader that can be interrupted during a read that blocks.
//!
//! A read from a pipe may block without limit, and no portable method cancels it. A second thread
//! therefore reads and sends chunks over a channel. A [`Stop`] sends an event over the same
//! channel, so that a blocked [`InterruptibleReader`] returns.

use std::io::{Error, ErrorKind, Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Maximum length of a chunk in bytes.
const CHUNK: usize = 1 << 16;
/// Maximum number of chunks read in advance.
const AHEAD: usize = 4;

enum Event {
    Chunk(Vec<u8>),
    End,
    Failed(Error),
    Stopped,
}

/// A reader of the chunks that a second thread reads.
pub struct InterruptibleReader {
    events: Receiver<Event>,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
    stop: Stop,
}

/// Stops an [`InterruptibleReader`]. Clones stop the same reader.
#[derive(Clone)]
pub struct Stop {
    signal: Arc<AtomicI32>,
    sender: SyncSender<Event>,
}

impl Stop {
    /// Stops the reader. `signal` is the reason and must not be 0.
    pub fn stop(&self, signal: i32) {
        self.signal.store(signal, Ordering::SeqCst);
        // If the channel is full, the reader is not blocked.
        let _ = self.sender.try_send(Event::Stopped);
    }

    /// Returns the signal of [`Stop::stop`], or `None` before a stop.
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl InterruptibleReader {
    /// Starts a thread that reads.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        let (sender, events) = sync_channel(AHEAD);
        let stop = Stop { signal: Arc::default(), sender: sender.clone() };
        std::thread::spawn(move || forward(reader, &sender));
        Self { events, chunk: Vec::new(), at: 0, ended: false, stop }
    }

    /// Returns a handle that stops this reader.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// Reads and sends chunks until the end, an error, or the end of the receiver.
fn forward(mut reader: impl Read, to: &SyncSender<Event>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let event = match reader.read(&mut chunk) {
            Ok(0) => Event::End,
            Ok(n) => {
                chunk.truncate(n);
                Event::Chunk(chunk)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Event::Failed(error),
        };
        let more = matches!(event, Event::Chunk(_));
        if to.send(event).is_err() || !more {
            break;
        }
    }
}

impl Read for InterruptibleReader {
    /// Reads from the current chunk. Blocks until there is one.
    ///
    /// # Errors
    /// If the underlying reader failed, or this reader was stopped.
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.at == self.chunk.len() && !self.ended {
            if self.stop.signal().is_some() {
                return Err(Error::other("stopped"));
            }
            match self.events.recv() {
                Ok(Event::Chunk(chunk)) => (self.chunk, self.at) = (chunk, 0),
                Ok(Event::Failed(error)) => return Err(error),
                Ok(Event::Stopped) => {}
                Ok(Event::End) | Err(_) => self.ended = true,
            }
        }
        let n = into.len().min(self.chunk.len() - self.at);
        into[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Write, pipe};

    fn open() -> (PipeReader, std::io::PipeWriter) {
        pipe().unwrap()
    }

    #[test]
    fn interruptible_read_to_end_returns_all_bytes() {
        let text: Vec<u8> = (0..3 * CHUNK + 5).map(|k| (k % 251) as u8).collect();
        let mut interruptible = InterruptibleReader::new(std::io::Cursor::new(text.clone()));
        let mut got = Vec::new();
        interruptible.read_to_end(&mut got).unwrap();
        assert_eq!(got, text);
        assert_eq!(interruptible.read(&mut [0; 8]).unwrap(), 0, "a read after the end returns 0");
    }

    #[test]
    fn interruptible_stop_ends_a_blocked_read() {
        let (reader, mut writer) = open();
        let mut interruptible = InterruptibleReader::new(reader);
        let stop = interruptible.stop();
        writer.write_all(b"half a row").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(interruptible.read(&mut buffer).unwrap(), 10);
        let blocked = std::thread::spawn(move || interruptible.read(&mut [0; 64]).unwrap_err().to_string());
        std::thread::sleep(std::time::Duration::from_millis(20));
        stop.stop(15);
        assert_eq!((blocked.join().unwrap().as_str(), stop.signal()), ("stopped", Some(15)));
    }

    #[test]
    fn interruptible_read_returns_the_error_of_its_source() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> Result<usize> {
                Err(Error::other("broken"))
            }
        }
        assert_eq!(InterruptibleReader::new(Broken).read(&mut [0; 8]).unwrap_err().to_string(), "broken");
    }

    /// Bytes read before the stop are still returned. Every later read is an error.
    #[test]
    fn interruptible_stop_returns_buffered_bytes_first() {
        let (reader, mut writer) = open();
        let mut interruptible = InterruptibleReader::new(reader);
        let stop = interruptible.stop();
        assert_eq!(stop.signal(), None);
        writer.write_all(b"abcdef").unwrap();
        let mut buffer = [0; 4];
        assert_eq!((interruptible.read(&mut buffer).unwrap(), &buffer), (4, b"abcd"));
        stop.stop(2);
        stop.clone().stop(15);
        assert_eq!((interruptible.read(&mut buffer).unwrap(), &buffer[..2]), (2, &b"ef"[..]));
        writer.write_all(b"more").unwrap();
        for _ in 0..3 {
            assert_eq!(interruptible.read(&mut buffer).unwrap_err().to_string(), "stopped");
        }
        assert_eq!(stop.signal(), Some(15));
    }

    #[test]
    fn interruptible_after_an_interrupted_read_retries() {
        struct Interrupted(u32);
        impl Read for Interrupted {
            fn read(&mut self, into: &mut [u8]) -> Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 | 3 => Err(Error::from(ErrorKind::Interrupted)),
                    2 => {
                        into[..2].copy_from_slice(b"ab");
                        Ok(2)
                    }
                    _ => Ok(0),
                }
            }
        }
        // Not `read_to_end`, which itself retries interrupted reads.
        let (mut interruptible, mut got) = (InterruptibleReader::new(Interrupted(0)), [0; 8]);
        assert_eq!((interruptible.read(&mut got).unwrap(), &got[..2]), (2, &b"ab"[..]));
        assert_eq!(interruptible.read(&mut got).unwrap(), 0);
    }
}
