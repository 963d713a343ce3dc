//! Settings of a file laid over their defaults.

use toml::{Table, Value};

/// Which settings are optional, and which tables are merged field by field.
pub struct Shape {
    /// Settings at the top that may be absent; `"off"` removes them.
    pub optional: &'static [&'static str],
    /// Tables that are merged. Other values replace their defaults.
    pub parts: &'static [&'static str],
}

/// Replaces values of `all` by values of `wanted`. `path` is the place in the file, for messages.
///
/// # Errors
/// If a setting is unknown.
pub fn overlay(all: &mut Table, wanted: Table, path: &str, shape: &Shape) -> Result<(), String> {
    for (name, value) in wanted {
        let optional = path.is_empty() && shape.optional.contains(&name.as_str());
        if !(optional || all.contains_key(&name)) {
            let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("expected one of {known}, got '{path}{name}'"));
        }
        match (all.get_mut(&name), value) {
            (Some(Value::Table(part)), Value::Table(wanted)) if shape.parts.contains(&name.as_str()) => {
                overlay(part, wanted, &format!("{path}{name}."), shape)?;
            }
            (_, Value::String(word)) if optional && word == "off" => {
                all.remove(&name);
            }
            (_, value) => {
                all.insert(name, value);
            }
        }
    }
    Ok(())
}
