//! What is wrong with a row.

/// A row that cannot be learned from: where in it, what was expected, and what came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, got {got}", column.as_ref().map(|name| format!("column '{name}': ")).unwrap_or_default())]
pub struct FieldError {
    /// The column, if it is one field that does not fit.
    pub column: Option<String>,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl FieldError {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_shows_forty_characters_and_says_that_there_are_more() {
        assert_eq!(quote(b""), "an empty field");
        assert_eq!(quote("é".repeat(40).as_bytes()), format!("'{}'", "é".repeat(40)));
        assert_eq!(quote("é".repeat(41).as_bytes()), format!("'{}…'", "é".repeat(40)));
        assert_eq!(quote(b"a\tb\xff"), "'a\\tb\u{fffd}'");
    }

    #[test]
    fn misfit_names_its_column_if_it_is_of_one() {
        let field = FieldError::field("c", "a number", b"x");
        assert_eq!(
            (field.to_string().as_str(), field.column.as_deref()),
            ("column 'c': expected a number, got 'x'", Some("c"))
        );
        assert_eq!(FieldError::row("2 fields", "1").to_string(), "expected 2 fields, got 1");
    }
}
