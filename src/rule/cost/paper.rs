//! The formulas of Table 1 of the RTRL paper.

/// Sizes and sparsities in the formulas of Table 1 of the RTRL paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// n, number of units.
    pub units: f64,
    /// p, number of parameters without masks.
    pub parameters: f64,
    /// ω̃, share of kept parameters.
    pub kept: f64,
    /// α̃, share of units with nonzero output.
    pub active: f64,
    /// β̃, share of units with nonzero pseudo-derivative.
    pub steep: f64,
    /// T, number of steps per sequence.
    pub steps: f64,
}

/// Memory and time of one method in Table 1 of the RTRL paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperCost {
    /// Formula of memory, as published.
    pub memory_formula: &'static str,
    /// Formula of time, as published.
    pub time_formula: &'static str,
    /// Memory, in numbers.
    pub memory: f64,
    /// Time per step, in MACs.
    pub time: f64,
}

/// Returns the row of Table 1 of the RTRL paper for a rule, or `None` if the table has no such
/// rule.
///
/// `rtrl` is RTRL "with both" sparsities in the table. Its formula holds for networks without
/// carry.
pub fn paper(rule: &str, s: &Shape) -> Option<PaperCost> {
    let (n, p, w, a, b) = (s.units, s.parameters, s.kept, s.active, s.steep);
    let cost = |memory_formula, memory, time_formula, time| {
        Some(PaperCost { memory_formula, time_formula, memory, time })
    };
    match rule {
        "bptt" => cost("Tn + p", s.steps * n + p, "n² + p", n * n + p),
        "rtrl-dense" => cost("n + np", n + n * p, "n² + n²p", n * n + n * n * p),
        "rtrl-param" => cost("n + ω̃np", n + w * n * p, "ω̃n² + ω̃²n²p", w * n * n + w * w * n * n * p),
        "rtrl-activity" => cost("α̃n + β̃np", a * n + b * n * p, "α̃n² + β̃²n²p", a * n * n + b * b * n * n * p),
        "rtrl" => cost(
            "α̃n + ω̃β̃np",
            a * n + w * b * n * p,
            "ω̃α̃n² + ω̃²β̃²n²p",
            w * a * n * n + w * w * b * b * n * n * p,
        ),
        "snap-1" => cost("n + ω̃p", n + w * p, "ω̃n² + ω̃p", w * n * n + w * p),
        "snap-2" => cost("n + ω̃²np", n + w * w * n * p, "ω̃n² + ω̃³n²p", w * n * n + w * w * w * n * n * p),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_cost_of_the_introductions_example_is_one_percent() {
        // β̃ = .5 and ω̃ = .2 leave 1 % of the influence update.
        let shape = Shape { units: 100.0, parameters: 1e4, kept: 0.2, active: 0.0, steep: 0.5, steps: 17.0 };
        let share = paper("rtrl", &shape).unwrap().time / (1e4 * 1e4);
        assert!((share - 0.01).abs() < 1e-12, "{share}");
        assert!(paper("uoro", &shape).is_none());
    }

    /// Table 1 by hand for n = 10, p = 1000, ω̃ = .1, α̃ = .4, β̃ = .5, T = 7: memory and time of
    /// every row.
    #[test]
    fn paper_cost_of_every_row_equals_table_1_by_hand() {
        let shape = Shape { units: 10.0, parameters: 1000.0, kept: 0.1, active: 0.4, steep: 0.5, steps: 7.0 };
        for (rule, memory, time) in [
            ("bptt", 70.0 + 1000.0, 100.0 + 1000.0),
            ("rtrl-dense", 10.0 + 10_000.0, 100.0 + 100_000.0),
            ("rtrl-param", 10.0 + 1000.0, 10.0 + 1000.0),
            ("rtrl-activity", 4.0 + 5000.0, 40.0 + 25_000.0),
            ("rtrl", 4.0 + 500.0, 4.0 + 250.0),
            ("snap-1", 10.0 + 100.0, 10.0 + 100.0),
            ("snap-2", 10.0 + 100.0, 10.0 + 100.0),
        ] {
            let row = paper(rule, &shape).unwrap();
            assert!((row.memory - memory).abs() < 1e-9, "{rule}: memory {}", row.memory);
            assert!((row.time - time).abs() < 1e-9, "{rule}: time {}", row.time);
        }
    }
}
