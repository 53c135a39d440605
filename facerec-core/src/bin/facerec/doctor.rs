//! `facerec doctor`: is everything there, from where, under which licence; what is wrong and how to mend it.

use std::path::PathBuf;
use std::time::Instant;

use facerec_core::runtime::default_library_paths;
use facerec_core::{Device, Engine, Gallery, Image, ModelCatalog, Runtime, RuntimeOptions, text};
use serde_json::json;

use super::exit::{Exit, Outcome};
use super::gallery::size;
use super::options::Global;
use super::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check this gallery too.
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
}

/// What a check found.
#[derive(Clone, Copy, PartialEq)]
enum Status {
    Ok,
    /// Works, could be better.
    Note,
    /// Does not work.
    Problem,
}

struct Report<'a> {
    output: &'a mut Output,
    problems: usize,
}

impl Report<'_> {
    fn line(&mut self, check: &str, status: Status, detail: &str) -> Outcome<()> {
        let (code, mark) = match status {
            Status::Ok => ("ok", " ok "),
            Status::Note => ("note", "note"),
            Status::Problem => ("problem", "FAIL"),
        };
        self.problems += usize::from(status == Status::Problem);
        self.output.emit(&json!({"check": check, "status": code, "detail": detail}), format_args!("[{mark}] {check:<13} {detail}\n"))
    }
}

pub(crate) fn run(global: &Global, args: &Args, output: &mut Output) -> Outcome {
    let mut report = Report { output, problems: 0 };
    let features =
        [("faiss", cfg!(feature = "faiss")), ("fetch", cfg!(feature = "fetch")), ("load-dynamic", cfg!(feature = "load-dynamic"))];
    let features: Vec<_> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    report.line("facerec", Status::Ok, &format!("version {}, features {}", env!("CARGO_PKG_VERSION"), features.join(", ")))?;
    processor(&mut report)?;
    runtime(global, &mut report)?;
    models(global, &mut report)?;
    if report.problems == 0 {
        engine(global, &mut report)?;
    }
    let engine_problems = report.problems;
    if let Some(folder) = &args.gallery {
        gallery(global, folder, &mut report)?;
    }
    let problems = report.problems;
    let verdict = match problems {
        0 => "all is well".to_string(),
        1 => "1 problem".to_string(),
        n => format!("{n} problems"),
    };
    output.emit(&json!({"summary": {"ok": problems == 0, "problems": problems}}), format_args!("{verdict}\n"))?;
    Ok(match (engine_problems, problems) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Gallery,
        _ => Exit::Model,
    })
}

