//! One line of text: in Ubuntu Light, emboldened a little so that it reads well on a photo, and in fonts of the machine where that lacks
//! letters.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use epaint_default_fonts::UBUNTU_LIGHT;

use super::script::Shaped;
use super::shapes::Canvas;
use crate::text::is_unsafe;

/// How far the second, emboldening impression is moved, in letter sizes.
const BOLDER: f32 = 0.035;

/// The bundled font.
pub(super) struct Lettering {
    font: FontRef<'static>,
}

/// A line of text set in a size: a name and what follows it, each in its own direction.
pub(super) struct Line<'a> {
    parts: Vec<Part<'a>>,
    width: f32,
    size: f32,
    /// Characters of the name that are left, when it was cut.
    kept: Option<usize>,
}

enum Part<'a> {
    Bundled { font: &'a FontRef<'static>, glyphs: Vec<Glyph>, width: f32 },
    Shaped(Shaped),
}

impl Lettering {
    pub(super) fn new() -> Self {
        let font = FontRef::try_from_slice(UBUNTU_LIGHT).expect("the font is compiled in, and the tests of this module draw with it");
        Self { font }
    }

    /// `text` as it can be drawn here: on one line, without what does not show, and in Latin letters where no font has its own.
    pub(super) fn drawable(&self, text: &str) -> String {
        let line: String = text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|&c| !is_unsafe(c)).collect();
        if self.has(&line) {
            return line;
        }
        let mut out = line;
        // From the end, so that the places before stay where they are.
        for part in Shaped::missing(&out).into_iter().rev() {
            let latin: String = out[part.clone()].chars().map(latin).collect();
            out.replace_range(part, &latin);
        }
        // Latin letters need no joiners.
        let plain: String = out.chars().filter(|&c| !is_selector(c)).collect();
        let out = if self.has(&plain) { plain } else { out };
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Sets a [drawable](Self::drawable) `name` and, behind it, `suffix` in letters of `size` pixels. A name that is too wide for `widest`
    /// is cut with an ellipsis, at a letter with all its marks.
    pub(super) fn set(&self, name: &str, suffix: &str, size: f32, widest: f32) -> Line<'_> {
        let space = if name.is_empty() { "" } else { " " };
        let suffix = (!suffix.is_empty()).then(|| self.part(&format!("{space}{suffix}"), size));
        let room = widest - suffix.as_ref().map_or(0.0, Part::width);
        let whole = self.part(name, size);
        let (name, kept) = if whole.width() <= room { (whole, None) } else { self.cut(name, size, room) };
        let parts: Vec<Part<'_>> = std::iter::once(name).chain(suffix).collect();
        let width = parts.iter().map(Part::width).sum();
        Line { parts, width, size, kept }
    }

    fn cut(&self, name: &str, size: f32, room: f32) -> (Part<'_>, Option<usize>) {
        let ends: Vec<usize> = name.char_indices().map(|(at, _)| at).filter(|&at| is_boundary(name, at)).collect();
        let shortened = |keep: usize| self.part(&format!("{}…", name[..ends[keep]].trim_end()), size);
        // The width grows with each letter, so the longest start that fits can be found by halving.
        let (mut fits, mut too_many) = (0, ends.len());
        while fits + 1 < too_many {
            let keep = fits.midpoint(too_many);
            if shortened(keep).width() <= room { fits = keep } else { too_many = keep }
        }
        if ends.is_empty() {
            return (self.part("", size), Some(0));
        }
        (shortened(fits), Some(name[..ends[fits]].trim_end().chars().count()))
    }

    fn part(&self, text: &str, size: f32) -> Part<'_> {
        if !self.has(text)
            && let Some(shaped) = Shaped::new(text, size)
        {
            return Part::Shaped(shaped);
        }
        // ab_glyph scales by the line height, ascent to descent; letter sizes are per em.
        let scale = PxScale::from(size * self.font.height_unscaled() / self.font.units_per_em().unwrap_or(1000.0));
        let font = self.font.as_scaled(scale);
        let mut glyphs = Vec::with_capacity(text.len());
        let (mut x, mut previous) = (0.0, None);
        // What no font has was replaced; a mark that shapes nothing is left out rather than shown as a box.
        for id in text.chars().map(|c| font.glyph_id(c)).filter(|id| id.0 != 0) {
            x += previous.map_or(0.0, |previous| font.kern(previous, id));
            glyphs.push(id.with_scale_and_position(scale, point(x, 0.0)));
            x += font.h_advance(id);
            previous = Some(id);
        }
        Part::Bundled { font: &self.font, glyphs, width: x }
    }

    /// Whether the bundled font has all of `text`, and nothing in it needs shaping.
    fn has(&self, text: &str) -> bool {
        text.chars().all(|c| self.font.glyph_id(c).0 != 0 && !is_combining(c))
    }
}

