//! Drawing faces and names onto a picture so that a person likes to look at it: on thumbnails and on 50-megapixel scans alike.

mod place;
mod shapes;
mod text;

use super::Image;
use crate::geometry::{Landmarks, Rect};
use shapes::{Canvas, Stroke};
use text::Lettering;

/// A face to mark in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// The face's box in pixels of the picture. The part outside the picture is not drawn.
    pub rect: Rect,
    /// Landmarks to dot, on faces large enough for it.
    pub landmarks: Option<Landmarks>,
    /// What to write beside the box, in one line: Latin, Greek and Cyrillic letters; others show as a box. Empty: nothing.
    pub label: String,
    /// The colour.
    pub tone: Tone,
}

/// What a face means, told by colour (apart for colour-blind eyes too: they differ in lightness).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tone {
    /// Somebody we know: green.
    Known,
    /// Somebody we do not know: pale grey, so that it steps back behind the known.
    Unknown,
    /// A face nobody was looked up for: blue.
    Neutral,
    /// Something needs attention: orange.
    Warning,
}

impl Tone {
    /// The colour of lines and dots, bright on any photo.
    fn line(self) -> [u8; 3] {
        match self {
            Self::Known => [40, 205, 145],
            Self::Unknown => [222, 226, 230],
            Self::Neutral => [70, 165, 245],
            Self::Warning => [255, 145, 45],
        }
    }

    /// The label's background, dark enough for white letters (contrast at least 4.5).
    fn plate(self) -> [u8; 3] {
        match self {
            Self::Known => [0, 122, 84],
            Self::Unknown => [62, 68, 76],
            Self::Neutral => [12, 98, 178],
            Self::Warning => [178, 74, 0],
        }
    }

    /// Who may take the best place for a label first.
    fn rank(self) -> u8 {
        match self {
            Self::Known => 0,
            Self::Warning => 1,
            Self::Neutral => 2,
            Self::Unknown => 3,
        }
    }
}

/// Marks faces in a picture: a rounded box with emphasised corners, its landmarks, and a label that stays inside the picture and
/// away from other faces and labels where there is room. Line and letter sizes follow the picture and each face.
///
/// Boxes that are not finite or lie outside the picture are left out.
pub fn annotate(image: &mut Image, annotations: &[Annotation]) {
    let (width, height) = (image.width(), image.height());
    let marks: Vec<Mark<'_>> = annotations.iter().filter_map(|annotation| Mark::new(annotation, width, height)).collect();
    let mut canvas = Canvas::new(image);
    for mark in &marks {
        mark.draw_box(&mut canvas);
    }
    for mark in &marks {
        mark.draw_landmarks(&mut canvas);
    }

    let lettering = Lettering::new();
    let mut order: Vec<&Mark<'_>> = marks.iter().filter(|mark| !mark.annotation.label.trim().is_empty()).collect();
    order.sort_by(|a, b| {
        let rank = |mark: &Mark<'_>| mark.annotation.tone.rank();
        rank(a).cmp(&rank(b)).then(b.rect.area().total_cmp(&a.rect.area()))
    });
    let faces: Vec<Rect> = marks.iter().map(|mark| mark.rect).collect();
    let mut labels: Vec<Rect> = Vec::new();
    let mut sizes: Vec<f32> = order.iter().map(|mark| letter_size(mark, &lettering, width, height)).collect();
    sizes.sort_by(f32::total_cmp);
    let usual = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    for mark in order {
        // Neighbours look alike; only much larger and much smaller faces get other letters.
        let own = letter_size(mark, &lettering, width, height);
        let size = if (usual * 0.75..usual * 1.3).contains(&own) { usual } else { own };
        let line = lettering.set(&mark.annotation.label, size, width as f32 - 1.1 * size);
        let plate = (line.width() + 0.9 * size, 1.45 * size);
        let place = place::best(&mark.rect, plate, mark.stroke + 0.2 * size, (width, height), &faces, &labels);
        labels.push(place);
        canvas.plate(&place, 0.32 * size, mark.annotation.tone.plate(), 0.9);
        line.draw(&mut canvas, place.x1 + 0.45 * size, place.center().y, [255; 3]);
    }
}

/// Letter height in pixels: follows the face, within what is readable and decent in the picture as a whole, and
/// shrinks within those bounds to keep a long label near its face.
fn letter_size(mark: &Mark<'_>, lettering: &Lettering, width: u32, height: u32) -> f32 {
    let (shorter, longer) = (width.min(height) as f32, width.max(height) as f32);
    // Seen on a screen of about 1500 px, a large picture is shrunk: letters must be readable after that.
    let least = (longer * 0.0098).max(9.0);
    let most = (shorter * 0.042).max(1.25 * least);
    let wanted = (mark.rect.height() * 0.15).clamp(least, most);
    let room = (mark.rect.width() * 1.9).max(1.0);
    let width_at_wanted = lettering.set(&mark.annotation.label, wanted, f32::INFINITY).width() + 0.9 * wanted;
    (wanted * (room / width_at_wanted).min(1.0)).max(least)
}

