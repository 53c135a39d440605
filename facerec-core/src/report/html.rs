//! The report as one HTML page without scripts: it opens anywhere, offline, and can be mailed.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Person, Report, clock};
use crate::error::Result;
use crate::pipeline::{BestShot, Sighting};
use crate::text::html::{escape, isolated};
use crate::video::Reception;

const STYLE: &str = include_str!("style.css");

/// Colours of known people's bars, told apart by colour-blind eyes too (Okabe and Ito 2008, darkened for white paper).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#a2559a", "#b8860b", "#3a8fbf", "#7a5230"];
const UNKNOWN: &str = "#8a929b";

/// Shots are small; this quality shows no artefacts at their size.
const JPEG_QUALITY: u8 = 85;

pub(super) fn page(report: &Report, people: &[Person<'_>]) -> Result<String> {
    let mut out = String::with_capacity(1 << 16);
    let title = escape(report.title.rsplit(['/', '\\']).next().unwrap_or(&report.title));
    let length = report.summary.duration.max(report.info.duration.unwrap_or_default()).max(Duration::from_millis(1));
    let known = people.iter().filter(|person| person.name.is_some()).count();
    let strangers = people.len() - known;
    push(&mut out, format_args!("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"));
    push(&mut out, format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"));
    push(&mut out, format_args!("<title>{title}: who is in it</title>\n<style>\n{STYLE}</style>\n<main>\n"));
    push(&mut out, format_args!("<header><h1>{title}</h1>\n<p>{}</p></header>\n", headline(known, strangers, length, &report.info)));

    if people.is_empty() {
        push(&mut out, format_args!("<p class=\"none\">No face was found in this video.</p>\n"));
    } else {
        push(&mut out, format_args!("<section><h2>Timeline</h2>\n<div class=\"timeline\">\n"));
        push(&mut out, format_args!("<div class=\"row scale\"><span></span><div class=\"lane\">{}</div></div>\n", ticks(length)));
        for (place, person) in people.iter().enumerate() {
            row(&mut out, place, person, people, length);
        }
        push(&mut out, format_args!("</div></section>\n"));
    }
    section(&mut out, "Known people", people, |person| person.name.is_some())?;
    section(&mut out, "Unknown people", people, |person| person.name.is_none())?;
    numbers(&mut out, report);
    push(&mut out, format_args!("</main>\n</html>\n"));
    Ok(out)
}

fn headline(known: usize, strangers: usize, length: Duration, info: &crate::video::VideoInfo) -> String {
    let people = |number: usize, kind: &str| format!("{number} {kind} {}", if number == 1 { "person" } else { "people" });
    let size = if info.width > 0 { format!(" &middot; {} &times; {}", info.width, info.height) } else { String::new() };
    format!("{} &middot; {} &middot; {}{size}", people(known, "known"), people(strangers, "unknown"), clock(length))
}

/// Times along the top, five to ten of them, at round distances.
fn ticks(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0];
    let step = steps.into_iter().find(|step| seconds / step <= 10.0).unwrap_or(seconds / 8.0);
    let mut out = String::new();
    let mut at = 0.0;
    while at <= seconds {
        // The last one would stick out of the page.
        if at / seconds < 0.97 {
            push(&mut out, format_args!("<i style=\"left:{:.2}%\">{}</i>", at / seconds * 100.0, mark(at, step)));
        }
        at += step;
    }
    out
}

/// A tick's label: with tenths only where steps need them.
fn mark(seconds: f64, step: f64) -> String {
    let time = Duration::from_secs_f64(seconds);
    let text = clock(time);
    if step < 1.0 { text } else { text.split('.').next().unwrap_or_default().to_owned() }
}

fn row(out: &mut String, place: usize, person: &Person<'_>, people: &[Person<'_>], length: Duration) {
    let (name, colour) = (title_of(place, people), colour_of(place, person));
    push(out, format_args!("<div class=\"row\"><a href=\"#p{place}\">{name}</a><div class=\"lane\">"));
    for sighting in &person.sightings {
        for &(start, end) in &sighting.spans {
            let share = |time: Duration| time.as_secs_f64() / length.as_secs_f64() * 100.0;
            let (left, width) = (share(start), share(end) - share(start));
            push(
                out,
                format_args!(
                    "<b style=\"left:{left:.2}%;width:max(3px,{width:.2}%);background:{colour}\" title=\"{} to {}, track {}\"></b>",
                    clock(start),
                    clock(end),
                    sighting.track
                ),
            );
        }
    }
    push(out, format_args!("</div></div>\n"));
}

