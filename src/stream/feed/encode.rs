//! Encoding of a field as inputs:
//!
//! - a number v is the input `v`;
//! - a periodic number v of period P is the inputs `(sin 2πv/P, cos 2πv/P)`;
//! - one of N categories is a unit vector of N inputs.

use super::field_error::FieldError;
use super::labels::Labels;
use crate::archive::Archive;
use crate::error::{Error, Result};
use std::f64::consts::TAU;

/// Maximum absolute value of a number in a field. The squares of larger numbers can overflow in
/// single precision.
pub const LARGEST: f64 = 1e15;

/// The encoding of a field as inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// The number itself. The learner standardises it.
    Number,
    /// Sine and cosine of a periodic number.
    Cyclic {
        /// The period.
        period: f64,
    },
    /// Unit vector of an integer from 0 to N − 1.
    Integer {
        /// N.
        places: usize,
    },
    /// Unit vector of the index of a name.
    Name(Labels),
}

impl Encoding {
    /// Parses `COLUMN:PERIOD` and returns the column and its encoding.
    ///
    /// # Errors
    /// If the text has another form, or the period is not above 0 and at most [`LARGEST`].
    pub fn cyclic(text: &str) -> Result<(String, Self)> {
        let wrong = || Error::setting("cyclic", "COLUMN:PERIOD with a period above 0", text);
        let (name, period) = text.rsplit_once(':').ok_or_else(wrong)?;
        match period.trim().parse() {
            Ok(period) if period > 0.0 && period <= LARGEST => {
                Ok((name.trim().into(), Self::Cyclic { period }))
            }
            _ => Err(wrong()),
        }
    }

    /// Parses a one-hot encoding and returns the column and its encoding: `COLUMN:N` for integers
    /// below N, `COLUMN:a,b,c` for these names, `COLUMN:seen-N` for the first N names that appear.
    ///
    /// # Errors
    /// If the text has another form, or the number of inputs is not from 2 to 100000.
    pub fn one_hot(text: &str) -> Result<(String, Self)> {
        let wrong = || {
            Error::setting("one-hot", "COLUMN:N with N from 2 to 100000, COLUMN:a,b,c or COLUMN:seen-N", text)
        };
        let (name, what) = text.rsplit_once(':').ok_or_else(wrong)?;
        let encoding = match (what.trim().strip_prefix("seen-"), what.trim().parse::<usize>()) {
            (Some(most), _) => Self::Name(Labels::seen(most.parse().map_err(|_| wrong())?)),
            (None, Ok(places)) => Self::Integer { places },
            (None, Err(_)) => Self::Name(Labels::parse("one-hot", what)?),
        };
        match (2..=100_000).contains(&encoding.width()) {
            true => Ok((name.trim().into(), encoding)),
            false => Err(wrong()),
        }
    }

    /// Returns the number of inputs.
    pub fn width(&self) -> usize {
        match self {
            Self::Number => 1,
            Self::Cyclic { .. } => 2,
            Self::Integer { places } => *places,
            Self::Name(labels) => labels.most(),
        }
    }

    /// Returns the names of the inputs.
    pub fn names(&self, column: &str) -> Vec<String> {
        match self {
            Self::Number => vec![column.into()],
            Self::Cyclic { .. } => vec![format!("{column}.sin"), format!("{column}.cos")],
            Self::Integer { places } => (0..*places).map(|k| format!("{column}={k}")).collect(),
            Self::Name(labels) => {
                (0..labels.most()).map(|k| format!("{column}={}", labels.name(k))).collect()
            }
        }
    }

    /// Writes the inputs of a field. The table of names is unchanged.
    ///
    /// # Errors
    /// If the field is missing, is not a number of at most [`LARGEST`] in absolute value, or is not
    /// one of the N categories.
    ///
    /// # Panics
    /// If the length of `inputs` is not [`Encoding::width`].
    pub fn encode(
        &self,
        column: &str,
        field: &[u8],
        inputs: &mut [f64],
    ) -> std::result::Result<(), FieldError> {
        assert_eq!(inputs.len(), self.width(), "the length of inputs must be the width of the encoding");
        match self {
            Self::Number => inputs[0] = number(column, field)?,
            Self::Cyclic { period } => {
                let angle = TAU * (number(column, field)? / period);
                (inputs[0], inputs[1]) = (angle.sin(), angle.cos());
            }
            Self::Integer { places } => {
                let wrong =
                    || FieldError::field(column, format!("an integer from 0 to {}", places - 1), field);
                let value = number(column, field).map_err(|_| wrong())?;
                if value.fract() != 0.0 || !(0.0..*places as f64).contains(&value) {
                    return Err(wrong());
                }
                unit(inputs, value as usize);
            }
            Self::Name(labels) => {
                let known = name(column, field)?;
                let place = labels.index(known);
                unit(inputs, place.ok_or_else(|| FieldError::field(column, labels.expected(), field))?);
            }
        }
        Ok(())
    }

