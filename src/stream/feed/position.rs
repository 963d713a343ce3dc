//! The position in a stream, with a checksum of the rows before it.

use serde::{Deserialize, Serialize};

/// Number and checksum of the rows that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of rows.
    pub rows: u64,
    /// CRC-32 of their lines, each followed by `\n`.
    pub crc: u32,
}

impl Position {
    /// Advances by one row.
    pub fn pass(&mut self, line: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(line);
        hasher.update(b"\n");
        *self = Self { rows: self.rows + 1, crc: hasher.finalize() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_after_rows_has_the_checksum_of_all_of_them() {
        let mut position = Position::default();
        position.pass(b"1,2");
        position.pass(b"");
        assert_eq!(position, Position { rows: 2, crc: crc32fast::hash(b"1,2\n\n") });
    }
}
