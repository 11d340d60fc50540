//! The table.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Whether more or less of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str, better: Better) -> Self {
        Self { name: name.into(), value, unit, better }
    }

    pub(crate) fn millis(name: impl Into<String>, time: Duration) -> Self {
        Self::new(name, time.as_secs_f64() * 1000.0, "ms", Better::Less)
    }
}

/// Times in microseconds.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    /// # Panics
    ///
    /// Never: the bounds are valid.
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).expect("valid bounds"))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub(crate) fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    pub(crate) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

/// Prints the figures of a target, with the ratio to a peer's where one was measured in the same run (above 1: better than the peer).
pub(crate) fn print(target: &str, figures: &[Figure], peer: Option<(&str, &[Figure])>) {
    let peer_name = peer.map_or("peer", |(name, _)| name);
    println!("\n| figure | {target} | {peer_name} | times better |\n|---|---:|---:|---:|");
    for figure in figures {
        let other = peer.and_then(|(_, figures)| figures.iter().find(|other| other.name == figure.name));
        let (value, ratio) = match other {
            None => ("".to_owned(), "".to_owned()),
            Some(other) => {
                let ratio = if figure.better == Better::More { figure.value / other.value } else { other.value / figure.value };
                (amount(other), format!("{ratio:.1}"))
            }
        };
        println!("| {} | {} | {value} | {ratio} |", figure.name, amount(figure));
    }
}

fn amount(figure: &Figure) -> String {
    let value = figure.value;
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {}", figure.unit)
}