fn section(out: &mut String, heading: &str, people: &[Person<'_>], wanted: impl Fn(&Person<'_>) -> bool) -> Result<()> {
    if !people.iter().any(&wanted) {
        return Ok(());
    }
    push(out, format_args!("<section><h2>{heading}</h2>\n"));
    for (place, person) in people.iter().enumerate().filter(|(_, person)| wanted(person)) {
        let colour = colour_of(place, person);
        let name = title_of(place, people);
        push(out, format_args!("<article id=\"p{place}\" style=\"border-color:{colour}\"><h3>{name}</h3>\n"));
        for sighting in &person.sightings {
            push(out, format_args!("<div class=\"track\"><p>{}</p>\n<div class=\"shots\">", evidence(sighting)));
            for shot in &sighting.best_shots {
                picture(out, shot)?;
            }
            push(out, format_args!("</div></div>\n"));
        }
        push(out, format_args!("</article>\n"));
    }
    push(out, format_args!("</section>\n"));
    Ok(())
}

fn evidence(sighting: &Sighting) -> String {
    let decision = &sighting.decision;
    let spans: Vec<String> = sighting.spans.iter().map(|&(start, end)| format!("{}&ndash;{}", clock(start), clock(end))).collect();
    let verdict = match (sighting.name(), decision.candidates.first()) {
        (Some(_), _) => {
            let runner_up = decision
                .candidates
                .get(1)
                .map_or_else(String::new, |next| format!(", next {} {:.2}", isolated(&next.name), next.similarity));
            format!("similarity {:.2} (needed {:.2}{runner_up})", decision.similarity, decision.threshold)
        }
        (None, Some(best)) => {
            let reason = decision.reason.code().replace('_', " ");
            format!("nearest {} {:.2} (needed {:.2}): {reason}", isolated(&best.name), best.similarity, decision.threshold)
        }
        (None, None) => decision.reason.code().replace('_', " "),
    };
    format!(
        "<strong>{}</strong> &middot; {verdict} &middot; <span>track {}, {} frames</span>",
        spans.join(", "),
        sighting.track,
        sighting.frames
    )
}

fn picture(out: &mut String, shot: &BestShot) -> Result<()> {
    let Some(picture) = &shot.picture else { return Ok(()) };
    let data = STANDARD.encode(picture.encode_jpeg(JPEG_QUALITY)?);
    let (time, quality) = (clock(shot.time), shot.quality.score);
    push(
        out,
        format_args!(
            "<figure><img src=\"data:image/jpeg;base64,{data}\" alt=\"face at {time}\"><figcaption>{time} &middot; quality {quality:.2}</figcaption></figure>"
        ),
    );
    Ok(())
}

fn numbers(out: &mut String, report: &Report) {
    let summary = &report.summary;
    let rate = summary.frames as f64 / summary.wall.as_secs_f64().max(1e-3);
    let rows = [
        ("Frames", format!("{} ({} looked at)", summary.frames, summary.frames_detected)),
        ("Tracks", format!("{} ({} unknown)", summary.tracks, summary.unknown_tracks)),
        ("Faces detected", summary.detections.to_string()),
        ("Embeddings", summary.embeddings.to_string()),
        ("Scene cuts", summary.cuts.to_string()),
        ("Time", format!("{:.1} s, {rate:.0} frames a second", summary.wall.as_secs_f64())),
    ];
    push(out, format_args!("<section><h2>Numbers</h2>\n<dl>"));
    for (name, value) in rows.into_iter().chain(received(&summary.reception)) {
        push(out, format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    }
    push(
        out,
        format_args!(
            "</dl>\n<p class=\"foot\">Made by facerec {}. Faces are biometric data: keep this page as you keep the video.</p></section>\n",
            env!("CARGO_PKG_VERSION")
        ),
    );
}

/// What is to be known of how a live source was received.
fn received(reception: &Reception) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if reception.left_out() > 0 {
        rows.push(("Left out", format!("{} frames that came too fast, {} damaged", reception.too_slow, reception.undecodable)));
    }
    if reception.clock_jumps > 0 {
        rows.push(("Jumps of the camera's clock", reception.clock_jumps.to_string()));
    }
    if !reception.absences.is_empty() {
        let end = |to: Option<Duration>| to.map_or_else(|| "the end".to_owned(), clock);
        let times: Vec<String> = reception.absences.iter().map(|away| format!("{} to {}", clock(away.from), end(away.to))).collect();
        rows.push(("Camera away", times.join(", ")));
    }
    rows
}

/// The person's name, or a number among the unknown.
fn title_of(place: usize, people: &[Person<'_>]) -> String {
    match people[place].name {
        Some(name) => isolated(name),
        None => format!("Unknown {}", people[..=place].iter().filter(|person| person.name.is_none()).count()),
    }
}

fn colour_of(place: usize, person: &Person<'_>) -> &'static str {
    if person.name.is_some() { COLOURS[place % COLOURS.len()] } else { UNKNOWN }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a String cannot fail
}
