//! Checkpoint files with the whole state of a stream.
//!
//! | bytes | |
//! |---|---|
//! | 16 | `sparse-rtrl\0\0\0\0\0` |
//! | 4 | version of the format, little-endian |
//! | 8 | n, the length of the content in bytes, little-endian |
//! | 4 | CRC-32 of the content, little-endian |
//! | n | content: an [`Archive`] |
//!
//! The new file is written beside the old one, synced and renamed. After an interruption, the file
//! is the old checkpoint or the new one, never a part of either.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::file;
use std::path::Path;

const MAGIC: [u8; 16] = *b"sparse-rtrl\0\0\0\0\0";
const HEADER: usize = 32;

/// Version of the format. No other version is read or written.
pub const VERSION: u32 = 4;

/// Writes an archive to a checkpoint file.
///
/// # Errors
/// If the file cannot be written. An existing checkpoint is then unchanged.
pub fn write(path: &Path, archive: Archive) -> Result<()> {
    file::replace(path, pack(&archive.into_bytes()))
}

/// Checks that a checkpoint can be written at this path. Writes none.
///
/// # Errors
/// If a checkpoint cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    file::check_replaceable(path)
}

/// Reads a checkpoint and returns its archive.
///
/// # Errors
/// If the file cannot be read, is not a checkpoint, is truncated or corrupted, or has another
/// version.
pub fn read(path: &Path) -> Result<Archive> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    unpack(&bytes)
        .map(|content| Archive::reader(content.to_vec()))
        .map_err(|why| Error::Format { path: path.into(), why })
}

/// Returns the bytes of a file with this content: header and content.
fn pack(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(content).to_le_bytes());
    bytes.extend(content);
    bytes
}

/// Returns the content of a file after a check of its header and checksum.
fn unpack(bytes: &[u8]) -> std::result::Result<&[u8], String> {
    let Some((header, content)) =
        bytes.split_at_checked(HEADER).filter(|(header, _)| header.starts_with(&MAGIC))
    else {
        return Err(format!("expected a checkpoint of sparse-rtrl, got {}", describe(bytes)));
    };
    let number =
        |at: usize, len: usize| header[at..at + len].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
    let (version, length, sum) = (number(16, 4), number(20, 8), number(28, 4));
    if version != u64::from(VERSION) {
        let newer = if version > u64::from(VERSION) { "a newer" } else { "an older" };
        return Err(format!(
            "expected a checkpoint of format {VERSION}, got format {version} of {newer} program"
        ));
    }
    if content.len() as u64 != length {
        return Err(format!(
            "expected {length} bytes after the header, got {}: the file is truncated or extended",
            content.len()
        ));
    }
    match crc32fast::hash(content) {
        found if u64::from(found) == sum => Ok(content),
        found => Err(format!("expected the checksum {sum:08x}, got {found:08x}: the file is corrupted")),
    }
}

/// Describes a file that is not a checkpoint.
fn describe(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => "an empty file".into(),
        n if n < HEADER => format!("{n} bytes, fewer than the header"),
        _ => "a file of another kind".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpack_of_packed_content_returns_it() {
        assert_eq!(unpack(&pack(b"content")).unwrap(), b"content");
        assert_eq!(unpack(&pack(b"")).unwrap(), b"");
    }

    #[test]
    fn unpack_of_altered_or_cut_bytes_is_an_error() {
        let whole = pack(b"some content");
        for cut in 0..whole.len() {
            assert!(unpack(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&bytes).is_err(), "bit {bit}");
        }
        for (version, program) in
            [(VERSION as u8 + 1, "a newer program"), (VERSION as u8 - 1, "an older program")]
        {
            let mut other = whole.clone();
            other[16] = version;
            assert!(unpack(&other).unwrap_err().contains(program));
        }
    }

    /// Compares every byte of the header with the table in the module documentation. (CRC-32 of
    /// "123456789" is cbf43926.)
    #[test]
    fn pack_writes_magic_version_length_and_checksum() {
        let mut expected = b"sparse-rtrl\0\0\0\0\0".to_vec();
        expected.extend([VERSION as u8, 0, 0, 0]);
        expected.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0x26, 0x39, 0xf4, 0xcb]);
        expected.extend(b"123456789");
        assert_eq!(pack(b"123456789"), expected);
        let long = pack(&[7; 0x1_0203]);
        assert_eq!(long[20..28], [3, 2, 1, 0, 0, 0, 0, 0]);
        assert_eq!(unpack(&long).unwrap().len(), 0x1_0203);
    }

    #[test]
    fn unpack_of_other_content_returns_the_reason() {
        let message = |bytes: &[u8]| unpack(bytes).unwrap_err();
        let whole = pack(b"content");
        assert!(message(b"").ends_with("got an empty file"));
        assert!(message(&whole[..31]).ends_with("got 31 bytes, fewer than the header"));
        assert!(message(&[0; 32]).ends_with("got a file of another kind"));
        assert!(message(&whole[..38]).contains("expected 7 bytes after the header, got 6"));
        assert!(message(&[&whole[..], b"x"].concat()).contains("expected 7 bytes after the header, got 8"));
        let mut altered = whole.clone();
        altered[33] ^= 1;
        let (was, is) = (crc32fast::hash(b"content"), crc32fast::hash(b"cnntent"));
        assert!(message(&altered).starts_with(&format!("expected the checksum {was:08x}, got {is:08x}")));
    }

    #[test]
    fn checkpoint_written_and_read_returns_its_value() {
        let folder = std::env::temp_dir().join(format!("sparse-rtrl-checkpoint-{}", std::process::id()));
        let path = folder.join("deep/c.ckpt");
        assert!(matches!(read(&path), Err(Error::Read { .. })));
        check_writable(&path).unwrap();
        assert!(!path.exists(), "the check leaves no file");
        for value in [1u64, 2] {
            let mut archive = Archive::writer();
            archive.field("value", &mut value.clone()).unwrap();
            write(&path, archive).unwrap();
            check_writable(&path).unwrap();
            let (mut archive, mut found) = (read(&path).unwrap(), 0u64);
            archive.field("value", &mut found).unwrap();
            archive.finish().unwrap();
            assert_eq!(found, value);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no other file");
        std::fs::write(&path, b"x").unwrap();
        let Err(Error::Format { path: named, .. }) = read(&path) else { panic!("expected a format error") };
        assert_eq!(named, path);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
