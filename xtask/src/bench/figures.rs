//! Figures: percentiles, medians with their spread, and the table they are printed in.

use std::time::Duration;

/// Durations of single requests, in nanoseconds.
#[derive(Default)]
pub(super) struct Latencies(Vec<u64>);

impl Latencies {
    /// Takes one in.
    pub(super) fn push(&mut self, latency: Duration) {
        self.0.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes all of another in.
    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Orders them, which [`Self::percentile`] needs.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The least latency that `percent` of them do not exceed, in milliseconds; nothing of nothing.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).map_or(0.0, |ns| *ns as f64 / 1e6)
    }
}

/// The middle of some figures and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The median.
    pub(super) median: f64,
    /// The least.
    pub(super) least: f64,
    /// The most.
    pub(super) most: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let lower = *figures.get((figures.len() - 1) / 2)?;
        let upper = *figures.get(figures.len() / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, most })
    }

    /// How far the extremes lie apart, as a share of the median.
    pub(super) fn width(&self) -> f64 {
        (self.most - self.least) / self.median
    }
}

/// A table of text, its first column to the left and the others to the right.
pub(super) struct Table(Vec<Vec<String>>);

impl Table {
    /// With the names of the columns.
    pub(super) fn new(names: &[&str]) -> Self {
        Self(vec![names.iter().map(|&name| name.to_owned()).collect()])
    }

    /// Adds a line.
    pub(super) fn line(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    /// Writes it to standard output.
    pub(super) fn print(&self) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.0.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &self.0 {
            let mut text = String::new();
            for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
                text.push_str(&cell);
            }
            println!("{}", text.trim_end());
        }
    }
}

/// What is promised of a figure, and whether it holds.
pub(super) struct Verdict {
    /// What was measured.
    pub(super) what: String,
    /// The figure.
    pub(super) figure: f64,
    /// The most it may be.
    pub(super) target: f64,
}

impl Verdict {
    /// Whether it holds.
    pub(super) fn holds(&self) -> bool {
        self.figure <= self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert!(latencies.percentile(99).abs() < f64::EPSILON);
        for ms in (1..=200).rev() {
            latencies.push(Duration::from_millis(ms));
        }
        latencies.sort();
        let shown: Vec<String> = [0, 1, 50, 99, 100].map(|percent| latencies.percentile(percent).to_string()).into();
        assert_eq!(shown, ["1", "2", "100", "198", "200"]);
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([2.0]), Some(Spread { median: 2.0, least: 2.0, most: 2.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 3.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 3.0, 2.0]).unwrap().median.to_string(), "2.5");
    }
}
