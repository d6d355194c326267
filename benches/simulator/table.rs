//! Hit ratios by load and policy, as text and as JSON.

use std::fmt::{self, Write as _};

/// One load at one size. Ratios in percent, one for each policy.
pub(crate) struct Row {
    pub(crate) load: String,
    pub(crate) entries: usize,
    pub(crate) ratios: Vec<f64>,
}

pub(crate) struct Table {
    pub(crate) policies: Vec<String>,
    /// How many of the rows, from the first on, are of recorded traces.
    pub(crate) traces: usize,
    pub(crate) rows: Vec<Row>,
    /// Percent for each row: LRU's, and the limit.
    pub(crate) lru: Vec<f64>,
    pub(crate) limit: Vec<f64>,
}

/// What a policy comes to over some rows.
struct Sum {
    mean: f64,
    worst: f64,
}

impl Sum {
    const NONE: Self = Self {
        mean: f64::NAN,
        worst: f64::NAN,
    };
}

impl Table {
    /// The loads' names, each once.
    fn loads(&self, rows: std::ops::Range<usize>) -> Vec<&str> {
        let mut names: Vec<&str> = self.rows[rows]
            .iter()
            .map(|row| row.load.as_str())
            .collect();
        names.dedup();
        names
    }

    fn sum(&self, policy: usize, is_meant: impl Fn(usize, &Row) -> bool) -> Option<Sum> {
        let rows = self.rows.iter().zip(&self.lru).enumerate();
        let meant = rows.filter(|(at, (row, _))| is_meant(*at, row));
        let pairs: Vec<_> = meant
            .map(|(_, (row, lru))| (row.ratios[policy], *lru))
            .collect();
        let total: f64 = pairs.iter().map(|(ratio, _)| ratio).sum();
        let worst = pairs.iter().map(|(ratio, lru)| ratio - lru);
        (!pairs.is_empty()).then(|| Sum {
            mean: total / pairs.len() as f64,
            worst: worst.fold(f64::INFINITY, f64::min),
        })
    }

    fn mean_of(&self, policy: usize, load: &str) -> f64 {
        self.sum(policy, |_, row| row.load == load)
            .map_or(0.0, |sum| sum.mean)
    }

    /// Every load at every size.
    pub(crate) fn in_full(&self) -> Result<String, fmt::Error> {
        let mut text = format!("{:22}", "");
        let has_limit = self.limit.iter().any(|limit| !limit.is_nan());
        let limit = has_limit.then_some("BELADY");
        for name in self.policies.iter().map(String::as_str).chain(limit) {
            write!(text, "{name:>10}")?;
        }
        for (row, limit) in self.rows.iter().zip(&self.limit) {
            let name = format!("{}, {}", row.load, row.entries);
            write!(text, "\n{name:22}")?;
            for ratio in row.ratios.iter().chain(has_limit.then_some(limit)) {
                write!(text, "{ratio:10.2}")?;
            }
        }
        Ok(text + "\n")
    }

    /// A line for each policy: means, and the worst difference to LRU.
    pub(crate) fn in_brief(&self) -> Result<String, fmt::Error> {
        let traces = self.loads(0..self.traces);
        let mut text = format!("{:44}", "means, and the worst difference to LRU");
        for name in &traces {
            write!(text, "{name:>13}")?;
        }
        let groups: &[bool] = if self.traces > 0 {
            &[true, false]
        } else {
            &[false]
        };
        for is_trace in groups {
            let name = if *is_trace { "traces" } else { "made" };
            write!(text, "{name:>9}{:>9}", "worst")?;
        }
        text.push('\n');
        for (policy, name) in self.policies.iter().enumerate() {
            write!(text, "{name:44}")?;
            for load in &traces {
                write!(text, "{:13.2}", self.mean_of(policy, load))?;
            }
            for is_trace in groups {
                let sum = self.sum(policy, |at, _| (at < self.traces) == *is_trace);
                let Sum { mean, worst } = sum.unwrap_or(Sum::NONE);
                write!(text, "{mean:9.2}{worst:9.2}")?;
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// For each trace, what is best on the others, and how it and the first policy do on the trace itself.
    pub(crate) fn held_out(&self) -> Result<String, fmt::Error> {
        let traces = self.loads(0..self.traces);
        let mut text = String::new();
        for held in &traces {
            let others = |policy: usize| {
                let means = traces.iter().filter(|load| *load != held);
                means.map(|load| self.mean_of(policy, load)).sum::<f64>()
            };
            let all = 0..self.policies.len();
            let best = all
                .max_by(|a, b| others(*a).total_cmp(&others(*b)))
                .unwrap_or(0);
            let (chosen, first) = (self.mean_of(best, held), self.mean_of(0, held));
            let name = &self.policies[best];
            writeln!(
                text,
                "best without {held}: {name}, {chosen:.2} on {held}; as shipped {first:.2}"
            )?;
        }
        Ok(text)
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Result<String, fmt::Error> {
        let mut text = format!("{{\"policies\": {:?}, \"rows\": [", self.policies);
        for (at, (row, limit)) in self.rows.iter().zip(&self.limit).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let Row {
                load,
                entries,
                ratios,
            } = row;
            let is_trace = at < self.traces;
            write!(
                text,
                "{comma}\n  {{\"load\": {load:?}, \"trace\": {is_trace}, \"entries\": {entries}, "
            )?;
            write!(text, "\"percent\": {ratios:.3?}, \"limit\": {limit:.3}}}")?;
        }
        text += "\n]}\n";
        Ok(text)
    }
}