    /// Adds the name in an encoded field to the table of names.
    pub fn learn(&mut self, field: &[u8]) {
        if let (Self::Name(labels), Ok(name)) = (self, std::str::from_utf8(field)) {
            labels.learn(name);
        }
    }

    /// Writes the names to an archive, or reads them from one.
    ///
    /// # Errors
    /// If the archive holds the names of another encoding.
    pub fn archive(&mut self, archive: &mut Archive) -> Result<()> {
        match self {
            Self::Name(labels) => labels.archive(archive),
            _ => Ok(()),
        }
    }
}

/// Writes a unit vector: 1 at `place`, 0 elsewhere.
pub fn unit(inputs: &mut [f64], place: usize) {
    inputs.fill(0.0);
    inputs[place] = 1.0;
}

/// Parses the number in a field.
///
/// # Errors
/// If the field is missing, is not a finite number, or exceeds [`LARGEST`] in absolute value.
pub fn number(column: &str, field: &[u8]) -> std::result::Result<f64, FieldError> {
    let value = std::str::from_utf8(field).ok().and_then(|text| text.parse::<f64>().ok());
    match value {
        Some(value) if value.abs() <= LARGEST => Ok(value),
        Some(_) => Err(FieldError::field(column, format!("a finite number of at most {LARGEST:e}"), field)),
        None => Err(FieldError::field(column, "a number", field)),
    }
}

