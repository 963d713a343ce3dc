//! Settings of a training run: a preset, a file, flags.

use crate::failure::{Failure, IO, Outcome, USAGE};
use crate::overlay::{Shape, overlay};
use sparse_rtrl::lm::{LmPreset, LmTraining};
use std::path::Path;
use toml::{Table, Value};

const SHAPE: Shape = Shape { optional: &["clip"], parts: &["config", "surrogate", "dropout"] };

/// Returns the settings of a preset, with those of a TOML file laid over them.
pub fn read(preset: LmPreset, path: Option<&Path>) -> Outcome<LmTraining> {
    let training = LmTraining::preset(preset);
    let Some(path) = path else { return Ok(training) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(IO, format!("cannot read {}: {error}", path.display())))?;
    overlaid(&training, &text).map_err(|why| Failure::new(USAGE, format!("{}: {why}", path.display())))
}

/// Returns the settings as TOML.
pub fn print(training: &LmTraining) -> Outcome<String> {
    toml::to_string(training).map_err(|why| Failure::new(USAGE, why))
}

fn overlaid(training: &LmTraining, text: &str) -> Result<LmTraining, String> {
    let line = |why: toml::de::Error| why.to_string().trim().replace('\n', " ");
    let wanted: Table = text.parse().map_err(line)?;
    let mut all = Table::try_from(training).map_err(|why| why.to_string())?;
    overlay(&mut all, wanted, "", &SHAPE)?;
    Value::Table(all).try_into().map_err(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaid_by_printed_settings_returns_them() {
        for preset in [LmPreset::Tiny, LmPreset::Small, LmPreset::Ptb, LmPreset::Wt2] {
            let training = LmTraining::preset(preset);
            let printed = print(&training).unwrap();
            assert_eq!(overlaid(&LmTraining::preset(LmPreset::Tiny), &printed).unwrap(), training);
        }
    }

    #[test]
    fn overlaid_by_single_fields_changes_only_these() {
        let mut expected = LmTraining::preset(LmPreset::Tiny);
        (expected.batch, expected.clip, expected.dropout.word) = (3, None, 0.5);
        expected.config.surrogate.epsilon = 0.25;
        let text = "batch = 3\nclip = \"off\"\ndropout.word = 0.5\n[config.surrogate]\nepsilon = 0.25\n";
        assert_eq!(overlaid(&LmTraining::preset(LmPreset::Tiny), text).unwrap(), expected);
        for wrong in ["bach = 3", "batch = -1", "batch", "dropout.words = 0.1", "cell = \"rnn\""] {
            let why = overlaid(&expected, wrong).unwrap_err();
            assert!(!why.contains('\n'), "{wrong}: {why}");
        }
    }
}
