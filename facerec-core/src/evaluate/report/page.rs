//! The report as one HTML page without scripts: it opens anywhere, offline, and can be mailed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::figures::{EvaluationReport, GroupReport, ModelName, PackReport, WorstPair};
use super::tables::{grouped, percent, push, swatch};
use super::{MOST_PACKS, charts, tables};
use crate::error::Result;
use crate::text::html::{escape, isolated};

/// The page on a video and this one look alike.
const STYLE: &str = concat!(include_str!("../../report/style.css"), include_str!("report.css"));

pub(super) fn page(report: &EvaluationReport) -> Result<String> {
    let mut out = String::with_capacity(1 << 17);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    push(&mut out, format_args!("<title>facerec: how well people are recognised</title>\n<style>\n{STYLE}</style>\n<main>\n"));
    let (people, photos) = (grouped(report.people as u64), grouped(report.photos as u64));
    push(
        &mut out,
        format_args!("<header><h1>How well people are recognised</h1>\n<p>{people} people &middot; {photos} photos</p></header>\n"),
    );
    section(&mut out, "In short", "", |out| out.push_str(&tables::summary(&report.packs)));
    errors(&mut out, report)?;
    rejection(&mut out, report)?;
    identification(&mut out, report);
    groups(&mut out, report)?;
    worst(&mut out, report);
    method(&mut out, report);
    out.push_str("</main>\n</html>\n");
    Ok(out)
}

fn section(out: &mut String, heading: &str, words: &str, content: impl FnOnce(&mut String)) {
    let words = if words.is_empty() { String::new() } else { format!("<p>{words}</p>\n") };
    push(out, format_args!("<section><h2>{heading}</h2>\n{words}"));
    content(out);
    out.push_str("</section>\n");
}

/// A chart with what it shows and whose curves are whose.
fn figure(title: &str, words: &str, svg: &str, key: &str) -> String {
    format!("<figure><figcaption><strong>{title}</strong>{words}</figcaption>\n{svg}<div class=\"key\">{key}</div></figure>\n")
}

fn key<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.enumerate().map(|(colour, name)| format!("<span>{}{}</span>", swatch(colour), isolated(name))).collect()
}

fn pack_names(report: &EvaluationReport) -> impl Iterator<Item = &str> {
    report.packs.iter().map(|pack| pack.pack.as_str())
}

fn errors(out: &mut String, report: &EvaluationReport) -> Result<()> {
    let packs = key(pack_names(report));
    let mut figures = String::new();
    if report.packs.iter().any(|pack| !pack.verification.curve.is_empty()) {
        let det = charts::det(report.packs.iter().map(|pack| &pack.verification))?;
        figures += &figure("Detection error trade-off", "lower is better; both axes logarithmic", &det, &packs);
        let dashes = "<span><i></i>false match rate</span><span><i class=\"dashed\"></i>false non-match rate</span>";
        let rates = charts::by_threshold(&report.packs)?;
        figures += &figure("Error rates by threshold", "rates on a logarithmic axis", &rates, &format!("{packs}{dashes}"));
    }
    for pack in &report.packs {
        let title = if report.packs.len() > 1 { format!("Similarities, {}", isolated(&pack.pack)) } else { "Similarities".into() };
        let kinds = ["different people", "the same person"].into_iter();
        figures += &figure(&title, "share of each kind of pair, in steps of 0.02", &charts::histogram(pack)?, &key(kinds));
    }
    let words =
        "A false match takes two people for one, a false non-match one person for two. In small print: 95&nbsp;% intervals over people.";
    section(out, "Verification", words, |out| {
        push(out, format_args!("<div class=\"charts\">\n{figures}</div>\n"));
        for pack in &report.packs {
            let name = format!("Thresholds, {}", isolated(&pack.pack));
            out.push_str(&tables::thresholds(&name, &pack.verification));
        }
    });
    Ok(())
}

fn rejection(out: &mut String, report: &EvaluationReport) -> Result<()> {
    let mut figures = String::new();
    if let Some(chart) = charts::rejection(report, |pack| &pack.rejection.by_quality)? {
        figures += &figure("By quality", "photos of the lowest quality refused first", &chart, &key(pack_names(report)));
    }
    if let Some(chart) = charts::rejection(report, |pack| &pack.rejection.by_recognisability)? {
        figures += &figure("By recognisability", "photos of the lowest recognisability refused first", &chart, &key(pack_names(report)));
    }
    let words = "The false non-match rate of the photos that are left when the worst are refused, at the threshold of FMR 1e-3 on all \
                 photos. A measure that foresees errors falls steeply. Photos without a face are refused first.";
    if !figures.is_empty() {
        section(out, "Refusing poor photos", words, |out| push(out, format_args!("<div class=\"charts\">\n{figures}</div>\n")));
    }
    Ok(())
}

fn identification(out: &mut String, report: &EvaluationReport) {
    let rows = || report.packs.iter().enumerate().filter_map(|(colour, pack)| Some((colour, pack, pack.identification.as_ref()?)));
    let words = "The first photo of everybody with two and more is enrolled. FNIR: how often somebody who is enrolled is not named, at the \
                 threshold at which that share of the searches for somebody who is not enrolled (FPIR) names anybody.";
    if rows().next().is_some() {
        section(out, "Identification", words, |out| {
            let rows = rows().map(|(colour, pack, found)| (format!("{}{}", swatch(colour), isolated(&pack.pack)), found));
            out.push_str(&tables::searches("pack", rows));
        });
    }
}

