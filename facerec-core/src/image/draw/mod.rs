//! Drawing faces and names onto a picture so that a person likes to look at it: on thumbnails and on 50-megapixel scans alike.

mod namesakes;
mod place;
mod script;
mod shapes;
mod text;

use super::Image;
use crate::geometry::{Landmarks, Rect};
pub(crate) use namesakes::Namesakes;
use shapes::{Canvas, Stroke};
use text::{Lettering, Line};

/// A face to mark in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// The face's box in pixels of the picture. The part outside the picture is not drawn.
    pub rect: Rect,
    /// Landmarks to dot, on faces large enough for it.
    pub landmarks: Option<Landmarks>,
    /// The name to write beside the box, in one line and in any script: see [`annotate`]. Empty: nothing.
    pub label: String,
    /// What to write behind the name, such as a similarity. It stays whole where a long name is cut. Empty: nothing.
    pub detail: String,
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

impl Annotation {
    fn has_text(&self) -> bool {
        !self.label.trim().is_empty() || !self.detail.trim().is_empty()
    }
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
/// Labels are Latin, Greek and Cyrillic in a font that comes along, and in any other script in the fonts of this machine, shaped and in
/// their own direction. They are looked for once per process and only when they are needed; the variable `FACEREC_FONTS` names folders to
/// look in instead. What no font has is written in Latin letters, `张伟` as `Zhang Wei`. Different labels that would be drawn alike,
/// written so, cut, or in letters of two scripts that look alike, get a number each.
///
/// Boxes that are not finite or lie outside the picture are left out.
pub fn annotate(image: &mut Image, annotations: &[Annotation]) {
    annotate_among(image, annotations, &Namesakes::of(annotations.iter().map(|annotation| annotation.label.as_str())));
}

/// [`annotate`] in a picture of many, as in a video, where everybody keeps the number that they have among all of `names`.
pub(crate) fn annotate_among(image: &mut Image, annotations: &[Annotation], names: &Namesakes) {
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
    let mut order: Vec<&Mark<'_>> = marks.iter().filter(|mark| mark.annotation.has_text()).collect();
    order.sort_by(|a, b| {
        let rank = |mark: &Mark<'_>| mark.annotation.tone.rank();
        rank(a).cmp(&rank(b)).then(b.rect.area().total_cmp(&a.rect.area()))
    });
    let faces: Vec<Rect> = marks.iter().map(|mark| mark.rect).collect();
    let mut labels: Vec<Rect> = Vec::new();
    let mut sizes: Vec<f32> = order.iter().map(|mark| letter_size(mark, &lettering, names, width, height)).collect();
    sizes.sort_by(f32::total_cmp);
    let usual = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    for mark in order {
        // Neighbours look alike; only much larger and much smaller faces get other letters.
        let own = letter_size(mark, &lettering, names, width, height);
        let size = if (usual * 0.75..usual * 1.3).contains(&own) { usual } else { own };
        let line = set(mark.annotation, &lettering, names, size, width as f32 - 1.1 * size);
        let plate = (line.width() + 0.9 * size, 1.45 * size);
        let place = place::best(&mark.rect, plate, mark.stroke + 0.2 * size, (width, height), &faces, &labels);
        labels.push(place);
        canvas.plate(&place, 0.32 * size, mark.annotation.tone.plate(), 0.9);
        line.draw(&mut canvas, place.x1 + 0.45 * size, place.center().y, [255; 3]);
    }
}

/// Letter height in pixels: follows the face, within what is readable and decent in the picture as a whole, and
/// shrinks within those bounds to keep a long label near its face.
fn letter_size(mark: &Mark<'_>, lettering: &Lettering, names: &Namesakes, width: u32, height: u32) -> f32 {
    let (shorter, longer) = (width.min(height) as f32, width.max(height) as f32);
    // Seen on a screen of about 1500 px, a large picture is shrunk: letters must be readable after that.
    let least = (longer * 0.0098).max(9.0);
    let most = (shorter * 0.042).max(1.25 * least);
    let wanted = (mark.rect.height() * 0.15).clamp(least, most);
    let room = (mark.rect.width() * 1.9).max(1.0);
    let width_at_wanted = set(mark.annotation, lettering, names, wanted, f32::INFINITY).width() + 0.9 * wanted;
    (wanted * (room / width_at_wanted).min(1.0)).max(least)
}

/// The label at most `widest` pixels wide, with its number where it would be taken for another one's.
fn set<'l>(annotation: &Annotation, lettering: &'l Lettering, names: &Namesakes, size: f32, widest: f32) -> Line<'l> {
    let (name, detail) = (names.drawn(&annotation.label), annotation.detail.trim());
    let line = lettering.set(name, detail, size, widest);
    let Some(number) = names.number(&annotation.label, line.kept()) else { return line };
    let numbered = lettering.set(name, format!("({number}) {detail}").trim_end(), size, widest);
    if numbered.width() <= widest { numbered } else { lettering.set(name, &format!("({number})"), size, widest) }
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
        Annotation { rect, landmarks: None, label: label.into(), detail: String::new(), tone }
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
                        annotate(
                            &mut image,
                            &[Annotation { rect, landmarks, label: text.into(), detail: "0.62".into(), tone: Tone::Warning }],
                        );
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
    /// Names of many scripts, some of which would be drawn alike: with the same reading, cut, or in letters that look alike.
    const NAMES: [&str; 18] = [
        "André",
        "Nguyễn Thị Bưởi",
        "张伟",
        "章伟",
        "李娜",
        "山田太郎",
        "김철수",
        "محمد علي",
        "می\u{200c}خواهم",
        "משה כהן",
        "अमित क्षत्रिय",
        "สมชาย ใจดี",
        "👨\u{200d}👩\u{200d}👧",
        "Paul",
        "\u{420}aul",
        "\u{202e}Paul",
        "Maximilian von Hohenlohe-Langenburg",
        "Maximilian von Hohenlohe-Schillingsfürst",
    ];

    /// The picture of each name alone among all of `NAMES`, in a picture of `width` pixels.
    fn pictures(width: u32) -> Vec<Vec<u8>> {
        let names = Namesakes::of(NAMES);
        let draw = |name: &&str| {
            let mut image = Image::filled(width, 60, [90; 3]);
            annotate_among(&mut image, &[mark(Rect::new(20.0, 2.0, width as f32 - 20.0, 40.0), name, Tone::Known)], &names);
            image.data().to_vec()
        };
        NAMES.iter().map(draw).collect()
    }

    fn check_names() {
        let lettering = Lettering::new();
        for name in NAMES {
            let drawn = lettering.drawable(name);
            assert!(!drawn.is_empty() && script::Shaped::missing(&drawn).is_empty(), "{name:?} has boxes as {drawn:?}");
        }
        for width in [600, 150] {
            let pictures = pictures(width);
            for (at, picture) in pictures.iter().enumerate() {
                let alike = pictures[..at].iter().position(|other| other == picture);
                assert_eq!(alike.map(|other| (NAMES[at], NAMES[other])), None, "{width}");
            }
        }
    }

    #[test]
    fn names_of_any_script_are_drawn_and_no_two_alike() {
        check_names();
        if script::Shaped::new("张伟", 20.0).is_none() {
            assert!(std::env::var_os("CI").is_none(), "no font of this machine has Chinese letters: run scripts/setup.sh --tests");
            #[allow(clippy::print_stderr)] // what is skipped is said aloud
            let () = eprintln!("SKIPPED: no font of this machine has Chinese letters; scripts/setup.sh --tests installs some");
            return;
        }
        // In letters of their own, not transliterated: and then the two need no number.
        assert_eq!(Lettering::new().drawable("张伟"), "张伟");
        let names = Namesakes::of(NAMES);
        assert_eq!((names.number("张伟", None), names.number("章伟", None)), (None, None));
    }

    /// Fonts are looked for once per process: the next test runs this one in another.
    #[test]
    #[ignore = "run by the test below, without fonts"]
    fn names_without_fonts() {
        check_names();
        let (lettering, names) = (Lettering::new(), Namesakes::of(NAMES));
        assert_eq!((lettering.drawable("张伟"), lettering.drawable("Ana 张伟!")), ("Zhang Wei".into(), "Ana Zhang Wei !".into()));
        assert_eq!((names.number("张伟", None), names.number("章伟", None)), (Some(1), Some(2)));
        assert_eq!(lettering.drawable("\u{10ffff}"), "U+10FFFF");
    }

    #[test]
    fn a_machine_without_fonts_draws_latin_letters_and_no_two_names_alike() {
        let empty = tempfile::tempdir().expect("a folder");
        let mut again = std::process::Command::new(std::env::current_exe().expect("this test"));
        let again = again.args(["--exact", "--ignored", "image::draw::tests::names_without_fonts"]).env("FACEREC_FONTS", empty.path());
        let output = again.output().expect("run");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn a_name_is_cut_and_what_follows_it_is_not() {
        let lettering = Lettering::new();
        let long = "Maximilian Alexander von und zu Hohenlohe-Langenburg".repeat(3);
        for label in [long.as_str(), &"محمد عبد الرحمن ".repeat(9), &"张".repeat(99), &"क्षि".repeat(60)] {
            for width in [40, 200, 700] {
                let mut image = Image::filled(width, 90, [90; 3]);
                let annotation = Annotation { detail: "0.62".into(), ..mark(Rect::new(5.0, 5.0, 30.0, 40.0), label, Tone::Known) };
                let names = Namesakes::of([label]);
                let line = set(&annotation, &lettering, &names, 12.0, width as f32 - 13.2);
                assert!(line.width() <= width as f32, "{label} in {width}: {}", line.width());
                annotate(&mut image, &[annotation]);
            }
        }
    }
}
