//! A non-blocking socket to the server: TCP or unix.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::error::BenchError;

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects to `tcp:HOST:PORT` or `unix:PATH`; reads and writes block for at most `timeout`.
    pub(super) fn connect(target: &str, timeout: Duration) -> Result<Self, BenchError> {
        let connected = match target.split_once(':') {
            Some(("tcp", address)) => connect_tcp(address, timeout),
            Some(("unix", path)) => connect_unix(path, timeout),
            _ => {
                let problem = format!("target `{target}` starts with neither `tcp:` nor `unix:`");
                return Err(BenchError::Argument(problem));
            }
        };
        connected.map_err(|source| BenchError::Connection {
            target: target.to_owned(),
            source,
        })
    }

    /// From here on, neither reading nor writing waits.
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }
}

fn connect_tcp(address: &str, timeout: Duration) -> io::Result<Socket> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(Socket::Tcp(stream))
}

fn connect_unix(path: &str, timeout: Duration) -> io::Result<Socket> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(Socket::Unix(stream))
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
