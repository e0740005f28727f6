//! The least figures that are nowhere below what was counted.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use microlp::{ComparisonOp, OptimizationDirection, Problem};

/// What one operation did how often, and the instructions that it took.
pub struct Sample {
    /// Operations of a family are fitted together.
    pub family: String,
    /// By term.
    pub terms: BTreeMap<String, f64>,
    /// Counted.
    pub instructions: f64,
}

/// By family and term: the instructions of one of it.
pub type Families = BTreeMap<String, BTreeMap<String, f64>>;

/// Figures of families with fewer different samples than this say little about other shapes: they are kept apart.
const FEWEST: usize = 8;

/// Figures by how many samples they rest on.
pub struct Fitted {
    /// On enough.
    pub families: Families,
    /// On few.
    pub few: Families,
}

/// Figures of at least zero for every family and every term, so that no sample's sum is below its instructions, with the least sum
/// of relative excess: a linear program.
pub fn fit(samples: &[Sample]) -> Result<Fitted> {
    let mut by_family: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        by_family.entry(&sample.family).or_default().push(sample);
    }
    let mut fitted = Fitted { families: Families::new(), few: Families::new() };
    for (family, samples) in by_family {
        let different: std::collections::BTreeSet<String> =
            samples.iter().map(|sample| format!("{:?}", sample.terms)).collect();
        let families = if different.len() < FEWEST { &mut fitted.few } else { &mut fitted.families };
        families.insert(family.to_owned(), least(&samples).with_context(|| format!("no figures fit {family}"))?);
    }
    Ok(fitted)
}

fn least(samples: &[&Sample]) -> Result<BTreeMap<String, f64>> {
    // In units of its largest share of a sample, every figure is of the order of one.
    let mut sizes: BTreeMap<&str, f64> = BTreeMap::new();
    for sample in samples {
        for (term, count) in &sample.terms {
            let size = sizes.entry(term).or_default();
            *size = size.max(count / sample.instructions);
        }
    }
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let variables: BTreeMap<&str, microlp::Variable> = sizes
        .iter()
        .map(|(&term, size)| {
            let excess: f64 =
                samples.iter().filter_map(|sample| Some(sample.terms.get(term)? / sample.instructions)).sum();
            (term, problem.add_var(excess / size, (0.0, f64::INFINITY)))
        })
        .collect();
    for sample in samples {
        let shares: Vec<(microlp::Variable, f64)> = sample
            .terms
            .iter()
            .map(|(term, count)| (variables[term.as_str()], count / sample.instructions / sizes[term.as_str()]))
            .collect();
        problem.add_constraint(&shares, ComparisonOp::Ge, 1.0);
    }
    let solution = problem.solve()?.into_solution().ok().context("the solver stopped early")?;
    Ok(variables
        .iter()
        .map(|(&term, &variable)| (term.to_owned(), solution.var_value(variable).max(0.0) / sizes[term]))
        .collect())
}

/// What figures make of a sample.
pub fn predict(families: &Families, sample: &Sample) -> Option<f64> {
    let figures = families.get(&sample.family)?;
    sample.terms.iter().map(|(term, count)| Some(figures.get(term)? * count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(family: &str, elements: f64, instructions: f64) -> Sample {
        let terms = [("calls".to_owned(), 1.0), ("elements".to_owned(), elements)].into();
        Sample { family: family.into(), terms, instructions }
    }

    #[test]
    fn exact_counts_are_found_again() {
        let elements = [1.0, 2.0, 3.0, 8.0, 20.0, 50.0, 70.0, 100.0];
        let samples: Vec<Sample> =
            elements.iter().map(|&elements| sample("add", elements, 40.0 + 3.0 * elements)).collect();
        let families = fit(&samples).unwrap().families;
        assert!((families["add"]["calls"] - 40.0).abs() < 1e-6 && (families["add"]["elements"] - 3.0).abs() < 1e-9);
    }

    #[test]
    fn no_sample_is_above_its_prediction_and_one_touches_it() {
        let counted = [50.0, 47.0, 71.0, 112.0, 340.0, 75.0, 80.0, 86.0];
        let samples: Vec<Sample> = [1.0, 2.0, 9.0, 20.0, 100.0, 10.0, 11.0, 13.0]
            .iter()
            .zip(counted)
            .map(|(&elements, instructions)| sample("add", elements, instructions))
            .chain([sample("multiply", 4.0, 9.0)])
            .collect();
        let Fitted { families, few } = fit(&samples).unwrap();
        assert!(!families.contains_key("multiply"), "one sample is too few");
        assert!((predict(&few, &sample("multiply", 4.0, 9.0)).unwrap() - 9.0).abs() < 1e-6);
        let excess = samples.iter().filter_map(|sample| Some(predict(&families, sample)? - sample.instructions));
        assert_eq!(excess.clone().count(), 8);
        assert!(excess.clone().all(|excess| excess > -1e-6));
        assert!(excess.fold(f64::INFINITY, f64::min) < 1e-6);
        assert_eq!(predict(&families, &sample("resize", 1.0, 1.0)), None);
    }
}
