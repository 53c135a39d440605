//! One line of text in Ubuntu Light, emboldened a little so that it reads well on a photo.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use epaint_default_fonts::UBUNTU_LIGHT;

use super::shapes::Canvas;

/// How far the second, emboldening impression is moved, in letter sizes.
const BOLDER: f32 = 0.035;

/// The font.
pub(super) struct Lettering {
    font: FontRef<'static>,
}

/// A line of text set in a size.
pub(super) struct Line<'a> {
    font: &'a FontRef<'static>,
    glyphs: Vec<Glyph>,
    width: f32,
    size: f32,
}

impl Lettering {
    pub(super) fn new() -> Self {
        let font = FontRef::try_from_slice(UBUNTU_LIGHT).expect("the font is compiled in, and the tests of this module draw with it");
        Self { font }
    }

    /// Sets `text` in letters of `size` pixels, cut with an ellipsis where it is wider than `widest`.
    pub(super) fn set(&self, text: &str, size: f32, widest: f32) -> Line<'_> {
        let characters: Vec<char> = text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let whole = self.line(&characters, size);
        if whole.width <= widest {
            return whole;
        }
        // The width grows with each character, so the longest start that fits can be found by halving.
        let shortened = |keep: usize| self.line(&[&characters[..keep], &['…']].concat(), size);
        let (mut fits, mut too_many) = (0, characters.len());
        while fits + 1 < too_many {
            let keep = fits.midpoint(too_many);
            if shortened(keep).width <= widest { fits = keep } else { too_many = keep }
        }
        shortened(fits)
    }

    fn line(&self, characters: &[char], size: f32) -> Line<'_> {
        // ab_glyph scales by the line height, ascent to descent; letter sizes are per em.
        let scale = PxScale::from(size * self.font.height_unscaled() / self.font.units_per_em().unwrap_or(1000.0));
        let font = self.font.as_scaled(scale);
        let mut glyphs = Vec::with_capacity(characters.len());
        let (mut x, mut previous) = (0.0, None);
        for &character in characters {
            let id = font.glyph_id(character);
            // Control characters, joiners and accents that the font lacks have no width of their own; other letters that
            // it lacks show as glyph 0, a box.
            if id.0 == 0 && is_invisible(character) {
                continue;
            }
            x += previous.map_or(0.0, |previous| font.kern(previous, id));
            glyphs.push(id.with_scale_and_position(scale, point(x, 0.0)));
            x += font.h_advance(id);
            previous = Some(id);
        }
        Line { font: &self.font, glyphs, width: x, size }
    }
}

impl Line<'_> {
    /// Width in pixels.
    pub(super) fn width(&self) -> f32 {
        self.width
    }

    /// Draws from `left`, the capitals centred on `middle`.
    pub(super) fn draw(self, canvas: &mut Canvas<'_>, left: f32, middle: f32, colour: [u8; 3]) {
        // Capitals of Ubuntu Light are 0.69 em high. Whole pixels keep every letter on one line.
        let baseline = (middle + 0.345 * self.size).round();
        for glyph in self.glyphs {
            for shift in [0.0, BOLDER * self.size] {
                let mut glyph = glyph.clone();
                glyph.position.x += left + shift;
                glyph.position.y = baseline;
                let Some(outline) = self.font.outline_glyph(glyph) else { continue };
                let bounds = outline.px_bounds();
                let (x0, y0) = (bounds.min.x as i32, bounds.min.y as i32);
                outline.draw(|x, y, coverage| {
                    canvas.blend(x0.saturating_add(x as i32), y0.saturating_add(y as i32), colour, coverage);
                });
            }
        }
    }
}

fn is_invisible(character: char) -> bool {
    let combining = matches!(character, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{20D0}'..='\u{20FF}');
    let joiner = matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{AD}');
    combining || joiner || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_greek_and_cyrillic_names_have_letters() {
        let lettering = Lettering::new();
        for character in "AZaz09 áčđéěğıłñøőřşťžß ΑΩαωάή БЖЯбжяё …·'-()".chars() {
            assert_ne!(lettering.font.glyph_id(character).0, 0, "`{character}` is missing");
        }
        let decomposed = lettering.set("Jose\u{301}", 20.0, f32::INFINITY);
        assert!((decomposed.width() - lettering.set("Jose", 20.0, f32::INFINITY).width()).abs() < 1.0);
    }

    #[test]
    fn long_lines_are_cut_to_the_width() {
        let lettering = Lettering::new();
        let cut = lettering.set("Maria Skłodowska-Curie 0.62", 20.0, 100.0);
        assert!(cut.width() <= 100.0 && cut.width() > 70.0, "{}", cut.width());
        assert!(lettering.set("Maria", 20.0, 0.0).glyphs.len() <= 1);
    }
}
