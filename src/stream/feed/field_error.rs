//! The error of a malformed row.

/// A malformed row or field: the column, the expected value and the value found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, got {got}", column.as_ref().map(|name| format!("column '{name}': ")).unwrap_or_default())]
pub struct FieldError {
    /// The column of a malformed field; `None` for a malformed row.
    pub column: Option<String>,
    /// Description of the expected value.
    pub expected: String,
    /// Description of the value found.
    pub got: String,
}

impl FieldError {
    /// Creates the error of a malformed row.
    pub fn row(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { column: None, expected: expected.into(), got: got.into() }
    }

    /// Creates the error of a malformed field.
    pub fn field(column: &str, expected: impl Into<String>, got: &[u8]) -> Self {
        Self { column: Some(column.into()), expected: expected.into(), got: quote(got) }
    }
}

/// Returns the first 40 characters of a field in quotes, with control characters escaped.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_of_a_long_field_is_cut_after_forty_characters() {
        assert_eq!(quote(b""), "an empty field");
        assert_eq!(quote("é".repeat(40).as_bytes()), format!("'{}'", "é".repeat(40)));
        assert_eq!(quote("é".repeat(41).as_bytes()), format!("'{}…'", "é".repeat(40)));
        assert_eq!(quote(b"a\tb\xff"), "'a\\tb\u{fffd}'");
    }

    #[test]
    fn field_error_display_names_its_column_if_any() {
        let field = FieldError::field("c", "a number", b"x");
        assert_eq!(
            (field.to_string().as_str(), field.column.as_deref()),
            ("column 'c': expected a number, got 'x'", Some("c"))
        );
        assert_eq!(FieldError::row("2 fields", "1").to_string(), "expected 2 fields, got 1");
    }
}
