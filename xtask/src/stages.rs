//! The stages of a long task: each is announced, timed, and listed at the end.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Stages done so far, and how long each took.
pub struct Stages {
    start: Instant,
    times: Vec<(&'static str, Duration)>,
}

impl Stages {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { start: Instant::now(), times: Vec::new() }
    }

    /// Announces a stage, runs it, and notes its time.
    pub fn run<T>(&mut self, title: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run_announced(title, title, work)
    }

    /// As [`Stages::run`], and says beforehand how long the stage usually takes on two cores.
    pub fn run_long<T>(&mut self, title: &'static str, usual: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run_announced(title, &format!("{title} ({usual})"), work)
    }

    fn run_announced<T>(
        &mut self,
        title: &'static str,
        announcement: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        eprintln!("== {announcement}");
        let start = Instant::now();
        let result = work()?;
        self.times.push((title, start.elapsed()));
        Ok(result)
    }

    /// One line a stage, and the sum.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (title, time) in &self.times {
            table += &format!("{:>7.1} s  {title}\n", time.as_secs_f64());
        }
        table + &format!("{:>7.1} s  in all\n", self.start.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_stage_is_listed_once_it_is_done() {
        let mut stages = Stages::new();
        assert_eq!(stages.run("first", || Ok(7)).unwrap(), 7);
        assert!(stages.run("second", || -> Result<()> { bail!("it broke") }).is_err());
        let table = stages.table();
        assert!(
            table.contains(" s  first\n") && !table.contains("second") && table.ends_with(" s  in all\n"),
            "{table}"
        );
    }
}
