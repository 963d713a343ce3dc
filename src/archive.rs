//! Serialisation of state: one function per type both writes and reads its fields.
//!
//! Every type with state lists its fields once, in a method `archive`, so that reading and writing
//! use the same order:
//!
//! ```
//! use sparse_rtrl::archive::Archive;
//!
//! struct Walk { position: f64, steps: u64 }
//! impl Walk {
//!     fn archive(&mut self, archive: &mut Archive) -> sparse_rtrl::Result<()> {
//!         archive.field("position", &mut self.position)?;
//!         archive.field("steps", &mut self.steps)
//!     }
//! }
//!
//! let mut writer = Archive::writer();
//! Walk { position: 0.1, steps: 3 }.archive(&mut writer)?;
//! let mut other = Walk { position: 0.0, steps: 0 };
//! let mut reader = Archive::reader(writer.into_bytes());
//! other.archive(&mut reader)?;
//! reader.finish()?;
//! assert_eq!((other.position.to_bits(), other.steps), (0.1f64.to_bits(), 3));
//! # Ok::<(), sparse_rtrl::Error>(())
//! ```
//!
//! Wirings, patterns and temporary buffers are not archived: an object is first created from its
//! specification, and then its state is read. Values keep their bits.

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A writer or reader of state.
pub struct Archive {
    bytes: Vec<u8>,
    /// Position of the reader; `None` for a writer.
    at: Option<usize>,
    /// Fields written so far, for `Archive::survey`.
    #[cfg(feature = "stream")]
    survey: Option<Vec<Field>>,
}

/// A field listed by [`Archive::survey`].
#[cfg(feature = "stream")]
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Rust type, from [`std::any::type_name`].
    pub kind: &'static str,
    /// Value. NaN and infinite numbers are null.
    pub value: serde_json::Value,
}

impl Archive {
    /// Creates an empty archive for writing.
    pub fn writer() -> Self {
        Self {
            bytes: Vec::new(),
            at: None,
            #[cfg(feature = "stream")]
            survey: None,
        }
    }

    /// Creates an archive that reads `bytes`.
    pub fn reader(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            at: Some(0),
            #[cfg(feature = "stream")]
            survey: None,
        }
    }

    /// Lists the fields that `archive` writes.
    ///
    /// # Errors
    /// If `archive` fails or a field cannot be represented in JSON.
    #[cfg(feature = "stream")]
    #[doc(hidden)]
    pub fn survey(archive: impl FnOnce(&mut Self) -> Result<()>) -> Result<Vec<Field>> {
        let mut writer = Self { survey: Some(Vec::new()), ..Self::writer() };
        archive(&mut writer)?;
        Ok(writer.survey.unwrap_or_default())
    }

    /// Returns whether this archive reads.
    pub fn reads(&self) -> bool {
        self.at.is_some()
    }

    /// Writes a field, or reads it into `value`.
    ///
    /// # Errors
    /// If the next field in the archive has another name or type.
    pub fn field<V: Serialize + DeserializeOwned>(
        &mut self,
        name: &'static str,
        value: &mut V,
    ) -> Result<()> {
        match &mut self.at {
            None => {
                #[cfg(feature = "stream")]
                if let Some(fields) = &mut self.survey {
                    let value =
                        serde_json::to_value(&*value).map_err(|why| mismatch(name, &why.to_string()))?;
                    fields.push(Field { name, kind: std::any::type_name::<V>(), value });
                    return Ok(());
                }
                let bytes = std::mem::take(&mut self.bytes);
                let written =
                    postcard::to_extend(&name, bytes).and_then(|bytes| postcard::to_extend(value, bytes));
                self.bytes = written.map_err(|why| mismatch(name, &why.to_string()))?;
            }
            Some(at) => {
                let rest = self.bytes.get(*at..).unwrap_or_default();
                let (found, rest) = postcard::take_from_bytes::<&str>(rest)
                    .map_err(|_| mismatch(name, "the end of the data"))?;
                if found != name {
                    return Err(mismatch(name, &format!("'{found}'")));
                }
                let (read, rest) = postcard::take_from_bytes(rest)
                    .map_err(|why| mismatch(name, &format!("an invalid value ({why})")))?;
                *at = self.bytes.len() - rest.len();
                *value = read;
            }
        }
        Ok(())
    }

    /// Writes a list, or reads it into `values`. The length of a list is fixed.
    ///
    /// # Errors
    /// If the next field in the archive has another name or type, or the list has another length.
    pub fn list<V: Serialize + DeserializeOwned>(
        &mut self,
        name: &'static str,
        values: &mut Vec<V>,
    ) -> Result<()> {
        let expected = values.len();
        self.field(name, values)?;
        match values.len() {
            n if n == expected => Ok(()),
            n => Err(mismatch(name, &format!("{n} values instead of {expected}"))),
        }
    }

    /// Returns the bytes of the archive.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Ends reading.
    ///
    /// # Errors
    /// If bytes are left.
    pub fn finish(self) -> Result<()> {
        match self.at {
            Some(at) if at != self.bytes.len() => {
                Err(mismatch("the end", &format!("trailing bytes: {}", self.bytes.len() - at)))
            }
            _ => Ok(()),
        }
    }
}