fn groups(out: &mut String, report: &EvaluationReport) -> Result<()> {
    let Some(grouping) = &report.grouping else { return Ok(()) };
    let attribute = isolated(&grouping.attribute);
    let mut body = String::new();
    for pack in &report.packs {
        push(&mut body, format_args!("<h3>{}</h3>\n{}", isolated(&pack.pack), tables::groups(&attribute, &pack.groups)));
        let found = pack.groups.iter().filter_map(|group| Some((isolated(&group.group), group.identification.as_ref()?)));
        push(&mut body, format_args!("{}", tables::searches(&attribute, found)));
        let drawn: Vec<&GroupReport> = pack.groups.iter().take(MOST_PACKS).collect();
        let det = charts::det(drawn.iter().map(|group| &group.verification))?;
        let more = if pack.groups.len() > drawn.len() { format!("; the first {MOST_PACKS} groups") } else { String::new() };
        let names = key(drawn.iter().map(|group| group.group.as_str()));
        let words = format!("each group among its own people{more}");
        push(&mut body, format_args!("<div class=\"charts\">\n{}</div>\n", figure("Detection error trade-off", &words, &det, &names)));
    }
    let mut words = String::from("Impostor pairs are those of two people of one group, who are more alike than others.");
    if grouping.people_without > 0 {
        push(&mut words, format_args!(" {} people are in no group.", grouped(grouping.people_without as u64)));
    }
    if grouping.people_elsewhere > 0 {
        push(&mut words, format_args!(" {} people of the table are not in the folder.", grouped(grouping.people_elsewhere as u64)));
    }
    section(out, "Groups", &words, |out| out.push_str(&body));
    Ok(())
}

fn worst(out: &mut String, report: &EvaluationReport) {
    let shown = |pack: &&PackReport| !(pack.worst.impostor.is_empty() && pack.worst.genuine.is_empty());
    for pack in report.packs.iter().filter(shown) {
        let heading = format!("Worst pairs, {}", isolated(&pack.pack));
        let words = "Look for photos in the wrong folder first. Each photo is shown once.";
        section(out, &heading, words, |out| {
            pairs(out, "Different people, most alike", &pack.worst.impostor);
            pairs(out, "One person, least alike", &pack.worst.genuine);
        });
    }
}

fn pairs(out: &mut String, heading: &str, pairs: &[WorstPair]) {
    if pairs.is_empty() {
        return;
    }
    push(out, format_args!("<h3>{heading}</h3>\n<div class=\"pairs\">\n"));
    for pair in pairs {
        push(out, format_args!("<div class=\"pair\"><p>{:.3}</p><div>", pair.similarity));
        for photo in &pair.photos {
            let (data, person, path) = (STANDARD.encode(&photo.picture), isolated(&photo.person), isolated(file_name(&photo.path)));
            push(
                out,
                format_args!(
                    "<figure><img src=\"data:image/jpeg;base64,{data}\" alt=\"\"><figcaption><b>{person}</b>{path}</figcaption></figure>"
                ),
            );
        }
        out.push_str("</div></div>\n");
    }
    out.push_str("</div>\n");
}

/// The photo's name without the person's folder, whose name stands above it.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn method(out: &mut String, report: &EvaluationReport) {
    let words = "Every photo's main face is compared with every other one's; unrecognisable faces match nobody. A genuine pair in which no \
                 face was found counts as not matched. Intervals: subsets bootstrap over people (Bolle et al. 2004). Refusing: error \
                 versus reject characteristic (Grother and Tabassi 2007). Non-mated searches: people with one photo, and each other \
                 probe with its own person left out. Rates of rank 1.";
    section(out, "How it was measured", words, |out| {
        let model = |model: &ModelName| {
            format!("{}<small><code>{}</code></small>", isolated(&model.id), escape(model.hash.get(..16).unwrap_or(&model.hash)))
        };
        let row = |pack: &PackReport| {
            let found = &pack.verification;
            vec![
                isolated(&pack.pack),
                pack.detector.iter().map(model).collect(),
                model(&pack.embedder),
                grouped(found.genuine_pairs),
                grouped(found.impostor_pairs),
                percent(Some(found.no_face as f64 / found.photos.max(1) as f64)),
                format!("{:.1} s", pack.wall_ms as f64 / 1e3),
            ]
        };
        let head = ["pack", "detector", "embedder", "genuine pairs", "impostor pairs", "photos<br>without a face", "time"];
        out.push_str(&tables::table(&head, report.packs.iter().map(row)));
        let passed = if report.passed_over.total() == 0 {
            String::new()
        } else {
            format!(" Passed over: {}.", escape(&report.passed_over.to_string()))
        };
        let command = report.command.as_ref().map_or_else(String::new, |command| format!("<br><code>{}</code>", escape(command)));
        push(
            out,
            format_args!(
                "<p class=\"foot\">Made by facerec {}.{passed} Faces are biometric data: keep this page as you keep the photos.{command}</p>\n",
                escape(&report.facerec)
            ),
        );
    });
}
