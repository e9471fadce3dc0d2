//! Plots as data: lines over two axes. What they show is decided in [`of_results`], how they look in [`svg`].

pub(crate) mod of_results;
mod scale;
mod series;
pub(crate) mod svg;

use self::scale::Scale;
pub(crate) use self::scale::Unit;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plot {
    /// Its file's name, without the ending.
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
    /// Parts of the x axis that stand back: what was not counted.
    pub(crate) shaded: Vec<(f64, f64)>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Axis {
    pub(crate) title: String,
    pub(crate) unit: Unit,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    /// Of the palette; lines that belong together share one.
    pub(crate) colour: usize,
    pub(crate) stroke: Stroke,
    /// A dot at each point.
    pub(crate) dots: bool,
    /// None is a gap.
    pub(crate) points: Vec<Option<(f64, f64)>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

impl Line {
    pub(crate) fn solid(label: impl Into<String>, colour: usize, points: Vec<Option<(f64, f64)>>) -> Self {
        Self { label: label.into(), colour, stroke: Stroke::Solid, dots: false, points }
    }
}

impl Plot {
    /// None when there is nothing to see.
    fn worthwhile(self) -> Option<Self> {
        self.lines.iter().any(|line| line.points.iter().any(Option::is_some)).then_some(self)
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().flat_map(|line| line.points.iter().copied().flatten())
    }

    fn x_scale(&self) -> Scale {
        let shaded = self.shaded.iter().flat_map(|(from, to)| [*from, *to]);
        let (low, high) = ends(self.points().map(|(x, _)| x).chain(shaded));
        match self.x.unit {
            Unit::Nines => Scale::exact(true, 1.0, high.max(10.0)),
            Unit::Seconds => Scale::exact(false, low, high),
            _ => Scale::linear(low, high),
        }
    }

    /// Latencies that differ by more than a factor of eight are on a logarithmic axis: on a linear one the tail would press
    /// everything else to the floor.
    fn y_scale(&self) -> Scale {
        let (low, high) = ends(self.points().map(|(_, y)| y));
        if self.y.unit == Unit::Microseconds && low > 0.0 && high / low > 8.0 {
            Scale::log(low, high)
        } else {
            Scale::linear(low.min(if self.y.unit == Unit::PerSecond { 0.0 } else { low }), high)
        }
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if ends.0 <= ends.1 { ends } else { (0.0, 1.0) }
}
