//! The Unix socket of monitoring: who may connect is what its permissions say.

use crate::options::monitoring::Socket;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The file of a socket; goes when this is dropped, unless another server has taken its place.
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let same =
            std::fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.id);
        if same {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens. The error says what to do about it.
pub fn bind(socket: &Socket) -> Result<(UnixListener, SocketFile), String> {
    let path = &socket.path;
    let failed = |what: &str, error: std::io::Error| {
        let (shown, words) = (path.display(), crate::log::os_error_text(&error));
        format!("{}: unix_socket {shown}: {what}: {words}", socket.position)
    };
    let refused =
        |text: &str| format!("{}: unix_socket {}: {text}", socket.position, path.display());
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(refused("there is a file of this name, and no socket"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(refused("another server listens there"));
        }
        // Of a server that is gone, or none.
        _ => {}
    }
    let owner = socket.owner.as_deref().map(|name| id(name, "/etc/passwd")).transpose();
    let owner = owner.map_err(|text| refused(&text))?;
    let group = socket.group.as_deref().map(|name| id(name, "/etc/group")).transpose();
    let group = group.map_err(|text| refused(&text))?;
    // Made where nobody else can reach it, and moved when the permissions are right: at no time can
    // anybody connect who may not.
    let folder = parent(path).join(format!(".natssl-{}", std::process::id()));
    let inside = folder.join("socket");
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    let made = made.map_err(|error| failed("mkdir", error));
    let ready = made.and_then(|()| {
        let listener = UnixListener::bind(&inside).map_err(|error| failed("bind", error))?;
        if owner.is_some() || group.is_some() {
            chown(&inside, owner, group).map_err(|error| failed("chown", error))?;
        }
        let mode = std::fs::Permissions::from_mode(socket.mode);
        std::fs::set_permissions(&inside, mode).map_err(|error| failed("chmod", error))?;
        let facts = std::fs::symlink_metadata(&inside).map_err(|error| failed("stat", error))?;
        std::fs::rename(&inside, path).map_err(|error| failed("rename", error))?;
        Ok((listener, SocketFile { path: path.clone(), id: (facts.dev(), facts.ino()) }))
    });
    let _ = std::fs::remove_file(&inside);
    let _ = std::fs::remove_dir(&folder);
    ready
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The number of a user or group: itself, or that of its line `name:x:number:...` in `file`.
fn id(name: &str, file: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().map(|line| line.split(':')).find_map(|mut fields| {
        (fields.next() == Some(name)).then(|| fields.nth(1).and_then(|id| id.parse().ok()))
    });
    line.flatten().ok_or_else(|| {
        format!("{} is not in {file}; a number does without", crate::log::quoted(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Position;

    fn socket(path: &Path) -> Socket {
        let position = Position::new("c.conf".into(), 1, 2);
        let (owner, group) = (None, None);
        Socket { path: path.to_owned(), mode: 0o600, owner, group, position }
    }

    #[tokio::test]
    async fn a_socket_replaces_that_of_a_server_that_is_gone_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (first, file) = bind(&socket(&path)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let error = bind(&socket(&path)).map(drop).unwrap_err();
        assert!(error.ends_with("another server listens there"), "{error}");
        drop(first);
        let (_second, other) = bind(&socket(&path)).unwrap();
        // The file is another one's by now.
        drop(file);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        let error = bind(&socket(&path)).map(drop).unwrap_err();
        assert!(error.starts_with("c.conf:1:2: unix_socket ") && error.contains("no socket"));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn accounts_are_numbers_or_names() {
        assert_eq!(id("0", "/nowhere"), Ok(0));
        assert_eq!(id("root", "/etc/passwd"), Ok(0));
        assert!(id("no such user", "/etc/passwd").unwrap_err().contains("a number does without"));
    }
}