fn mismatch(field: &'static str, found: &str) -> Error {
    Error::State { field, found: found.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut archive = Archive::writer();
        archive.list("values", &mut vec![1.0f64, f64::NAN, -0.0]).unwrap();
        archive.field("t", &mut 7usize).unwrap();
        archive.into_bytes()
    }

    fn read(bytes: Vec<u8>, len: usize) -> Result<(Vec<f64>, usize)> {
        let mut archive = Archive::reader(bytes);
        let (mut values, mut t) = (vec![0.0f64; len], 0usize);
        archive.list("values", &mut values)?;
        archive.field("t", &mut t)?;
        archive.finish()?;
        Ok((values, t))
    }

    #[test]
    fn archive_written_and_read_returns_the_same_bits() {
        let (values, t) = read(written(), 3).unwrap();
        assert_eq!(
            values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            [1.0, f64::NAN, -0.0].map(f64::to_bits)
        );
        assert_eq!(t, 7);
    }

    #[test]
    fn survey_of_two_fields_lists_names_types_and_values() {
        let fields = Archive::survey(|archive| {
            archive.list("values", &mut vec![0.5f32, f32::NAN])?;
            archive.field("t", &mut 7usize)
        });
        let fields = fields.unwrap();
        let listed: Vec<_> = fields.iter().map(|f| (f.name, f.kind, f.value.to_string())).collect();
        let values = ("values", "alloc::vec::Vec<f32>", "[0.5,null]".to_string());
        assert_eq!(listed, [values, ("t", "usize", "7".to_string())]);
    }

    #[test]
    fn archive_of_wrong_content_returns_an_error() {
        let message = |bytes, len| read(bytes, len).unwrap_err().to_string();
        assert!(message(written(), 4).contains("3 values instead of 4"));
        let mut longer = written();
        longer.push(0);
        assert!(message(longer, 3).contains("trailing bytes: 1"));
        for end in 0..written().len() {
            read(written()[..end].to_vec(), 3).unwrap_err();
        }
        assert!(message(written().split_off(1), 3).contains("values"));
    }

    /// Each name is followed by its value in postcard's format: a length before text and lists,
    /// integers as varints, floats in little-endian.
    #[test]
    fn archive_bytes_are_names_and_values_in_order() {
        let mut archive = Archive::writer();
        assert!(!archive.reads());
        archive.field("t", &mut 300u64).unwrap();
        archive.list("ab", &mut vec![1.5f64]).unwrap();
        archive.field("s", &mut "xyz".to_string()).unwrap();
        let mut expected = b"\x01t\xac\x02\x02ab\x01".to_vec();
        expected.extend(1.5f64.to_le_bytes());
        expected.extend(b"\x01s\x03xyz");
        assert_eq!(archive.into_bytes(), expected);
    }

    /// A read under a wrong name changes nothing; the field can still be read by its own name.
    #[test]
    fn field_under_a_wrong_name_is_an_error_and_stays_readable() {
        let mut archive = Archive::reader(written());
        assert!(archive.reads());
        let (mut t, mut values) = (5usize, vec![0.0f64; 3]);
        let message = archive.field("t", &mut t).unwrap_err().to_string();
        assert!(message.contains("'values'"), "{message}");
        assert_eq!(t, 5);
        archive.list("values", &mut values).unwrap();
        let message = archive.field("s", &mut t).unwrap_err().to_string();
        assert!(message.contains("'t'"), "of the same length: {message}");
        archive.field("t", &mut t).unwrap();
        assert_eq!((values[0], t), (1.0, 7));
        assert!(archive.field("u", &mut t).unwrap_err().to_string().contains("the end of the data"));
        archive.finish().unwrap();
        Archive::writer().finish().unwrap();
        assert!(Archive::reader(vec![0]).finish().is_err());
    }
}
