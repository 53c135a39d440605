//! Antialiased shapes, from the signed distance of each pixel's centre to the shape's edge.

use std::ops::Range;

use crate::geometry::{Point, Rect};
use crate::image::Image;

/// The dark rim that keeps bright lines visible on bright photos: its strength.
const RIM: f32 = 0.38;

/// How a box is outlined, in pixels.
pub(super) struct Stroke {
    /// Line width at the corners; the sides between are drawn thinner.
    pub(super) width: f32,
    /// Radius of the corners.
    pub(super) radius: f32,
    /// How far along each side the full line width reaches.
    pub(super) corner: f32,
}

/// A picture being drawn on. Everything is clipped to it.
pub(super) struct Canvas<'a> {
    width: usize,
    height: usize,
    data: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    pub(super) fn new(image: &'a mut Image) -> Self {
        Self { width: image.width() as usize, height: image.height() as usize, data: image.data_mut() }
    }

    /// Mixes `colour` into a pixel; nothing happens outside the picture.
    pub(super) fn blend(&mut self, x: i32, y: i32, colour: [u8; 3], opacity: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height || opacity <= 0.0 {
            return;
        }
        let at = (y * self.width + x) * 3;
        for (value, colour) in self.data[at..at + 3].iter_mut().zip(colour) {
            let mixed = f32::from(*value) + (f32::from(colour) - f32::from(*value)) * opacity.min(1.0);
            *value = mixed.round() as u8;
        }
    }

    /// A rounded box outline whose corners are emphasised.
    pub(super) fn outline(&mut self, rect: &Rect, stroke: &Stroke, colour: [u8; 3]) {
        let rim = (stroke.width * 0.5).max(1.0);
        let reach = stroke.width / 2.0 + rim + 1.0;
        let outer = grown(rect, reach);
        // Rows between the rounded corners touch the outline only at their two ends.
        let ends = (reach + stroke.radius).ceil() as i32 + 1;
        let (columns, rows) = (span(outer.x1, outer.x2, self.width), span(outer.y1, outer.y2, self.height));
        let inner_rows = (outer.y1 as i32 + ends)..(outer.y2 as i32 - ends);
        for y in rows {
            let split = inner_rows.contains(&y) && columns.len() as i32 > 2 * ends;
            let right = if split { outer.x2.min(self.width as f32).ceil() as i32 - ends } else { columns.end };
            let left = if split { columns.start + ends } else { columns.end };
            for x in (columns.start..left).chain(right.max(left)..columns.end) {
                let p = Point::new(x as f32 + 0.5, y as f32 + 0.5);
                let distance = rounded_distance(p, rect, stroke.radius).abs();
                if distance > reach {
                    continue;
                }
                // 1 near a corner, 0 along the sides.
                let along = (p.x - rect.x1).abs().min((p.x - rect.x2).abs()).max((p.y - rect.y1).abs().min((p.y - rect.y2).abs()));
                let bold = (stroke.corner - along + 0.5).clamp(0.0, 1.0);
                let half = stroke.width / 2.0 * (0.5 + 0.5 * bold);
                self.blend(x, y, [0; 3], RIM * (0.6 + 0.4 * bold) * (1.0 - (distance - half) / rim).clamp(0.0, 1.0));
                self.blend(x, y, colour, (0.75 + 0.25 * bold) * coverage(distance - half));
            }
        }
    }

    /// A filled disc with a dark rim.
    pub(super) fn dot(&mut self, centre: Point, radius: f32, colour: [u8; 3]) {
        let reach = radius * 1.6 + 1.0;
        let rows = span(centre.y - reach, centre.y + reach, self.height);
        for y in rows {
            for x in span(centre.x - reach, centre.x + reach, self.width) {
                let distance = centre.distance(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                self.blend(x, y, [0; 3], RIM * coverage(distance - radius * 1.6));
                self.blend(x, y, colour, coverage(distance - radius));
            }
        }
    }

    /// A filled rounded box.
    pub(super) fn plate(&mut self, rect: &Rect, radius: f32, colour: [u8; 3], opacity: f32) {
        let rows = span(rect.y1 - 1.0, rect.y2 + 1.0, self.height);
        for y in rows {
            for x in span(rect.x1 - 1.0, rect.x2 + 1.0, self.width) {
                let distance = rounded_distance(Point::new(x as f32 + 0.5, y as f32 + 0.5), rect, radius);
                self.blend(x, y, colour, opacity * coverage(distance));
            }
        }
    }
}

/// The pixels from `from` to `to` that lie in `0..limit`.
fn span(from: f32, to: f32, limit: usize) -> Range<i32> {
    // Float casts saturate, and map NaN to 0.
    let limit = limit as f32;
    (from.floor().clamp(0.0, limit) as i32)..(to.ceil().clamp(0.0, limit) as i32)
}

fn grown(rect: &Rect, by: f32) -> Rect {
    Rect::new(rect.x1 - by, rect.y1 - by, rect.x2 + by, rect.y2 + by)
}

/// How much of a pixel lies inside an edge that is `distance` away from its centre, negative inside.
fn coverage(distance: f32) -> f32 {
    (0.5 - distance).clamp(0.0, 1.0)
}

/// Signed distance from `p` to a rounded box, negative inside.
fn rounded_distance(p: Point, rect: &Rect, radius: f32) -> f32 {
    let radius = radius.min(rect.width() / 2.0).min(rect.height() / 2.0);
    let middle = rect.center();
    let x = (p.x - middle.x).abs() - rect.width() / 2.0 + radius;
    let y = (p.y - middle.y).abs() - rect.height() / 2.0 + radius;
    x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
}
