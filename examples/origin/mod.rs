//! What made a file of results: the version, the date, the processor and the command.

/// Where a file of results comes from, as its first lines say.
pub fn said(command: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Made by sparse-rtrl {version} on {}, on {}, with\n\n    {command}", date(), processor())
}

/// Today, in UTC.
pub fn date() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// The processor, as all tables of this project name it.
pub fn processor() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/processor.sh");
    let named = std::process::Command::new(script).output().ok().filter(|output| output.status.success());
    let name = named.and_then(|output| String::from_utf8(output.stdout).ok());
    name.map_or_else(|| format!("an unnamed {} processor", std::env::consts::ARCH), |name| name.trim().into())
}

/// The command line of this example, as one would type it. `hidden`, if given, is shown as `DATA`: where data lay is of no interest to anyone
/// else.
pub fn command(example: &str, hidden: Option<&std::path::Path>) -> String {
    let build = if cfg!(debug_assertions) { "" } else { " --release" };
    let hidden = hidden.map(|path| path.display().to_string());
    let shown = |flag: String| {
        let flag = hidden.as_ref().map_or_else(|| flag.clone(), |hidden| flag.replace(hidden, "DATA"));
        if flag.contains(' ') { format!(" '{flag}'") } else { format!(" {flag}") }
    };
    let flags: String = std::env::args().skip(1).map(shown).collect();
    let dashes = if flags.is_empty() { "" } else { " --" };
    format!("cargo run{build} --example {example}{dashes}{flags}")
}
