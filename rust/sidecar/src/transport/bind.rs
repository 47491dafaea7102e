//! Binds sockets: TCP, and unix sockets with their file.
//!
//! A unix socket appears at its path only when its mode is set, replaces the
//! file of a process that died, and never takes the place of one that lives.
//! What happens to accepted connections is in [`super::accept`].

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixSocket};

use super::address::ListenAddress;
use super::error::ListenError;

/// Connections the kernel may hold before they are accepted.
const BACKLOG: u32 = 1024;

/// Owner and group may connect: the application's group is the access list.
const SOCKET_MODE: u32 = 0o660;

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "removes the file when dropped")] SocketFile,
    ),
}

impl Listener {
    /// Listens, and returns the address with the port the system chose.
    pub(super) fn bind(
        address: &ListenAddress,
        insecure_listen: bool,
    ) -> Result<(Self, ListenAddress), ListenError> {
        if !address.is_local() && !insecure_listen {
            return Err(ListenError::NotLoopback {
                address: address.clone(),
            });
        }
        match address {
            ListenAddress::Unix(path) => {
                clear_stale(path)?;
                let (listener, file) = bind_unix(path).map_err(|error| refused(address, error))?;
                Ok((Self::Unix(listener, file), address.clone()))
            }
            ListenAddress::Tcp(socket) => {
                let listener = bind_tcp(*socket).map_err(|error| refused(address, error))?;
                let bound = listener
                    .local_addr()
                    .map_err(|error| refused(address, error))?;
                Ok((Self::Tcp(listener), ListenAddress::Tcp(bound)))
            }
        }
    }
}

fn refused(address: &ListenAddress, source: io::Error) -> ListenError {
    let address = address.clone();
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Refused { address, source },
    }
}

fn bind_tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        std::net::SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        std::net::SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }?;
    // A restart must not wait for connections of the last process to expire.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Removes the socket of a process that died; fails if one lives, or if it is no socket.
fn clear_stale(path: &Path) -> Result<(), ListenError> {
    let address = ListenAddress::Unix(path.to_owned());
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(&address, error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::NotASocket {
            path: path.to_owned(),
        });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(refused(&address, error)),
        // A full backlog is a living process too.
        Ok(_) | Err(_) => Err(ListenError::InUse { address }),
    }
}

/// Binds beside the path, sets the mode, and moves the socket into place.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(&beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(SOCKET_MODE))?;
    let listener = socket.listen(BACKLOG)?;
    fs::rename(&beside, path)?;
    let inode = fs::symlink_metadata(path)?.ino();
    Ok((
        listener,
        SocketFile {
            path: path.to_owned(),
            inode,
        },
    ))
}

/// The file of a unix socket; dropping it removes the file if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // A file that stays behind is recognised as stale at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
