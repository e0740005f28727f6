//! Figures of several programs, taken in turn.

use anyhow::{Context, Result};

/// A program under measurement: its name, and one run of it, which gives images a second.
pub struct Program<'a> {
    pub name: &'a str,
    pub run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

/// What was measured of one program.
pub struct Figures {
    pub name: String,
    pub values: Vec<f64>,
}

impl Figures {
    /// The middle value.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        }
    }

    /// Smallest and largest value.
    pub fn range(&self) -> (f64, f64) {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        self.values.iter().fold(start, |(low, high), &value| (low.min(value), high.max(value)))
    }
}

/// Runs the programs one after the other, again and again, so that what else the machine does meets all of them alike.
pub fn in_turn(mut programs: Vec<Program<'_>>, runs: usize) -> Result<Vec<Figures>> {
    let mut figures: Vec<Figures> =
        programs.iter().map(|program| Figures { name: program.name.into(), values: Vec::new() }).collect();
    for run in 1..=runs {
        for (program, figures) in programs.iter_mut().zip(&mut figures) {
            let value = (program.run)().with_context(|| format!("run {run} of {}", program.name))?;
            eprintln!("run {run} of {runs}: {} {value:.2} images a second", program.name);
            figures.values.push(value);
        }
    }
    Ok(figures)
}

/// A table whose ratios are to the last program, the peer.
pub fn table(figures: &[Figures]) -> String {
    let peer = figures.last().map_or(1.0, Figures::median);
    let mut table = String::from(
        "| program | images a second (median) | smallest | largest | times the peer |\n|---|---|---|---|---|\n",
    );
    for program in figures {
        let (low, high) = program.range();
        let median = program.median();
        table += &format!("| {} | {median:.1} | {low:.1} | {high:.1} | {:.2} |\n", program.name, median / peer);
    }
    table
}

/// The number that a program printed.
pub fn number(text: &[u8]) -> Result<f64> {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().with_context(|| format!("expected a number of images a second, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ranges_and_ratios() {
        let figures = |name: &str, values: &[f64]| Figures { name: name.into(), values: values.to_vec() };
        let ours = figures("ours", &[4.0, 1.0, 6.0]);
        assert_eq!((ours.median(), ours.range()), (4.0, (1.0, 6.0)));
        let peer = figures("peer", &[3.0, 1.0]);
        assert_eq!(peer.median(), 2.0);
        assert!(table(&[ours, peer]).contains("| ours | 4.0 | 1.0 | 6.0 | 2.00 |"));
    }

    #[test]
    fn programs_run_in_turn() {
        let order = std::cell::RefCell::new(Vec::new());
        let program = |name: &'static str, value| Program {
            name,
            run: Box::new({
                let order = &order;
                move || {
                    order.borrow_mut().push(name);
                    Ok(value)
                }
            }),
        };
        let figures = in_turn(vec![program("a", 1.0), program("b", 2.0)], 2).unwrap();
        assert_eq!(*order.borrow(), ["a", "b", "a", "b"]);
        assert_eq!(figures[1].values, [2.0, 2.0]);
    }
}