/// Returns the name in a field.
///
/// # Errors
/// If the field is missing or is not UTF-8.
pub fn name<'a>(column: &str, field: &'a [u8]) -> std::result::Result<&'a str, FieldError> {
    match std::str::from_utf8(field) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(FieldError::field(column, "a name in UTF-8", field)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    fn encoded(encoding: &Encoding, field: &str) -> std::result::Result<Vec<f64>, String> {
        let mut inputs = vec![9.0; encoding.width()];
        encoding.encode("c", field.as_bytes(), &mut inputs).map_err(|field_error| field_error.to_string())?;
        Ok(inputs)
    }

    #[test]
    fn encode_of_a_number_returns_it_or_an_error() {
        assert_eq!(encoded(&Encoding::Number, "-1.5e3").unwrap(), [-1500.0]);
        for wrong in ["", "x", "NaN", "inf", "-infinity", "1e16", "1e999", "0x1", "1 2"] {
            let message = encoded(&Encoding::Number, wrong).unwrap_err();
            assert!(message.starts_with("column 'c': expected a "), "{message}");
        }
    }

    #[test]
    fn encode_of_a_cyclic_value_is_periodic() {
        let (column, encoding) = Encoding::cyclic("minuteofday:1440").unwrap();
        assert_eq!(column, "minuteofday");
        for (at, expected) in [("0", [0.0, 1.0]), ("360", [1.0, 0.0]), ("1440", [0.0, 1.0])] {
            let got = encoded(&encoding, at).unwrap();
            got.iter().zip(expected).for_each(|(got, expected)| {
                assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
            });
        }
        for wrong in ["a", "a:", "a:0", "a:-1", "a:x", "a:NaN", "a:inf"] {
            assert!(Encoding::cyclic(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn encode_of_one_hot_sets_one_entry() {
        let (_, days) = Encoding::one_hot("day:7").unwrap();
        assert_eq!(encoded(&days, "6").unwrap(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(encoded(&days, "0.0").unwrap()[0], 1.0);
        for wrong in ["7", "-1", "1.5", "x", ""] {
            assert!(encoded(&days, wrong).unwrap_err().contains("an integer from 0 to 6"), "{wrong}");
        }
        let (column, names) = Encoding::one_hot("a:b:sun,rain").unwrap();
        assert_eq!((column.as_str(), encoded(&names, "rain").unwrap()), ("a:b", vec![0.0, 1.0]));
        assert!(encoded(&names, "snow").unwrap_err().contains("one of 2 names (sun, rain)"));
        let (_, mut seen) = Encoding::one_hot("city:seen-2").unwrap();
        seen.learn(b"Rome");
        assert_eq!(encoded(&seen, "Oslo").unwrap(), [0.0, 1.0]);
        for wrong in ["a", "a:1", "a:x", "a:seen-x", "a:seen-0", "a:9999999"] {
            assert!(Encoding::one_hot(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn encode_of_a_number_above_1e15_is_an_error() {
        for (text, value) in [("1e15", 1e15), ("-1e15", -1e15), ("+5", 5.0), ("-0", 0.0), ("1e-320", 1e-320)]
        {
            assert_eq!(encoded(&Encoding::Number, text).unwrap(), [value]);
        }
        for beyond in ["1000000000000000.2", "-1000000000000000.2"] {
            let message = encoded(&Encoding::Number, beyond).unwrap_err();
            assert_eq!(
                message,
                format!("column 'c': expected a finite number of at most 1e15, got '{beyond}'")
            );
        }
    }

    #[test]
    fn encode_of_a_cyclic_value_is_sine_and_cosine_of_its_phase() {
        for (text, period, value) in
            [("7", 24.0, "5"), ("a", 2.5, "-1"), ("b", 1e15, "2e14"), ("c", 0.5, "100.2")]
        {
            let (column, encoding) = Encoding::cyclic(&format!("{text}:{period}")).unwrap();
            let angle = 2.0 * std::f64::consts::PI * value.parse::<f64>().unwrap() / period;
            let got = encoded(&encoding, value).unwrap();
            assert_abs_diff_eq!(got[..], [angle.sin(), angle.cos()], epsilon = 1e-12);
            assert_eq!(encoding.names(&column), [format!("{text}.sin"), format!("{text}.cos")]);
        }
        assert!(Encoding::cyclic("a:1.0000001e15").is_err());
    }

    #[test]
    fn encode_of_an_integer_accepts_values_below_n_only() {
        let (_, three) = Encoding::one_hot("c:3").unwrap();
        for (place, text) in ["0", "1", "2.0"].into_iter().enumerate() {
            let mut expected = [0.0; 3];
            expected[place] = 1.0;
            assert_eq!(encoded(&three, text).unwrap(), expected);
        }
        for wrong in ["3", "2.5", "-0.5", "-1", "1e15", "1e16", "NaN"] {
            assert!(encoded(&three, wrong).unwrap_err().contains("an integer from 0 to 2"), "{wrong}");
        }
        assert_eq!((three.width(), three.names("c")), (3, ["c=0", "c=1", "c=2"].map(String::from).to_vec()));
        for (text, width) in [("a:2", 2), ("a:100000", 100_000), ("a:seen-2", 2), ("a:seen-100000", 100_000)]
        {
            assert_eq!(Encoding::one_hot(text).unwrap().1.width(), width);
        }
        for wrong in ["a:1", "a:100001", "a:seen-1", "a:seen-100001", "a:p", "a:p,p", "a:p,"] {
            assert!(Encoding::one_hot(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn encode_of_learned_names_uses_their_order_of_appearance() {
        let (_, mut seen) = Encoding::one_hot("city: seen-2").unwrap();
        assert_eq!(seen.names("city"), ["city=#0", "city=#1"]);
        for name in ["Rome", "Rome", "Oslo", "Bern"] {
            seen.learn(name.as_bytes());
        }
        assert_eq!(seen.names("city"), ["city=Rome", "city=Oslo"]);
        assert_eq!(encoded(&seen, "Rome").unwrap(), [1.0, 0.0]);
        assert_eq!(encoded(&seen, "Oslo").unwrap(), [0.0, 1.0]);
        assert!(encoded(&seen, "Bern").unwrap_err().contains("one of 2 names (Rome, Oslo)"));
        assert!(encoded(&seen, "").unwrap_err().contains("a name in UTF-8, got an empty field"));
        let message = seen.encode("c", b"\xff", &mut [0.0; 2]).unwrap_err().to_string();
        assert!(message.contains("a name in UTF-8"), "{message}");
    }

    #[test]
    fn encoding_restored_has_its_names() {
        let (_, mut seen) = Encoding::one_hot("c:seen-3").unwrap();
        ["z", "y"].into_iter().for_each(|name| seen.learn(name.as_bytes()));
        let mut archive = Archive::writer();
        seen.archive(&mut archive).unwrap();
        let bytes = archive.into_bytes();
        let (_, mut restored) = Encoding::one_hot("c:seen-3").unwrap();
        restored.archive(&mut Archive::reader(bytes.clone())).unwrap();
        assert_eq!(restored, seen);
        let (_, mut fewer) = Encoding::one_hot("c:seen-2").unwrap();
        fewer.archive(&mut Archive::reader(bytes.clone())).unwrap();
        seen.learn(b"x");
        let mut archive = Archive::writer();
        seen.archive(&mut archive).unwrap();
        assert!(
            fewer.archive(&mut Archive::reader(archive.into_bytes())).is_err(),
            "three names exceed a limit of two"
        );
    }
}
