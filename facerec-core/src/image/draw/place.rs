//! Where a label goes: beside its face, inside the picture, away from other faces and labels.

use crate::geometry::Rect;

/// The best place for a label of `size` (width, height) near `face`, `gap` pixels away from it, in a picture of `picture` pixels.
pub(super) fn best(face: &Rect, size: (f32, f32), gap: f32, picture: (u32, u32), faces: &[Rect], labels: &[Rect]) -> Rect {
    let (w, h) = size;
    let middle = face.center();
    let (left, right) = (face.x1 - gap, face.x2 + gap - w);
    let (above, below) = (face.y1 - gap - h, face.y2 + gap);
    // Best first: each later one must be better by something. A step is worth a little overlap.
    let candidates = [
        (middle.x - w / 2.0, below),
        (middle.x - w / 2.0, above),
        (left, below),
        (right, below),
        (left, above),
        (right, above),
        (middle.x - w / 2.0, face.y2 - h - gap),
        (middle.x - w / 2.0, below + h * 0.6),
        (middle.x - w / 2.0, below + h * 1.2),
        (middle.x - w / 2.0, above - h * 0.6),
        (middle.x - w / 2.0, above - h * 1.2),
        (face.x2 + gap, middle.y - h / 2.0),
        (face.x1 - gap - w, middle.y - h / 2.0),
        (middle.x - w / 2.0, face.y1 + gap),
    ];
    let area = (w * h).max(1.0);
    let cost = |place: &Rect, step: usize, moved: f32| {
        let on_labels: f32 = labels.iter().map(|label| label.intersection(place)).sum();
        let on_faces: f32 = faces.iter().filter(|other| *other != face).map(|other| other.intersection(place)).sum();
        let on_own = face.intersection(place);
        (5.0 * on_labels + 2.5 * on_faces + 0.8 * on_own) / area + 0.04 * step as f32 + 0.5 * moved / (w + h)
    };
    let mut found: Option<(f32, Rect)> = None;
    for (step, &(x, y)) in candidates.iter().enumerate() {
        let place = inside(x, y, size, picture);
        let cost = cost(&place, step, (place.x1 - x).abs() + (place.y1 - y).abs());
        if found.is_none_or(|(least, _)| cost < least) {
            found = Some((cost, place));
        }
    }
    found.map_or_else(|| inside(face.x1, face.y2, size, picture), |(_, place)| place)
}

/// The box of `size` at `(x, y)`, pushed into the picture.
fn inside(x: f32, y: f32, (w, h): (f32, f32), (width, height): (u32, u32)) -> Rect {
    // Top and left win when it does not fit.
    let x = x.min(width as f32 - w - 1.0).max(1.0);
    let y = y.min(height as f32 - h - 1.0).max(1.0);
    Rect::new(x, y, x + w, y + h)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_avoid_faces_and_labels_and_stay_inside() {
        let face = Rect::new(100.0, 100.0, 140.0, 150.0);
        let free = best(&face, (60.0, 14.0), 2.0, (300, 300), &[face], &[]);
        assert!(free.y1 >= face.y2 && (free.center().x - face.center().x).abs() < 1e-3, "below and centred: {free:?}");

        let under = Rect::new(90.0, 152.0, 150.0, 210.0);
        let dodged = best(&face, (60.0, 14.0), 2.0, (300, 300), &[face, under], &[]);
        assert_eq!(dodged.intersection(&under), 0.0, "{dodged:?}");
        let again = best(&face, (60.0, 14.0), 2.0, (300, 300), &[face, under], &[dodged]);
        assert_eq!(again.intersection(&dodged), 0.0, "{again:?}");

        let corner = Rect::new(260.0, 260.0, 300.0, 300.0);
        let kept = best(&corner, (80.0, 14.0), 2.0, (300, 300), &[corner], &[]);
        assert!(kept.x2 <= 300.0 && kept.y2 <= 300.0 && kept.x1 >= 0.0 && kept.y1 >= 0.0, "{kept:?}");
    }
}
