//! Provenance of a result file: version, date, processor and command.

use std::path::Path;
use std::process::Command;

/// Returns the first lines of a result file: version, date, processor and command.
pub fn provenance(command: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Made by sparse-rtrl {version} on {}, on {}, with\n\n    {command}", date(), processor())
}

/// Returns the current date in UTC, as YYYY-MM-DD.
pub fn date() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()[..10].into()
}

/// Returns the name of the processor, from scripts/processor.sh.
pub fn processor() -> String {
    let scripts = ["scripts", "../scripts"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let script = scripts.iter().map(|folder| folder.join("processor.sh")).find(|script| script.exists());
    let named =
        script.and_then(|script| Command::new(script).output().ok()).filter(|output| output.status.success());
    let name = named.and_then(|output| String::from_utf8(output.stdout).ok());
    name.map_or_else(|| format!("unknown {} processor", std::env::consts::ARCH), |name| name.trim().into())
}

/// Returns the command line of this program: `start`, for example `cargo study figure3`, and the
/// flags. The path `hidden`, if any, is replaced by `DATA`.
pub fn command(start: &str, hidden: Option<&Path>) -> String {
    let hidden = hidden.map(|path| path.display().to_string());
    let shown = |flag: String| {
        let flag = hidden.as_ref().map_or_else(|| flag.clone(), |hidden| flag.replace(hidden, "DATA"));
        if flag.contains(' ') { format!(" '{flag}'") } else { format!(" {flag}") }
    };
    let flags: String = std::env::args().skip(1).map(shown).collect();
    let dashes = if flags.is_empty() { "" } else { " --" };
    format!("{start}{dashes}{flags}")
}
