//! One connection: its socket and the HTTP/2 state on top.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::call::Answer;
use super::error::BenchError;
use super::http2::Http2;
use super::socket::Socket;

/// How long the server may take to accept and to send its settings.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Connection {
    target: String,
    pub(super) socket: Socket,
    pub(super) http2: Http2,
}

impl Connection {
    /// Connects, and waits until the server allows `in_flight` calls.
    pub(super) fn open(
        target: &str,
        path: &str,
        in_flight: u32,
        capture: bool,
    ) -> Result<Self, BenchError> {
        let socket = Socket::connect(target, CONNECT_TIMEOUT)?;
        let http2 = Http2::new(path, capture);
        let mut connection = Self {
            target: target.to_owned(),
            socket,
            http2,
        };
        connection.send()?;
        let mut buffer = [0; 4096];
        while connection.http2.max_streams().is_none() {
            connection.receive(&mut buffer, &mut |_| {})?;
        }
        match connection.http2.max_streams() {
            Some(allowed) if allowed < in_flight => {
                return Err(BenchError::TooManyInFlight {
                    allowed,
                    wanted: in_flight,
                });
            }
            _ => {}
        }
        connection.send()?;
        connection
            .socket
            .set_nonblocking()
            .map_err(|error| connection.broken(error))?;
        Ok(connection)
    }

    /// Sends what the socket takes now.
    pub(super) fn send(&mut self) -> Result<(), BenchError> {
        let mut sent = 0;
        while sent < self.http2.output.len() {
            match self.socket.write(&self.http2.output[sent..]) {
                Ok(0) => return Err(self.broken(io::ErrorKind::WriteZero.into())),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.broken(error)),
            }
        }
        self.http2.output.drain(..sent);
        Ok(())
    }

    /// Reads once and hands over the complete answers.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        answered: &mut dyn FnMut(Answer),
    ) -> Result<(), BenchError> {
        match self.socket.read(buffer) {
            Ok(0) => Err(BenchError::Closed {
                in_flight: self.http2.in_flight(),
            }),
            Ok(count) => self.http2.receive(&buffer[..count], answered),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Tells whether one more call may be sent now.
    pub(super) fn has_room(&self, in_flight: u32) -> bool {
        self.http2.in_flight() < in_flight as usize
            && self.http2.has_window()
            && !self.http2.is_exhausted()
    }

    fn broken(&self, source: io::Error) -> BenchError {
        BenchError::Connection {
            target: self.target.clone(),
            source,
        }
    }
}
