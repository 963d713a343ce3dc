//! The report as Markdown: the claims of the paper, its published values, and the measured results.

use crate::claim::{ClaimCheck, LEARNED, MEASURES, SIGNIFICANT, name, show, sparsest_is_cheapest};
use crate::curve::{Estimate, Setting};
use crate::store::{Curves, Point};
use crate::study::{Experiment, Made};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use sparse_rtrl::experiment::Preset;

/// A second, lower loss for the comparison with the published iterations.
const LOW: f64 = 0.01;

/// Returns the page with every finished study.
pub fn markdown(finished: &[(Made, Curves)]) -> String {
    let mut page = vec![HEAD.trim().to_string()];
    page.push(commands(finished));
    for (made, curves) in finished {
        let study = &made.study;
        let settings = Setting::all(study, curves);
        let (name, title) = (study.name(), title(study.preset, study.experiment));
        page.push(format!("## {title}\n\n![{title}]({name}.svg)"));
        match study.experiment {
            Experiment::Spirals => {
                page.push(claims(&settings));
                page.push(to_learn(&settings));
                if study.preset == Preset::Paper {
                    page.push(published(&settings));
                }
            }
            Experiment::Stream => {
                let same = |(other, _): &&(Made, Curves)| study.is_comparable(&other.study);
                let reset =
                    finished.iter().find(same).map(|(made, curves)| Setting::all(&made.study, curves));
                page.push(without_reset(&settings, &reset.unwrap_or_default()));
            }
        }
    }
    // The explanations refer to the runs of the command without flags.
    let plain = |(made, _): &(Made, Curves)| made.study.is_plain();
    page.push(match finished.len() == 4 && finished.iter().all(plain) {
        true => WHY.trim().to_string(),
        false => "(Explanations of the claims are available only for the runs of the command without flags.)"
            .into(),
    });
    page.join("\n\n") + "\n"
}

const HEAD: &str = include_str!("head.md");
const WHY: &str = include_str!("why.md");

fn title(preset: Preset, experiment: Experiment) -> &'static str {
    match (preset, experiment) {
        (Preset::Default, Experiment::Spirals) => "Default preset",
        (Preset::Paper, Experiment::Spirals) => "Paper preset",
        (Preset::Default, Experiment::Stream) => "Default preset, without resets",
        (Preset::Paper, Experiment::Stream) => "Paper preset, without resets",
    }
}