fn processor(report: &mut Report<'_>) -> Outcome<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    #[cfg(target_arch = "x86_64")]
    {
        let has = [
            ("AVX2", is_x86_feature_detected!("avx2")),
            ("FMA", is_x86_feature_detected!("fma")),
            ("F16C", is_x86_feature_detected!("f16c")),
            ("AVX-512", is_x86_feature_detected!("avx512f")),
        ];
        let list: Vec<_> = has.iter().filter(|(_, yes)| *yes).map(|(name, _)| *name).collect();
        // The gallery's search asks for the first three, where it was compiled with them.
        let status = if has[..3].iter().all(|(_, yes)| *yes) { Status::Ok } else { Status::Note };
        report.line(
            "processor",
            status,
            &format!("{cores} cores, {}", if list.is_empty() { "no AVX2: slow".into() } else { list.join(" ") }),
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    report.line("processor", Status::Ok, &format!("{cores} cores, {}", std::env::consts::ARCH))
}

fn runtime(global: &Global, report: &mut Report<'_>) -> Outcome<()> {
    let mut options = RuntimeOptions::default().device(global.device.clone());
    if let Some(path) = &global.ort {
        options = options.library(path);
    }
    match Runtime::new(options) {
        Ok(runtime) => {
            let library = runtime.library().map_or_else(|| "linked into the program".into(), text::escape_path);
            let origin = default_library_paths().into_iter().find(|(_, path)| runtime.library() == Some(path.as_path()));
            let origin = match (&global.ort, origin) {
                (Some(_), _) => ", from --ort".into(),
                (None, Some((origin, _))) => format!(", from {origin}"),
                (None, None) => String::new(),
            };
            // ONNX Runtime's description of its build has no version; the library's full name has.
            let name =
                runtime.library().and_then(|path| path.canonicalize().ok()?.file_name().map(|name| name.to_string_lossy().into_owned()));
            let version =
                name.as_deref().and_then(|name| name.split_once(".so.")).map_or_else(String::new, |(_, v)| format!("version {v}, "));
            let build = runtime.build_info();
            report.line("onnx runtime", Status::Ok, &format!("{version}{library}{origin}; {build}"))?;
            let compiled = Device::compiled_in().join(", ");
            report.line("device", Status::Ok, &format!("{} in use; this build knows {compiled}", runtime.device()))
        }
        Err(error) => report.line("onnx runtime", Status::Problem, &error.to_string()),
    }
}

fn models(global: &Global, report: &mut Report<'_>) -> Outcome<()> {
    let catalog = match ModelCatalog::from_env(&global.models) {
        Ok(catalog) => catalog,
        Err(error) => return report.line("models", Status::Problem, &error.to_string()),
    };
    let folders: Vec<_> = catalog
        .folders()
        .iter()
        .map(|folder| format!("{}{}", text::escape_path(folder), if folder.is_dir() { "" } else { " (not there)" }))
        .collect();
    let status = if folders.is_empty() { Status::Note } else { Status::Ok };
    report.line("model folders", status, &folders.join(", "))?;
    let mut wanted: Vec<String> = Vec::new();
    match catalog.required(global.pack()) {
        Ok(models) => wanted.extend(models.iter().map(|model| model.id.clone())),
        Err(error) => report.line("models", Status::Problem, &error.to_string())?,
    }
    // What was asked for by name takes the place of the pack's.
    for (own, role) in [(&global.detector, "detector"), (&global.embedder, "embedder")] {
        let Some(own) = own else { continue };
        let packs = catalog
            .pack(global.pack())
            .ok()
            .and_then(|pack| if role == "detector" { pack.detector.clone() } else { pack.embedder.clone() });
        let landmark = |id: &String| catalog.model(id).ok().and_then(|model| model.detect.as_ref()?.landmark_model.clone());
        let replaced = [packs.clone(), packs.as_ref().and_then(landmark)];
        wanted.retain(|id| !replaced.iter().flatten().any(|other| other == id));
        wanted.push(own.clone());
        wanted.extend(landmark(own));
    }
    for id in wanted {
        match catalog.resolve(&id) {
            Ok(found) => {
                let bytes = std::fs::metadata(&found.path).map_or(0, |data| data.len());
                let detail = format!("{id}: {} ({}), licence {}", text::escape_path(&found.path), size(bytes), found.licence);
                report.line("model", Status::Ok, &detail)?;
            }
            Err(error) => report.line("model", Status::Problem, &error.to_string())?,
        }
    }
    Ok(())
}

fn engine(global: &Global, report: &mut Report<'_>) -> Outcome<()> {
    let start = Instant::now();
    let try_out = || -> facerec_core::Result<(Engine, f64, f64)> {
        let engine = global.builder(1).build()?;
        let loaded = start.elapsed().as_secs_f64() * 1e3;
        let blank = Image::filled(640, 480, [128; 3]);
        let start = Instant::now();
        engine.embed(&blank)?;
        Ok((engine, loaded, start.elapsed().as_secs_f64() * 1e3))
    };
    match try_out() {
        Ok((engine, loaded, ran)) => {
            let (detector, embedder) = (engine.detector().id(), engine.embedder().id());
            report.line(
                "engine",
                Status::Ok,
                &format!("{detector} with {embedder}: opened in {loaded:.0} ms, first photo in {ran:.0} ms"),
            )?;
            if let Err(error) = engine.threshold().and(engine.identify_threshold()) {
                report.line("threshold", Status::Note, &error.to_string())?;
            }
            Ok(())
        }
        Err(error) => report.line("engine", Status::Problem, &error.to_string()),
    }
}

fn gallery(global: &Global, folder: &std::path::Path, report: &mut Report<'_>) -> Outcome<()> {
    let options = global.gallery()?.read_only(true).salvage(true);
    let check = || -> facerec_core::Result<_> {
        let gallery = Gallery::open_any(folder, options)?;
        // An address without its password, unlike `folder`.
        Ok((text::escape_path(gallery.path()), gallery.stats()?, gallery.verify()?))
    };
    match check() {
        Ok((place, stats, verified)) if verified.problems.is_empty() => {
            let detail =
                format!("{place}: {} people, {} faces of {}, {}", stats.persons, stats.faces, stats.model, size(stats.bytes_on_disk));
            report.line("gallery", Status::Ok, &detail)
        }
        Ok((place, _, verified)) => report.line("gallery", Status::Problem, &format!("{place}: {}", verified.problems.join("; "))),
        Err(error) => report.line("gallery", Status::Problem, &error.to_string()),
    }
}
