//! The global options, and the engine they describe.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgAction;
use facerec_core::gallery::GalleryKey;
use facerec_core::{Detail, DetectOptions, Device, Engine, EngineBuilder, Error, GalleryOptions};

use super::exit::{InModels, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Folder with model files and manifests, searched first; may be given several times.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) models: Vec<PathBuf>,
    /// Pack whose detector and embedder are used; `evaluate report` takes several.
    #[arg(long = "pack", global = true, value_name = "NAME", default_value = "default", help_heading = "Global options")]
    pub(crate) packs: Vec<String>,
    /// Another detector than the pack's.
    #[arg(long, global = true, value_name = "ID", help_heading = "Global options")]
    pub(crate) detector: Option<String>,
    /// Another embedder than the pack's.
    #[arg(long, global = true, value_name = "ID", help_heading = "Global options")]
    pub(crate) embedder: Option<String>,
    /// How closely photos are looked at: fast (one look), auto (faces of 40 pixels and more in large photos and panoramas) or full
    /// (20 pixels and more in any photo; four times the work of auto).
    #[arg(long, global = true, value_name = "DETAIL", default_value = "auto", help_heading = "Global options")]
    pub(crate) detail: Detail,
    /// Where to compute: cpu, cuda[:N], tensorrt, coreml, directml, openvino or auto.
    #[arg(long, global = true, value_name = "DEVICE", default_value = "cpu", help_heading = "Global options")]
    pub(crate) device: Device,
    /// Threads inside one inference [default: all cores for one photo, 1 when several photos share them].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Global options")]
    pub(crate) threads: Option<u16>,
    /// Read photos and videos as they stand: do not look for faces on their side or upside down.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) as_it_stands: bool,
    /// Path of the ONNX Runtime library [default: FACEREC_ORT, or where it is usually found].
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub(crate) ort: Option<PathBuf>,
    /// File with the key of an encrypted gallery: 32 bytes, or these as hex digits or base64 [default: the variables
    /// FACEREC_GALLERY_KEY or FACEREC_GALLERY_PASSPHRASE].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) key_file: Option<PathBuf>,
    /// Who makes a change, for the gallery's audit log [default: the operating system's user].
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub(crate) actor: Option<String>,
    /// How long to wait for another writer of the gallery; 0 does not wait.
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Global options")]
    pub(crate) wait: Duration,
    /// Write JSON Lines to standard output.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Log to standard error; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
}

impl Global {
    /// How galleries are opened: with the key that was given, if any, by whom, and how patiently.
    pub(crate) fn gallery(&self) -> Outcome<GalleryOptions> {
        let mut options = GalleryOptions::default();
        options.key = gallery_key(self.key_file.as_deref(), "FACEREC_GALLERY_KEY", "FACEREC_GALLERY_PASSPHRASE")?;
        options.actor = self.actor.clone();
        options.wait = self.wait;
        Ok(options)
    }

    /// The one pack: several are refused before any subcommand but `evaluate report` runs.
    pub(crate) fn pack(&self) -> &str {
        self.packs.first().map_or("default", String::as_str)
    }

    /// The engine's builder for `photos` inputs.
    pub(crate) fn builder(&self, photos: usize) -> EngineBuilder {
        let mut builder = Engine::builder().pack(self.pack()).device(self.device.clone()).turned(!self.as_it_stands);
        builder = builder.detect_options(DetectOptions::default().detail(self.detail));
        for folder in &self.models {
            builder = builder.model_folder(folder);
        }
        if let Some(id) = &self.detector {
            builder = builder.detector(id);
        }
        if let Some(id) = &self.embedder {
            builder = builder.embedder(id);
        }
        if let Some(path) = &self.ort {
            builder = builder.runtime_library(path);
        }
        // One thread per photo makes the most of the cores; loading a session per core pays from a few photos on.
        let many = photos > 2;
        match self.threads {
            Some(threads) => builder = builder.threads(threads.into()),
            None if many => builder = builder.threads(1),
            None => {}
        }
        builder.spinning(!many)
    }

    /// The engine for `photos` inputs; `threshold` overrides the embedder's.
    pub(crate) fn engine(&self, photos: usize, threshold: Option<f32>) -> Outcome<Engine> {
        let mut builder = self.builder(photos);
        if let Some(threshold) = threshold {
            builder = builder.threshold(threshold);
        }
        self.open(builder)
    }

    /// An engine for many photos with each of the packs, and the pack's name; none where other models stand in for the pack's.
    pub(crate) fn engines(&self) -> Outcome<Vec<(Option<&str>, Engine)>> {
        let own_models = self.detector.is_some() || self.embedder.is_some();
        if own_models && self.packs.len() > 1 {
            let reason = "expected one pack beside `--detector` or `--embedder`, got several; a manifest makes a pack of any two models";
            return Err(Error::InvalidArgument { name: "pack", reason: reason.into() }.into());
        }
        let name = |pack| Some(pack).filter(|_| !own_models);
        self.packs.iter().map(|pack| Ok((name(pack.as_str()), self.open(self.builder(usize::MAX).pack(pack))?))).collect()
    }

    fn open(&self, builder: EngineBuilder) -> Outcome<Engine> {
        let engine = builder.build().in_models()?;
        if self.device == Device::Auto {
            #[expect(clippy::print_stderr)] // what was chosen is for people, whatever the log level
            let () = eprintln!("facerec: computing on {}", engine.runtime().device());
        }
        Ok(engine)
    }
}

/// A key from a file or from the environment: never from the command line, which everybody on the machine can read.
pub(crate) fn gallery_key(file: Option<&Path>, key: &str, passphrase: &str) -> Outcome<Option<GalleryKey>> {
    if let Some(file) = file {
        return Ok(Some(GalleryKey::from_file(file)?));
    }
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match variable(key) {
        Some(text) => Ok(Some(GalleryKey::from_text(&text)?)),
        None => Ok(variable(passphrase).map(GalleryKey::passphrase)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a number of seconds from 0 on, got `{text}`");
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(wrong)
}