fn commands(finished: &[(Made, Curves)]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (made, _) in finished {
        let seeds = made.study.seeds.len();
        let processor = match made.processor.as_str() {
            "" => String::new(),
            name => format!(", on {name}"),
        };
        let line = format!(
            "- {}: sparse-rtrl {}, {}{processor}, seeds 0 to {}, with `{}`",
            made.study.name(),
            made.study.version,
            made.date,
            seeds.saturating_sub(1),
            made.command
        );
        lines.push(line);
    }
    format!("Made with\n\n{}", lines.join("\n"))
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The largest ω of the paper, which the paper claims to be the cheapest.
const CLAIMED: f64 = 0.9;

/// Returns the results for the claims of the paper, with every measure of compute.
fn claims(settings: &[Setting]) -> String {
    let mut lines = vec![early(settings), fixed(settings)];
    if settings.iter().all(|s| s.omega != CLAIMED) {
        return lines.join("\n");
    }
    let all: Vec<&Setting> = settings.iter().collect();
    let active: Vec<&Setting> = settings.iter().filter(|s| s.activity).collect();
    let claimed = format!("ω = {CLAIMED} with activity sparsity");
    let head = [
        "compared settings",
        "measure of compute",
        "result",
        &claimed,
        "cheapest other setting",
        "its compute",
        "difference / standard error",
    ];
    let mut table = table(&head);
    for (among, which) in [(&all, "all"), (&active, "with activity sparsity")] {
        for measure in &MEASURES {
            if let Some(check) = sparsest_is_cheapest(among, measure) {
                let ClaimCheck { result, claimed, rival, rival_cost, gap } = check;
                table.add_row([
                    which,
                    measure.name,
                    result,
                    &claimed,
                    &rival,
                    &rival_cost,
                    &format!("{gap:+.1}"),
                ]);
            }
        }
    }
    lines.insert(
        0,
        format!(
            "The paper claims that {claimed} learns with the least total compute. Compute to reach a loss of {LEARNED}, mean over seeds ± standard \
             error. A difference of at least {SIGNIFICANT} standard errors is significant (5 % level of Student's t for five seeds):\n\n{}\n\nFurther \
             claims:\n",
            table.trim_fmt()
        ),
    );
    lines.join("\n")
}

/// Returns the result for the claim "Note that most variants converge well before 1700 iterations."
fn early(settings: &[Setting]) -> String {
    let runs: Vec<&&[Point]> = settings.iter().flat_map(|s| &s.runs).collect();
    let half = runs.iter().filter_map(|r| r.last()).map(|p| p.iteration).max().unwrap_or(0) / 2;
    let early = |run: &&&&[Point]| run.iter().any(|p| p.iteration <= half && p.loss <= LEARNED);
    let count = runs.iter().filter(early).count();
    let result = if 2 * count > runs.len() { "holds" } else { "does not hold" };
    format!(
        "- \"Most variants converge well before the end\": {result}; {count} of {} runs reach a loss of {LEARNED} in the first half ({half} iterations).",
        runs.len()
    )
}

/// Returns the result for the claim "The influence matrix sparsity also remains fixed throughout
/// training when activity sparsity is turned off."
fn fixed(settings: &[Setting]) -> String {
    let moved = |run: &&[Point]| (run[0].influence_density - run[run.len() - 1].influence_density).abs();
    let runs = settings.iter().filter(|s| !s.activity).flat_map(|s| &s.runs);
    let most = runs.map(moved).fold(0.0, f64::max);
    let result = if most < 0.01 { "holds" } else { "does not hold" };
    format!(
        "- \"Without activity sparsity the sparsity of the influence matrix stays fixed\": {result}; from the first iterations to the last it changes by \
         at most {most:.4} in any run."
    )
}

/// Returns the table of iterations and compute to a loss of 0.1.
fn to_learn(settings: &[Setting]) -> String {
    let mut table = table(&[
        "",
        "runs",
        "iterations",
        "compute-adjusted (factor)",
        "density-adjusted",
        "MACs",
        "final loss",
        "final test accuracy",
    ]);
    for setting in settings {
        let (iterations, reached) = setting.when(LEARNED, |p| p.iteration as f64);
        let bound = reached < setting.runs.len();
        let cost = |of: fn(&Point) -> f64| show(setting.when(LEARNED, of).0, bound);
        let at_end = |of: &dyn Fn(&Point) -> f64| {
            Estimate::of(&setting.runs.iter().filter_map(|r| r.last()).map(of).collect::<Vec<_>>())
        };
        let accuracy = at_end(&|p| 100.0 * p.test_accuracy.unwrap_or(f64::NAN));
        table.add_row([
            name(setting),
            format!("{reached}/{}", setting.runs.len()),
            show(iterations, bound),
            cost(MEASURES[0].of),
            cost(MEASURES[1].of),
            cost(MEASURES[2].of),
            format!("{:.1e}", at_end(&|p| p.loss).mean),
            format!("{:.2} %", accuracy.mean),
        ]);
    }
    format!(
        "Compute to reach a loss of {LEARNED} (mean of ten iterations), mean over seeds ± standard error. For a run that \
         does not reach it, the compute of the whole run is used, and the mean is a lower bound (≥):\n\n{}",
        table.trim_fmt()
    )
}

/// First value (if legible) and last value of a published curve of influence sparsity.
struct Published {
    omega: f64,
    start: Option<f64>,
    end: f64,
}

const INFLUENCE: [Published; 4] = [
    Published { omega: 0.0, start: Some(0.905), end: 0.57 },
    Published { omega: 0.5, start: None, end: 0.765 },
    Published { omega: 0.8, start: None, end: 0.915 },
    Published { omega: 0.9, start: Some(0.998), end: 0.965 },
];

/// Iterations to converge, read off the published curves: ω, activity sparsity, iterations.
const CONVERGED: [(f64, bool, &str); 4] =
    [(0.0, true, "500 to 600"), (0.9, true, "1,000 to 1,050"), (0.0, false, "310"), (0.9, false, "730")];

/// Returns tables of the published and the measured values.
fn published(settings: &[Setting]) -> String {
    let find =
        |omega: f64, activity: bool| settings.iter().find(|s| s.omega == omega && s.activity == activity);
    let start = |s: &Setting, of: fn(&Point) -> f64| share(s.within(1..=10, of));
    let end =
        |s: &Setting, of: fn(&Point) -> f64| share(s.within(s.last().saturating_sub(99)..=usize::MAX, of));
    let mut sparsities =
        table(&["sparsity", "ω", "", "published", "measured", "measured, recurrent columns only"]);
    for setting in settings.iter().filter(|s| s.activity) {
        let of: fn(&Point) -> f64 = |p| p.activity_sparsity;
        let omega = setting.omega.to_string();
        sparsities.add_row(["activity", &omega, "first 10 iterations", "0.945", &start(setting, of), ""]);
        sparsities.add_row(["activity", &omega, "last 100", "about 0.6", &end(setting, of), ""]);
    }
    for Published { omega, start: first, end: value } in INFLUENCE {
        let Some(setting) = find(omega, true) else { continue };
        let all: fn(&Point) -> f64 = |p| 1.0 - p.influence_density;
        let recurrent: fn(&Point) -> f64 = |p| 1.0 - p.influence_density_recurrent;
        let known = first.map_or("–".into(), |x| x.to_string());
        let (omega, value) = (omega.to_string(), value.to_string());
        sparsities.add_row([
            "influence",
            &omega,
            "first 10 iterations",
            &known,
            &start(setting, all),
            &start(setting, recurrent),
        ]);
        sparsities.add_row([
            "influence",
            &omega,
            "last 100",
            &value,
            &end(setting, all),
            &end(setting, recurrent),
        ]);
    }
    let head = ["iterations to converge", "published"].map(String::from);
    let losses = [LEARNED, LOW].map(|loss| format!("measured, to a loss of {loss}"));
    let head: Vec<String> = head.into_iter().chain(losses).collect();
    let mut converged = table(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for (omega, activity, value) in CONVERGED {
        let Some(setting) = find(omega, activity) else { continue };
        let [first, second] = [LEARNED, LOW].map(|loss| {
            let (iterations, reached) = setting.when(loss, |p| p.iteration as f64);
            let missing = reached < setting.runs.len();
            let runs =
                if missing { format!(" ({reached}/{} runs)", setting.runs.len()) } else { String::new() };
            format!("{}{runs}", show(iterations, missing))
        });
        converged.add_row([name(setting), value.into(), first, second]);
    }
    format!(
        "Values read off the published curves (to a few per cent) and measured values:\n\n{}\n\n{}",
        sparsities.trim_fmt(),
        converged.trim_fmt()
    )
}

fn share(e: Estimate) -> String {
    if e.error.is_finite() { format!("{:.3} ± {:.3}", e.mean, e.error) } else { format!("{:.3}", e.mean) }
}

/// Returns the table of savings without resets.
fn without_reset(settings: &[Setting], with_reset: &[Setting]) -> String {
    let learned = format!("iterations to loss {LEARNED}");
    let mut table = table(&[
        "",
        "resets",
        &learned,
        "activity sparsity",
        "influence sparsity",
        "zero-derivative rows",
        "inactive columns",
        "inactive columns, last 100",
        "pruned columns",
        "MACs relative to dense",
    ]);
    for setting in settings {
        let twin = with_reset.iter().find(|s| s.omega == setting.omega && s.activity);
        for (which, s) in [("never", Some(setting)), ("every spiral", twin)] {
            let Some(s) = s else { continue };
            let (iterations, reached) = s.when(LEARNED, |p| p.iteration as f64);
            let of = |of: fn(&Point) -> f64| share(s.within(0..=usize::MAX, of));
            let last = |run: &&[Point]| run[run.len() - 1].macs as f64 / run[run.len() - 1].macs_dense as f64;
            let macs = Estimate::of(&s.runs.iter().map(last).collect::<Vec<_>>());
            table.add_row([
                format!("ω = {}", s.omega),
                which.into(),
                show(iterations, reached < s.runs.len()),
                of(|p| p.activity_sparsity),
                of(|p| 1.0 - p.influence_density),
                of(|p| p.rows_without_derivative),
                of(|p| p.columns_inactive),
                share(s.within(s.last().saturating_sub(99)..=usize::MAX, |p| p.columns_inactive)),
                of(|p| p.columns_masked),
                share(macs),
            ]);
        }
    }
    format!(
        "Savings without resets (means over the whole run and over seeds ± standard error). Zero-derivative rows, inactive columns, pruned columns: \
         share of the n × p entries of the influence matrix that are zero because the unit's emission has zero derivative, because the column's \
         source has been zero since the reset, or because the parameter is pruned:\n\n{}",
        table.trim_fmt()
    )
}