impl Part<'_> {
    fn width(&self) -> f32 {
        match self {
            Self::Bundled { width, .. } => *width,
            Self::Shaped(shaped) => shaped.width(),
        }
    }
}

impl Line<'_> {
    /// Width in pixels.
    pub(super) fn width(&self) -> f32 {
        self.width
    }

    /// How many characters of the name are left, when it was cut.
    pub(super) fn kept(&self) -> Option<usize> {
        self.kept
    }

    /// Draws from `left`, the capitals centred on `middle`.
    pub(super) fn draw(self, canvas: &mut Canvas<'_>, mut left: f32, middle: f32, colour: [u8; 3]) {
        // Capitals of Ubuntu Light are 0.69 em high. Whole pixels keep every letter on one line.
        let baseline = (middle + 0.345 * self.size).round();
        let bolder = BOLDER * self.size;
        for part in self.parts {
            let width = part.width();
            match part {
                Part::Shaped(shaped) => shaped.draw(canvas, left, baseline, bolder, colour),
                Part::Bundled { font, glyphs, .. } => {
                    for glyph in glyphs {
                        for shift in [0.0, bolder] {
                            let mut glyph = glyph.clone();
                            glyph.position.x += left + shift;
                            glyph.position.y = baseline;
                            let Some(outline) = font.outline_glyph(glyph) else { continue };
                            let bounds = outline.px_bounds();
                            let (x0, y0) = (bounds.min.x as i32, bounds.min.y as i32);
                            outline.draw(|x, y, coverage| {
                                canvas.blend(x0.saturating_add(x as i32), y0.saturating_add(y as i32), colour, coverage);
                            });
                        }
                    }
                }
            }
            left += width;
        }
    }
}

/// A character in Latin letters; one that nobody has transliterated as its number.
fn latin(c: char) -> String {
    deunicode::deunicode_char(c).map_or_else(|| format!("U+{:X} ", u32::from(c)), Into::into)
}

fn is_combining(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c) || is_selector(c)
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether `text` may be cut before the character at `at`: not within a letter and its marks, nor within a joined emoji.
fn is_boundary(text: &str, at: usize) -> bool {
    let after = text[at..].chars().next();
    let joined = text[..at].ends_with('\u{200d}');
    !joined && !after.is_some_and(|c| is_combining(c) || matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_greek_and_cyrillic_names_need_no_font_of_the_machine() {
        let lettering = Lettering::new();
        for name in ["AZaz09 áčđéěğıłñøőřşťžß", "ΑΩαωάή", "БЖЯбжяё", "…·'-()"] {
            assert!(lettering.has(name), "`{name}`");
            assert_eq!(lettering.drawable(name), name);
        }
    }

    #[test]
    fn long_lines_are_cut_to_the_width_and_keep_what_follows() {
        let lettering = Lettering::new();
        let cut = lettering.set("Maria Skłodowska-Curie", "0.62", 20.0, 140.0);
        assert!(cut.width() <= 140.0 && cut.width() > 110.0, "{}", cut.width());
        assert!(cut.kept().is_some_and(|kept| kept > 5), "{:?}", cut.kept());
        let whole = lettering.set("Maria", "0.62", 20.0, 1000.0);
        assert_eq!((whole.kept(), whole.parts.len()), (None, 2));
        // No room: an ellipsis, and no panic.
        assert_eq!(lettering.set("Maria", "", 20.0, 0.0).kept(), Some(0));
        assert_eq!(lettering.set("", "", 20.0, -5.0).kept(), Some(0));
    }

    #[test]
    fn marks_are_not_cut_from_their_letters() {
        let text = "क्षि\u{200d}a\u{301}\u{1f44d}\u{1f3fd}b";
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).filter(|&at| is_boundary(text, at)).collect();
        let starts: Vec<char> = cuts.iter().filter_map(|&at| text[at..].chars().next()).collect();
        assert_eq!(starts, ['क', 'ष', '\u{1f44d}', 'b']);
    }
}
