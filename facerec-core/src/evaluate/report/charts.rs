//! Which curves the page has.

use super::figures::{CurvePoint, EvaluationReport, PackReport, RejectPoint, Verification};
use super::plot::{Axis, Chart, Kind, Series, svg};
use crate::error::Result;

/// The false non-match rate against the false match rate, a curve for each. Both axes are logarithmic.
pub(super) fn det<'a>(curves: impl Iterator<Item = &'a Verification> + Clone) -> Result<String> {
    let least = |pairs: &dyn Fn(&Verification) -> u64| curves.clone().map(pairs).max().unwrap_or(1);
    let (x, y) =
        (decades("false match rate", least(&|one| one.impostor_pairs)), decades("false non-match rate", least(&|one| one.genuine_pairs)));
    let series = curves.clone().enumerate().map(|(colour, one)| {
        let points = one.curve.iter().filter_map(|point| Some((logarithm(point.fmr)?, logarithm(point.fnmr?)?)));
        Series { colour, kind: Kind::Line, points: points.collect() }
    });
    svg(&Chart { label: "False non-match rate against false match rate", x, y, series: series.collect() })
}

/// Both error rates against the threshold, dashed where it is the false non-match rate. The rates' axis is logarithmic.
pub(super) fn by_threshold(packs: &[PackReport]) -> Result<String> {
    let curves = || packs.iter().map(|pack| &pack.verification);
    let y = decades("error rate", curves().map(|one| one.impostor_pairs.max(one.genuine_pairs)).max().unwrap_or(1));
    // Where the false match rate is still about 1, there is nothing to see.
    let ends = curves().flat_map(|one| one.curve.iter().find(|point| point.fmr < 0.99).into_iter().chain(one.curve.last()));
    let ends = ends.map(|point| f64::from(point.threshold));
    let (low, high) = ends.fold((1.0_f64, -1.0_f64), |(low, high), at| (low.min(at), high.max(at)));
    let x = similarity(low, high);
    let line = |curve: &[CurvePoint], rate: fn(&CurvePoint) -> Option<f64>| {
        let shown = curve.iter().filter(|point| f64::from(point.threshold) >= x.low);
        shown.filter_map(|point| Some((f64::from(point.threshold), logarithm(rate(point)?)?))).collect()
    };
    let series = curves().enumerate().flat_map(|(colour, one)| {
        [
            Series { colour, kind: Kind::Line, points: line(&one.curve, |point| Some(point.fmr)) },
            Series { colour, kind: Kind::Dashed, points: line(&one.curve, |point| point.fnmr) },
        ]
    });
    let series = series.collect();
    svg(&Chart { label: "Error rates against the threshold", x, y, series })
}

/// Shares of the genuine and of the impostor pairs by similarity.
pub(super) fn histogram(pack: &PackReport) -> Result<String> {
    let steps = pack.histogram.genuine.len();
    let width = 2.0 / steps.max(1) as f64;
    let left = |step: usize| step as f64 * width - 1.0;
    let both = || [&pack.histogram.impostor, &pack.histogram.genuine];
    let share = |counts: &[u64], step: usize| counts[step] as f64 / counts.iter().sum::<u64>().max(1) as f64;
    let highest = both().iter().flat_map(|counts| (0..steps).map(|step| share(counts, step))).fold(0.0, f64::max);
    // Columns too low to be seen do not widen the chart: pairs that cannot be recognised stand at -1.
    let seen = |step: &usize| both().iter().any(|counts| share(counts, *step) > highest / 500.0);
    let filled: Vec<usize> = (0..steps).filter(seen).collect();
    let (first, last) = (filled.first().copied().unwrap_or(0), filled.last().copied().unwrap_or(steps.saturating_sub(1)));
    let outline = |counts: &[u64]| {
        (first..=last).flat_map(|step| [(left(step), share(counts, step)), (left(step + 1), share(counts, step))]).collect::<Vec<_>>()
    };
    let series = both().iter().enumerate().map(|(colour, counts)| Series { colour, kind: Kind::Area, points: outline(counts) }).collect();
    let y = percent("share of the pairs", highest.max(0.01));
    svg(&Chart { label: "Similarities of genuine and impostor pairs", x: similarity(left(first), left(last + 1)), y, series })
}

