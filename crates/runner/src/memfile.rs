//! Memory files: anonymous, sealed when written, handed to children by descriptor.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
};

/// A file that lives in memory only, and as long as anybody has it open.
#[derive(Debug)]
pub(crate) struct MemFile(File);

impl MemFile {
    /// An empty file that its holders may write. `name` is only for people who read `/proc`.
    pub(crate) fn writable(name: &str) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know NOEXEC_SEAL and say EINVAL.
        let made = memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL);
        Ok(Self(made.or_else(|_| memfd_create(name, flags))?.into()))
    }

    /// A file with this content that nobody can change any more, whoever holds it.
    pub(crate) fn sealed(name: &str, content: &[u8]) -> io::Result<Self> {
        let file = Self::writable(name)?;
        file.0.write_all_at(content, 0)?;
        file.seal()
    }

    /// A sealed file that starts with `head` and is zeros up to `size` bytes. The zeros take no
    /// memory.
    pub(crate) fn sealed_zeros(name: &str, head: &[u8], size: u64) -> io::Result<Self> {
        let file = Self::writable(name)?;
        ftruncate(&file.0, size)?;
        file.0.write_all_at(head, 0)?;
        file.seal()
    }

    /// Makes it unchangeable for every holder.
    pub(crate) fn seal(self) -> io::Result<Self> {
        let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&self.0, all)?;
        Ok(self)
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// The `length` bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Everything, if it is at most `limit` bytes.
    pub(crate) fn read_all(&self, limit: u64) -> io::Result<Vec<u8>> {
        let size = self.size()?;
        if size > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("a memory file of {size} bytes is over the limit of {limit}"),
            ));
        }
        self.read(0, usize::try_from(size).unwrap_or(usize::MAX))
    }
}

impl AsFd for MemFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::MemFile;
    use std::{fs::OpenOptions, io::Write, os::fd::AsRawFd};

    #[test]
    fn a_sealed_file_cannot_be_changed_even_when_reopened_for_writing() {
        let file = MemFile::sealed("test", b"content").unwrap();
        let path = format!("/proc/self/fd/{}", file.0.as_raw_fd());
        let reopened = OpenOptions::new().write(true).open(path);
        if let Ok(mut writer) = reopened {
            assert!(writer.write_all(b"changed").is_err());
            assert!(writer.set_len(0).is_err());
        }
        assert_eq!(file.read_all(7).unwrap(), b"content");
        assert!(file.read_all(6).is_err());
    }
}
