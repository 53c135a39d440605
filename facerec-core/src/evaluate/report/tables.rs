//! Figures as the page's tables.

use std::fmt::Write;

use super::figures::{CommonPoint, GroupReport, OperatingPoint, PackReport, SearchReport, Verification};
use crate::text::html::isolated;

/// A table: a head, and rows whose cells are HTML.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = String::from("<div class=\"table\"><table>\n<tr>");
    head.iter().for_each(|name| push(&mut out, format_args!("<th scope=\"col\">{name}</th>")));
    for row in rows {
        out.push_str("</tr>\n<tr>");
        row.iter().for_each(|cell| push(&mut out, format_args!("<td>{cell}</td>")));
    }
    out.push_str("</tr>\n</table></div>\n");
    out
}

/// The most important figures, a row per pack.
pub(super) fn summary(packs: &[PackReport]) -> String {
    let row = |(colour, pack): (usize, &PackReport)| {
        let Verification { no_face, unrecognisable, eer, operating_points, .. } = &pack.verification;
        let searched = pack.identification.as_ref();
        let fnir = searched.and_then(|found| found.open_set.first()?.fnir);
        vec![
            format!("{}{}", swatch(colour), isolated(&pack.pack)),
            percent(operating_points.get(1).and_then(|point| point.fnmr)),
            percent(*eer),
            percent(searched.map(|found| found.rank1)),
            percent(fnir),
            format!("{no_face}"),
            format!("{unrecognisable}"),
        ]
    };
    let head = [
        "pack",
        "FNMR at<br>FMR 1e-3",
        "equal error<br>rate",
        "rank 1",
        "FNIR at<br>FPIR 1e-2",
        "photos<br>without a face",
        "photos not<br>recognisable",
    ];
    table(&head, packs.iter().enumerate().map(row))
}

/// The thresholds of each pack, a row per false match rate.
pub(super) fn thresholds(name: &str, verification: &Verification) -> String {
    let row = |point: &OperatingPoint| {
        let below = |text: Option<String>| text.map_or_else(String::new, |text| format!("<small>{text}</small>"));
        let thresholds = point.threshold_interval.map(|[low, high]| format!("{low:.3} to {high:.3}"));
        let rates = point.fnmr_interval.map(|[low, high]| format!("{} to {}", percent(Some(low)), percent(Some(high))));
        let rough = point.false_matches.filter(|&matches| matches < 30).map(|_| "fewer than 30: rough".to_owned());
        vec![
            format!("{:e}", point.fmr),
            point.threshold.map_or_else(too_few, |threshold| format!("{threshold:.3}") + &below(thresholds)),
            percent(point.fnmr) + &below(rates),
            point.false_matches.map_or_else(|| "&ndash;".into(), |matches| grouped(matches) + &below(rough)),
        ]
    };
    let heading = format!("<h3>{name}</h3>\n");
    heading
        + &table(&["false match rate", "threshold", "false non-match rate", "false matches"], verification.operating_points.iter().map(row))
}

/// Searches, a row per pack or group.
pub(super) fn searches<'a>(first: &str, rows: impl Iterator<Item = (String, &'a SearchReport)>) -> String {
    let row = |(name, found): (String, &SearchReport)| {
        let mut row = vec![
            name,
            grouped(found.enrolled as u64),
            grouped(found.mated as u64),
            grouped(found.non_mated as u64),
            percent(Some(found.rank1)),
        ];
        row.extend(found.open_set.iter().map(|point| {
            let at = point.threshold.map_or_else(String::new, |at| format!("<small>from {at:.3}</small>"));
            if point.threshold.is_some() { percent(point.fnir) + &at } else { too_few() }
        }));
        row
    };
    let head = [first, "enrolled", "mated<br>searches", "non-mated<br>searches", "rank 1", "FNIR at<br>FPIR 1e-2", "FNIR at<br>FPIR 1e-3"];
    table(&head, rows.map(row))
}

/// The groups of one pack at the common threshold, and at their own.
pub(super) fn groups(attribute: &str, groups: &[GroupReport]) -> String {
    let row = |(colour, group): (usize, &GroupReport)| {
        let at = |number: usize| group.at_common_thresholds.get(number);
        let own = group.verification.operating_points.get(1);
        let both = |point: Option<&CommonPoint>| [percent(point.and_then(|point| point.fmr)), percent(point.and_then(|point| point.fnmr))];
        let mut row = vec![
            format!("{}{}", if colour < super::MOST_PACKS { swatch(colour) } else { String::new() }, isolated(&group.group)),
            grouped(group.verification.people as u64),
            grouped(group.verification.photos as u64),
            grouped(group.verification.no_face as u64),
        ];
        row.extend(both(at(1)));
        row.extend(both(at(2)));
        row.push(own.and_then(|point| point.threshold).map_or_else(too_few, |threshold| format!("{threshold:.3}")));
        row.push(percent(own.and_then(|point| point.fnmr)));
        row
    };
    let head = [
        attribute,
        "people",
        "photos",
        "without<br>a face",
        "FMR at the<br>common 1e-3",
        "FNMR at the<br>common 1e-3",
        "FMR at the<br>common 1e-4",
        "FNMR at the<br>common 1e-4",
        "own threshold<br>for 1e-3",
        "FNMR there",
    ];
    table(&head, groups.iter().enumerate().map(row))
}

pub(super) fn swatch(colour: usize) -> String {
    format!("<i class=\"c{colour}\"></i>")
}

fn too_few() -> String {
    "<small>too few</small>".into()
}

/// A rate with the digits that a small one needs.
pub(super) fn percent(rate: Option<f64>) -> String {
    match rate.map(|rate| rate * 100.0) {
        None => "&ndash;".into(),
        Some(rate) if rate > 0.0 && rate < 0.001 => format!("{rate:.5} %"),
        Some(rate) if rate > 0.0 && rate < 0.1 => format!("{rate:.3} %"),
        Some(rate) => format!("{rate:.2} %"),
    }
}

/// A number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a String cannot fail
}
