//! Values of flags.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use serde::de::value::StringDeserializer;
use std::str::FromStr;

/// A number, or `off`.
#[derive(Clone, Copy)]
pub(super) struct Optional(pub Option<f64>);

impl FromStr for Optional {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            _ => {
                text.parse().map(|number| Self(Some(number))).map_err(|_| "expected a number or 'off'".into())
            }
        }
    }
}

/// Steps that have a loss.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LossArg {
    Every,
    Last,
}

/// Returns a parser of a setting with two values, by their names in configuration files.
pub(super) fn word<S: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: [&'static str; 2],
) -> impl TypedValueParser<Value = S> {
    let value = |word: String| StringDeserializer::<serde::de::value::Error>::new(word);
    PossibleValuesParser::new(words)
        .map(move |word| S::deserialize(value(word)).expect("every word is a variant name"))
}
