//! Checkpoint files: saved state, whole or not at all.
//!
//! | bytes | |
//! |---|---|
//! | 16 | `sparse-rtrl\0\0\0\0\0` |
//! | 4 | version of the format, little-endian |
//! | 8 | n, the length of what follows the header, little-endian |
//! | 4 | its CRC-32, little-endian |
//! | n | an [`Archive`] |
//!
//! A file is written beside the old one, synced and renamed: whatever stops the program leaves the old one or the new one.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::record;
use std::path::Path;

const MAGIC: [u8; 16] = *b"sparse-rtrl\0\0\0\0\0";
const HEADER: usize = 32;

/// The version of the format this program writes; it reads no other.
pub const VERSION: u32 = 3;

/// Writes what was archived.
///
/// # Errors
/// If it cannot be written; an older checkpoint is untouched then.
pub fn write(path: &Path, archive: Archive) -> Result<()> {
    record::replace(path, pack(&archive.into_bytes()))
}

/// Says whether a checkpoint could be written there, without writing one.
///
/// # Errors
/// If it could not.
pub fn check_writable(path: &Path) -> Result<()> {
    record::check_replaceable(path)
}

/// Opens a checkpoint to be read.
///
/// # Errors
/// If the file cannot be read, is no checkpoint, or is truncated, altered, or of another version.
pub fn read(path: &Path) -> Result<Archive> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    unpack(&bytes)
        .map(|content| Archive::reader(content.to_vec()))
        .map_err(|why| Error::Format { path: path.into(), why })
}

/// Header and content.
fn pack(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(content).to_le_bytes());
    bytes.extend(content);
    bytes
}

/// The content of a file, or what is wrong with it.
fn unpack(bytes: &[u8]) -> std::result::Result<&[u8], String> {
    let Some((header, content)) =
        bytes.split_at_checked(HEADER).filter(|(header, _)| header.starts_with(&MAGIC))
    else {
        return Err(format!("expected a checkpoint of sparse-rtrl, found {}", describe(bytes)));
    };
    let number =
        |at: usize, len: usize| header[at..at + len].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
    let (version, length, sum) = (number(16, 4), number(20, 8), number(28, 4));
    if version != u64::from(VERSION) {
        let newer = if version > u64::from(VERSION) { "a newer" } else { "an older" };
        return Err(format!(
            "expected a checkpoint of format {VERSION}, found format {version}, which {newer} program wrote"
        ));
    }
    if content.len() as u64 != length {
        return Err(format!(
            "expected {length} bytes after the header, found {}: the file is truncated or has grown",
            content.len()
        ));
    }
    match crc32fast::hash(content) {
        found if u64::from(found) == sum => Ok(content),
        found => {
            Err(format!("expected the checksum {sum:08x}, found {found:08x}: the file has been altered"))
        }
    }
}

fn describe(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => "an empty file".into(),
        n if n < HEADER => format!("{n} bytes, fewer than its header has"),
        _ => "a file of another kind".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        assert_eq!(unpack(&pack(b"content")).unwrap(), b"content");
        assert_eq!(unpack(&pack(b"")).unwrap(), b"");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = pack(b"some content");
        for cut in 0..whole.len() {
            assert!(unpack(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&bytes).is_err(), "bit {bit}");
        }
        for (version, whose) in
            [(VERSION as u8 + 1, "a newer program"), (VERSION as u8 - 1, "an older program")]
        {
            let mut other = whole.clone();
            other[16] = version;
            assert!(unpack(&other).unwrap_err().contains(whose));
        }
    }
}
