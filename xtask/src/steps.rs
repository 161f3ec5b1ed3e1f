//! Named steps, run one after another whatever became of the earlier ones, with a table of outcomes and times at the end.

use std::time::{Duration, Instant};

use crate::Result;

/// How a step ended. What was left out is always shown, with the reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it should.
    Passed,
    /// It found something, or could not be run.
    Failed(String),
    /// It was not run, for this reason.
    Skipped(String),
}

struct Step {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps(Vec<Step>);

impl Steps {
    /// Runs one step and remembers how it ended; true if it did not fail.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) -> bool {
        println!("\n== {name}");
        let began = Instant::now();
        let outcome = work().unwrap_or_else(|error| Outcome::Failed(error.to_string()));
        match &outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) => println!("{name} failed: {why}"),
            Outcome::Skipped(why) => println!("{name} skipped: {why}"),
        }
        let passed = !matches!(outcome, Outcome::Failed(_));
        self.0.push(Step { name: name.to_owned(), outcome, took: began.elapsed() });
        passed
    }

    /// Remembers a step that was not run.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.run(name, || Ok(Outcome::Skipped(why.to_owned())));
    }

    /// How many passed, failed and were skipped.
    pub(crate) fn count(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Outcome) -> bool| self.0.iter().filter(|step| is(&step.outcome)).count();
        (
            count(|outcome| matches!(outcome, Outcome::Passed)),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
            count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        )
    }

    /// Prints the table; an error if any step failed.
    pub(crate) fn finish(&self) -> Result<()> {
        println!("\n{}", self.table());
        match self.count().1 {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} steps failed", self.0.len()).into()),
        }
    }

    fn table(&self) -> String {
        let width = self.0.iter().map(|step| step.name.chars().count()).max().unwrap_or_default();
        let total: Duration = self.0.iter().map(|step| step.took).sum();
        let line = |name: &str, took: Duration, outcome: &str| {
            format!("{name:width$}  {:7.1} s  {outcome}\n", took.as_secs_f64())
        };
        let mut table = String::new();
        for step in &self.0 {
            let outcome = match &step.outcome {
                Outcome::Passed => "ok".to_owned(),
                Outcome::Failed(_) => "FAILED".to_owned(),
                Outcome::Skipped(why) => format!("skipped: {why}"),
            };
            table.push_str(&line(&step.name, step.took, &outcome));
        }
        table.push_str(&line("in all", total, ""));
        table.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_does_not_stop_the_others_and_is_not_forgotten() {
        let mut steps = Steps::default();
        assert!(!steps.run("one", || Err("broken".into())));
        assert!(steps.run("two", || Ok(Outcome::Passed)));
        steps.skip("three", "no tool");
        assert_eq!(steps.count(), (1, 1, 1));
        assert_eq!(steps.finish().unwrap_err().to_string(), "1 of 3 steps failed");
    }

    #[test]
    fn the_table_shows_every_step() {
        let mut steps = Steps::default();
        steps.run("one", || Ok(Outcome::Failed("why".to_owned())));
        steps.skip("another", "no tool");
        let table = steps.table();
        assert!(table.contains("one     ") && table.contains("FAILED"), "{table}");
        assert!(table.contains("another") && table.contains("skipped: no tool"), "{table}");
    }

    #[test]
    fn without_a_failure_all_is_well() {
        let mut steps = Steps::default();
        steps.run("one", || Ok(Outcome::Passed));
        steps.finish().unwrap();
    }
}
