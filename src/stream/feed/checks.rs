//! Checks of a reader's settings, and what follows from them.

use super::encode::Encoding;
use super::labels::Labels;
use super::spec::{RowReaderSpec, TargetKind};
use crate::error::{Error, Result};

/// Returns the name of each encoded column and its encoding.
pub fn encodings(spec: &RowReaderSpec) -> Result<Vec<(String, Encoding)>> {
    let cyclic = spec.cyclic.iter().map(|text| Encoding::cyclic(text));
    let all: Vec<_> =
        cyclic.chain(spec.one_hot.iter().map(|text| Encoding::one_hot(text))).collect::<Result<_>>()?;
    match all.iter().enumerate().find(|(k, (name, _))| all[..*k].iter().any(|(other, _)| other == name)) {
        Some((_, (name, _))) => Err(Error::setting("cyclic, one-hot", "one encoding per column", name)),
        None => Ok(all),
    }
}

/// Returns the number of streams, and the index of the group column with a table of their names.
pub fn check_streams(spec: &RowReaderSpec, group: Option<usize>) -> Result<(usize, Option<(usize, Labels)>)> {
    if spec.outlier_limit.is_some_and(|limit| limit.is_nan() || limit <= 0.0) {
        return Err(Error::setting(
            "outlier-limit",
            "a number above 0, or off",
            format!("{:?}", spec.outlier_limit),
        ));
    }
    match group {
        Some(column) if spec.streams > 1 => Ok((spec.streams, Some((column, Labels::seen(spec.streams))))),
        Some(_) => Err(Error::setting("streams", "2 or more, with a group", spec.streams)),
        None if spec.streams == 1 => Ok((1, None)),
        None => Err(Error::setting("streams", "1 without a group", spec.streams)),
    }
}

/// Returns the classes of the target.
pub fn classes(spec: &RowReaderSpec) -> Result<Option<Labels>> {
    match (spec.target_kind, &spec.classes) {
        (TargetKind::Regression, None) => Ok(None),
        (TargetKind::Regression, Some(classes)) => {
            Err(Error::setting("classes", "nothing, for a regression", classes))
        }
        (TargetKind::Classes, None) => {
            Err(Error::setting("classes", "a number of classes, or a,b,c", "nothing"))
        }
        (TargetKind::Classes, Some(classes)) => Labels::parse("classes", classes).map(Some),
        (TargetKind::Binary, classes) => {
            let labels = Labels::parse("classes", classes.as_deref().unwrap_or("0,1"))?;
            match labels.most() {
                2 => Ok(Some(labels)),
                n => Err(Error::setting("classes", "2, for a binary task", n)),
            }
        }
    }
}
