//! A plot as SVG, by hand: a few lines and texts need no library, and need to look alike alone and inside of a page.

use std::fmt::Write as _;

use super::{Line, Plot, Scale, Stroke, Unit};
use crate::report::xml::escape;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 62.0;
const HEIGHT: f64 = 300.0;
pub(super) const COLOURS: usize = 8;
/// Of what is there for comparison.
pub(super) const GREY: usize = 7;
/// A guess at the width of a character of the legend, as nothing here knows the reader's font: rather too wide.
const CHARACTER: f64 = 6.9;
/// Longer labels lose their end.
const LABEL_CHARACTERS: usize = 60;

/// Colours that people with the common kinds of colour blindness tell apart, on white and on black.
pub(crate) const STYLE: &str = "\
.plot{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\
.plot text{fill:#444}.plot .title{font-size:15px;font-weight:600;fill:#111}\
.plot .grid{stroke:#e3e3e3;stroke-width:1}.plot .axis{fill:none;stroke:#888;stroke-width:1}.plot .shade{fill:#f3f3f3}\
.plot .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}.plot .dashed{stroke-dasharray:7 5}\
.plot .dotted{stroke-dasharray:1.5 4}.plot .paper{fill:#fff}\
.plot .c0{stroke:#0a6ebd}.plot .c1{stroke:#d55e00}.plot .c2{stroke:#009e73}.plot .c3{stroke:#b5469b}\
.plot .c4{stroke:#b08900}.plot .c5{stroke:#38a3d8}.plot .c6{stroke:#6b4fbb}.plot .c7{stroke:#777}\
@media(prefers-color-scheme:dark){.plot text{fill:#bbb}.plot .title{fill:#eee}.plot .grid{stroke:#333}\
.plot .axis{stroke:#777}.plot .shade{fill:#232323}.plot .paper{fill:#181818}.plot .c0{stroke:#5cb3ff}\
.plot .c1{stroke:#ff8f3f}.plot .c2{stroke:#2fd6a5}.plot .c3{stroke:#e58bd0}.plot .c4{stroke:#e6c245}\
.plot .c5{stroke:#8fd3f7}.plot .c6{stroke:#a994ff}.plot .c7{stroke:#aaa}}";

/// Of a file of its own, with its style.
pub(crate) fn file(plot: &Plot) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", element(plot, &format!("<style>{STYLE}</style>")))
}

/// Of a page that has [`STYLE`] in its head.
pub(crate) fn inline(plot: &Plot) -> String {
    element(plot, "")
}

fn element(plot: &Plot, style: &str) -> String {
    let (legend, rows) = legend(&plot.lines, TOP + HEIGHT + 64.0);
    let height = TOP + HEIGHT + 56.0 + rows * 20.0;
    let title = escape(&plot.title);
    let mut out = format!(
        "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">{style}<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"26\">{title}</text>\n"
    );
    let (x, y) = (plot.x_scale(), plot.y_scale());
    for (from, to) in &plot.shaded {
        let (from, to) = (across(x, *from), across(x, *to));
        let _ = writeln!(
            out,
            "<rect class=\"shade\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
            to - from
        );
    }
    axes(&mut out, plot, x, y);
    for line in &plot.lines {
        draw(&mut out, line, x, y);
    }
    out.push_str(&legend);
    out.push_str("</svg>\n");
    out
}

fn across(scale: Scale, x: f64) -> f64 {
    LEFT + scale.place(x) * (WIDTH - LEFT - RIGHT)
}

fn down(scale: Scale, y: f64) -> f64 {
    TOP + (1.0 - scale.place(y)) * HEIGHT
}

fn axes(out: &mut String, plot: &Plot, x: Scale, y: Scale) {
    let (right, bottom) = (WIDTH - RIGHT, TOP + HEIGHT);
    for tick in y.ticks() {
        let (at, label) = (down(y, tick), escape(&plot.y.unit.label(tick)));
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 8.0, at + 4.0);
    }
    let mut free = f64::NEG_INFINITY;
    for tick in x_ticks(plot, x) {
        let (at, label) = (across(x, tick), escape(&plot.x.unit.label(tick)));
        let half = width(&label) / 2.0;
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        // A label that would run into the one before it is left out; its line stays.
        if at - half > free {
            let _ = writeln!(out, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 18.0);
            free = at + half + 6.0;
        }
    }
    let _ = writeln!(out, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>");
    let _ = writeln!(out, "<text x=\"16\" y=\"{}\">{}</text>", TOP - 14.0, escape(&plot.y.title));
    let middle = f64::midpoint(LEFT, right);
    let title = escape(&plot.x.title);
    let _ = writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{title}</text>", bottom + 38.0);
}

/// Nines have a tick of their own in each decade, and the median.
fn x_ticks(plot: &Plot, x: Scale) -> Vec<f64> {
    if plot.x.unit == Unit::Nines {
        let decades = (0..13).map(|exponent| 10f64.powi(exponent));
        let mut ticks: Vec<f64> = decades.filter(|tick| x.place(*tick) <= 1.000_001).collect();
        ticks.insert(1, 2.0);
        return ticks;
    }
    x.ticks()
}

fn draw(out: &mut String, line: &Line, x: Scale, y: Scale) {
    let place = |(px, py)| (across(x, px), down(y, py));
    let mut path = String::new();
    for run in line.points.split(Option::is_none) {
        for (at, (px, py)) in run.iter().flatten().copied().map(place).enumerate() {
            let _ = write!(path, "{}{px:.1} {py:.1}", if at == 0 { 'M' } else { 'L' });
        }
        // A point between two gaps would have no line at all.
        if run.len() == 1 {
            path.push_str("h0");
        }
    }
    let _ = writeln!(out, "<path class=\"line {}\" d=\"{path}\"/>", class(line));
    for (px, py) in line.points.iter().flatten().copied().map(place).filter(|_| line.dots) {
        let colour = line.colour % COLOURS;
        let _ = writeln!(out, "<circle class=\"line paper c{colour}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.2\"/>");
    }
}

fn class(line: &Line) -> String {
    let stroke = match line.stroke {
        Stroke::Solid => "",
        Stroke::Dashed => " dashed",
        Stroke::Dotted => " dotted",
    };
    format!("c{}{stroke}", line.colour % COLOURS)
}

fn width(label: &str) -> f64 {
    label.chars().map(|_| CHARACTER).sum()
}

/// The legend from `top` on, and how many rows it took.
fn legend(lines: &[Line], top: f64) -> (String, f64) {
    let (mut out, mut left, mut row) = (String::new(), LEFT, 0.0);
    for line in lines {
        let label = shortened(&line.label);
        let needs = 30.0 + width(&label) + 18.0;
        if left > LEFT && left + needs > WIDTH {
            (left, row) = (LEFT, row + 1.0);
        }
        let (y, text) = (top + row * 20.0, left + 30.0);
        let _ = writeln!(out, "<path class=\"line {}\" d=\"M{left:.1} {:.1}h22\"/>", class(line), y - 4.0);
        let _ = writeln!(out, "<text x=\"{text:.1}\" y=\"{y:.1}\">{}</text>", escape(&label));
        left += needs;
    }
    (out, row + 1.0)
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARACTERS {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARACTERS - 1).chain(['…']).collect()
}