/// The false non-match rate against the share of photos refused, a curve per pack; `None` where no pack has one.
pub(super) fn rejection(report: &EvaluationReport, points: fn(&PackReport) -> &[RejectPoint]) -> Result<Option<String>> {
    let curves = || report.packs.iter().map(points);
    if curves().all(<[RejectPoint]>::is_empty) {
        return Ok(None);
    }
    let highest = curves().flatten().map(|point| point.fnmr).fold(0.0, f64::max);
    let series = curves().enumerate().map(|(colour, points)| {
        let points = points.iter().map(|point| (point.rejected, point.fnmr)).collect();
        Series { colour, kind: Kind::Line, points }
    });
    let x = Axis { title: "photos refused", ..percent("", 0.5) };
    let label = "False non-match rate against the share of photos refused";
    svg(&Chart { label, x, y: percent("false non-match rate", highest.max(0.001)), series: series.collect() }).map(Some)
}

/// Rates from that of one pair in `pairs` to 1, by their logarithm to base 10.
fn decades(title: &'static str, pairs: u64) -> Axis {
    let low = -(pairs.max(10) as f64).log10().ceil().min(8.0);
    let name = |decade: i32| match decade {
        0 => "1".to_owned(),
        -1 => "0.1".to_owned(),
        -2 => "0.01".to_owned(),
        _ => format!("1e{decade}"),
    };
    Axis { title, low, high: 0.0, ticks: (low as i32..=0).map(|decade| (f64::from(decade), name(decade))).collect() }
}

/// A rate of nothing has no place on a logarithmic axis.
fn logarithm(rate: f64) -> Option<f64> {
    (rate > 0.0).then(|| rate.log10())
}

/// Similarities, the ends at labels.
fn similarity(low: f64, high: f64) -> Axis {
    let step = 0.2;
    let (first, last) = ((low / step).floor() as i32, (high / step).ceil() as i32);
    let last = last.max(first + 1);
    let ticks = (first..=last).map(|tick| (f64::from(tick) * step, format!("{:.1}", f64::from(tick) * step)));
    Axis { title: "similarity", low: f64::from(first) * step, high: f64::from(last) * step, ticks: ticks.collect() }
}

/// Shares from 0 to `highest` or a little above, with four to eight labels.
fn percent(title: &'static str, highest: f64) -> Axis {
    let decade = 10_f64.powf(highest.log10().floor());
    let step = [0.2, 0.5, 1.0, 2.0].map(|step| step * decade).into_iter().find(|step| highest / step <= 6.0).unwrap_or(2.0 * decade);
    let steps = (highest / step - 1e-9).ceil().max(1.0) as i32;
    let places = (-(step * 100.0).log10().floor()).max(0.0) as usize;
    let ticks = (0..=steps).map(|tick| (f64::from(tick) * step, format!("{:.places$} %", f64::from(tick) * step * 100.0)));
    Axis { title, low: 0.0, high: f64::from(steps) * step, ticks: ticks.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn axes_have_round_ends_and_few_labels() {
        assert_eq!(labels(&percent("", 0.5)), ["0 %", "10 %", "20 %", "30 %", "40 %", "50 %"]);
        assert_eq!(labels(&percent("", 0.0123)), ["0.0 %", "0.5 %", "1.0 %", "1.5 %"]);
        assert_eq!(labels(&percent("", 0.001)), ["0.00 %", "0.02 %", "0.04 %", "0.06 %", "0.08 %", "0.10 %"]);
        assert_eq!(labels(&decades("", 20_000)), ["1e-5", "1e-4", "1e-3", "0.01", "0.1", "1"]);
        assert_eq!(labels(&decades("", 0)), ["0.1", "1"]);
        assert_eq!(labels(&similarity(-0.31, 0.95)), ["-0.4", "-0.2", "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(similarity(1.0, -1.0).ticks.len(), 2, "no pair at all");
    }
}
