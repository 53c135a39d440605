//! Text of scripts that the bundled font lacks: shaped by `cosmic-text` in fonts of this machine.
//!
//! Fonts are looked for once per process, when the first such text is drawn: in the folders of `FACEREC_FONTS` (separated as in `PATH`)
//! where that is set, else where the system has them.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cosmic_text::fontdb::{Database, FaceInfo, ID, Source, Weight};
use cosmic_text::{Attrs, Buffer, Color, Fallback, Family, FontSystem, LayoutGlyph, Metrics, PlatformFallback, Shaping, SwashCache, Wrap};
use epaint_default_fonts::UBUNTU_LIGHT;
use unicode_script::Script;

use super::shapes::Canvas;

/// Weights of fonts in the order in which they are tried: a script may be there in one of them only.
const WEIGHTS: [Weight; 5] = [Weight::NORMAL, Weight::MEDIUM, Weight::LIGHT, Weight::SEMIBOLD, Weight::BOLD];
/// Families whose only glyphs are boxes.
const BOXES: [&str; 5] = ["LastResort", ".LastResort", "Last Resort", "Adobe NotDef", "Adobe Blank"];
/// The bundled font's family among those of the machine.
const OURS: &str = "facerec";
/// Drawn glyphs that are remembered.
const GLYPHS: usize = 4096;

/// A line of shaped text.
pub(super) struct Shaped {
    /// From left to right.
    glyphs: Vec<LayoutGlyph>,
    width: f32,
}

/// Which fonts are asked for what the bundled one lacks, before all others: emoji in colour, and one font for all of a Chinese, Japanese or
/// Korean name.
struct Order;

impl Fallback for Order {
    fn common_fallback(&self) -> &[&'static str] {
        const FIRST: [&str; 15] = [
            "Noto Color Emoji",
            "Apple Color Emoji",
            "Segoe UI Emoji",
            "Noto Sans",
            "DejaVu Sans",
            "Noto Sans CJK SC",
            "Source Han Sans SC",
            "PingFang SC",
            "Microsoft YaHei",
            "WenQuanYi Micro Hei",
            "WenQuanYi Zen Hei",
            "Droid Sans Fallback",
            "Noto Sans Symbols",
            "Noto Sans Symbols2",
            "FreeSans",
        ];
        &FIRST
    }

    fn forbidden_fallback(&self) -> &[&'static str] {
        PlatformFallback.forbidden_fallback()
    }

    fn script_fallback(&self, script: Script, locale: &str) -> &[&'static str] {
        // cosmic-text's own lists; what they name may not be installed, and then the next ones are asked.
        PlatformFallback.script_fallback(script, locale)
    }
}

struct Fonts {
    system: FontSystem,
    drawn: SwashCache,
    /// Of the bundled font, which is emboldened when it is drawn.
    bundled: Vec<ID>,
}

impl Shaped {
    /// Shapes `text`, which is one line without control characters, in letters of `size` pixels. `None` when no font has all of it.
    pub(super) fn new(text: &str, size: f32) -> Option<Self> {
        let mut fonts = fonts();
        WEIGHTS.into_iter().map(|weight| fonts.shape(text, size, weight)).find(Self::is_whole)
    }

    /// The parts of `text` that no font has, as ranges of bytes, ascending.
    pub(super) fn missing(text: &str) -> Vec<Range<usize>> {
        let mut fonts = fonts();
        let mut fewest: Option<Vec<Range<usize>>> = None;
        for weight in WEIGHTS {
            let shaped = fonts.shape(text, 16.0, weight);
            let mut parts: Vec<_> = shaped.glyphs.iter().filter(|glyph| is_box(glyph)).map(|glyph| glyph.start..glyph.end).collect();
            parts.sort_by_key(|part| part.start);
            parts.dedup();
            if fewest.as_ref().is_none_or(|fewest| parts.len() < fewest.len()) {
                fewest = Some(parts);
            }
            if fewest.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        fewest.unwrap_or_default()
    }

    /// Width in pixels.
    pub(super) fn width(&self) -> f32 {
        self.width
    }

    /// Draws from `left` on `baseline`; letters of the bundled font twice, `bolder` pixels apart.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, left: f32, baseline: f32, bolder: f32, colour: [u8; 3]) {
        let mut fonts = fonts();
        let Fonts { system, drawn, bundled } = &mut *fonts;
        if drawn.image_cache.len() > GLYPHS {
            drawn.image_cache.clear();
        }
        let white = Color::rgb(colour[0], colour[1], colour[2]);
        for glyph in &self.glyphs {
            let twice = bundled.contains(&glyph.font_id);
            for shift in [Some(0.0), twice.then_some(bolder)].into_iter().flatten() {
                let place = glyph.physical((left + shift, baseline), 1.0);
                drawn.with_pixels(system, place.cache_key, white, |x, y, colour| {
                    let [r, g, b, a] = colour.as_rgba();
                    canvas.blend(place.x.saturating_add(x), place.y.saturating_add(y), [r, g, b], f32::from(a) / 255.0);
                });
            }
        }
    }

    fn is_whole(&self) -> bool {
        !self.glyphs.iter().any(is_box)
    }
}

impl Fonts {
    fn load(folders: Option<&std::ffi::OsStr>) -> Self {
        let mut fonts = Database::new();
        match folders {
            Some(folders) => std::env::split_paths(folders).for_each(|folder| fonts.load_fonts_dir(folder)),
            None => fonts.load_system_fonts(),
        }
        let is_boxes = |face: &FaceInfo| face.families.iter().any(|family| BOXES.contains(&family.0.as_str()));
        let boxes: Vec<ID> = fonts.faces().filter(|face| is_boxes(face)).map(|face| face.id).collect();
        boxes.into_iter().for_each(|id| fonts.remove_face(id));
        // Under a name of its own and in every weight, so that it is the first to be asked whatever is installed.
        let loaded = fonts.load_font_source(Source::Binary(Arc::new(UBUNTU_LIGHT)));
        let face = loaded.first().and_then(|&id| fonts.face(id).cloned());
        loaded.into_iter().for_each(|id| fonts.remove_face(id));
        let bundled = face.map_or_else(Vec::new, |face| {
            let families: Vec<_> = face.families.iter().map(|(_, language)| (OURS.into(), *language)).collect();
            WEIGHTS.map(|weight| fonts.push_face_info(FaceInfo { families: families.clone(), weight, ..face.clone() })).to_vec()
        });
        let system = FontSystem::new_with_locale_and_db_and_fallback("en".into(), fonts, Order);
        Self { system, drawn: SwashCache::new(), bundled }
    }

    fn shape(&mut self, text: &str, size: f32, weight: Weight) -> Shaped {
        let mut buffer = Buffer::new_empty(Metrics::new(size, size * 1.25));
        buffer.set_wrap(Wrap::None);
        buffer.set_text(text, &Attrs::new().family(Family::Name(OURS)).weight(weight), Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.system, false);
        let run = buffer.layout_runs().next();
        run.map_or(Shaped { glyphs: Vec::new(), width: 0.0 }, |run| Shaped { glyphs: run.glyphs.to_vec(), width: run.line_w })
    }
}

/// Glyph 0 of every font stands for what it lacks.
fn is_box(glyph: &LayoutGlyph) -> bool {
    glyph.glyph_id == 0
}

fn fonts() -> MutexGuard<'static, Fonts> {
    static FONTS: OnceLock<Mutex<Fonts>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| Mutex::new(Fonts::load(std::env::var_os("FACEREC_FONTS").as_deref())));
    fonts.lock().unwrap_or_else(PoisonError::into_inner)
}