/// An annotation whose box is known to be drawable.
struct Mark<'a> {
    annotation: &'a Annotation,
    /// The box, inside the picture.
    rect: Rect,
    /// Width of its line in pixels.
    stroke: f32,
}

impl<'a> Mark<'a> {
    fn new(annotation: &'a Annotation, width: u32, height: u32) -> Option<Self> {
        let Rect { x1, y1, x2, y2 } = annotation.rect;
        if ![x1, y1, x2, y2].iter().all(|v| v.is_finite()) {
            return None;
        }
        let face = annotation.rect.clamp(width, height);
        let side = face.area().sqrt();
        if side < 1.0 {
            return None;
        }
        let base = (width.max(height) as f32 / 1000.0).max(1.0);
        let stroke = (side * 0.02).clamp(base, 2.6 * base);
        // A box that is cut off by the picture's edge still shows its line there.
        let inset = (stroke * 0.75).min(side / 4.0);
        let (right, bottom) = (width as f32 - inset, height as f32 - inset);
        let rect = Rect::new(face.x1.max(inset), face.y1.max(inset), face.x2.min(right), face.y2.min(bottom));
        (rect.area() > 0.0).then_some(Self { annotation, rect, stroke })
    }

    fn draw_box(&self, canvas: &mut Canvas<'_>) {
        let side = self.rect.width().min(self.rect.height());
        let radius = (side * 0.1).clamp(1.0, 8.0 * self.stroke).min(side / 2.0);
        let corner = side * 0.26;
        canvas.outline(&self.rect, &Stroke { width: self.stroke * 1.4, radius, corner }, self.annotation.tone.line());
    }

    fn draw_landmarks(&self, canvas: &mut Canvas<'_>) {
        let side = self.rect.width().min(self.rect.height());
        // Dots on a smaller face would hide it.
        if side < 14.0 * self.stroke || side < 32.0 {
            return;
        }
        for point in self.annotation.landmarks.iter().flat_map(|landmarks| landmarks.0) {
            canvas.dot(point, (side * 0.015).clamp(1.2, 2.0 * self.stroke), self.annotation.tone.line());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(rect: Rect, label: &str, tone: Tone) -> Annotation {
        Annotation { rect, landmarks: None, label: label.into(), tone }
    }

    #[test]
    fn the_box_is_drawn_and_the_face_stays_clear() {
        let mut image = Image::filled(200, 160, [90; 3]);
        annotate(&mut image, &[mark(Rect::new(60.0, 60.0, 120.0, 130.0), "", Tone::Known)]);
        let at = |x: usize, y: usize| &image.data()[(y * 200 + x) * 3..][..3];
        assert!(at(60, 75)[1] > 150, "green on the left edge: {:?}", at(60, 75));
        assert_eq!(at(90, 95), [90; 3], "the middle is untouched");
        assert_eq!(at(10, 10), [90; 3], "so is the rest");
    }

    #[test]
    fn any_box_and_any_text_is_survived() {
        let texts = ["", " ", "Ünïcödé Ωμέγα Жанна", "名前 مرحبا 👩‍👩‍👧", "a\nb\u{0}c\u{301}", &"long ".repeat(200)];
        let wild = [0.0, -50.0, 37.5, 1e9, -1e9, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE];
        for (width, height) in [(1, 1), (30_000, 1), (3, 200), (64, 48)] {
            let mut image = Image::filled(width, height, [128; 3]);
            for text in texts {
                for x1 in wild {
                    for x2 in wild {
                        let rect = Rect::new(x1, x2, x2, x1 + 40.0);
                        let landmarks = Some(Landmarks([crate::geometry::Point::new(x1, x2); 5]));
                        annotate(&mut image, &[Annotation { rect, landmarks, label: text.into(), tone: Tone::Warning }]);
                    }
                }
            }
        }
    }

    #[test]
    fn labels_are_written_inside_the_picture() {
        // A face that fills the picture: no room around it.
        let mut image = Image::filled(250, 250, [90; 3]);
        let before = image.clone();
        annotate(&mut image, &[mark(Rect::new(-10.0, -20.0, 260.0, 280.0), "Αλέξης 0.71", Tone::Known)]);
        let white = image.data().chunks_exact(3).filter(|p| p[0] > 150).count();
        assert!(white > 100, "letters are there: {white} white pixels");
        assert_ne!(image, before);
    }
}
