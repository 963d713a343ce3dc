//! What is wrong with a row.

/// A row that cannot be learned from: where in it, what was expected, and what came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, got {got}", column.as_ref().map(|name| format!("column '{name}': ")).unwrap_or_default())]
pub struct Misfit {
    /// The column, if it is one field that does not fit.
    pub column: Option<String>,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Misfit {
    /// Of a whole row.
    pub fn row(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { column: None, expected: expected.into(), got: got.into() }
    }

    /// Of one field.
    pub fn field(column: &str, expected: impl Into<String>, got: &[u8]) -> Self {
        Self { column: Some(column.into()), expected: expected.into(), got: quote(got) }
    }
}

/// The beginning of a field, as it can be shown.
pub fn quote(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    if field.is_empty() {
        return "an empty field".into();
    }
    let text: String = String::from_utf8_lossy(field).chars().take(SHOWN + 1).collect();
    match text.chars().count() > SHOWN {
        true => format!("'{}…'", text.chars().take(SHOWN).collect::<String>().escape_debug()),
        false => format!("'{}'", text.escape_debug()),
    }
}
