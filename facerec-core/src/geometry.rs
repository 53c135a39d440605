//! Points, boxes, landmarks and similarity transforms: pure math, in pixels, origin at the top left.

/// A point in pixels. `x` grows to the right, `y` downwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Point {
    /// Horizontal position.
    pub x: f32,
    /// Vertical position.
    pub y: f32,
}

impl Point {
    /// A point at `(x, y)`.
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Euclidean distance to `other`, in pixels.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// An axis-aligned box given by its corners. It may reach beyond the image: detectors see faces that are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rect {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
}

impl Rect {
    /// A box from its left, top, right and bottom edges.
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// Width, never negative.
    pub fn width(&self) -> f32 {
        (self.x2 - self.x1).max(0.0)
    }

    /// Height, never negative.
    pub fn height(&self) -> f32 {
        (self.y2 - self.y1).max(0.0)
    }

    /// Area in square pixels.
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The middle of the box.
    pub fn center(&self) -> Point {
        Point::new((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// Area shared with `other`.
    pub fn intersection(&self, other: &Self) -> f32 {
        let width = self.x2.min(other.x2) - self.x1.max(other.x1);
        let height = self.y2.min(other.y2) - self.y1.max(other.y1);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union, `0..=1`; 0 when both boxes are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// The part of the box inside an image of `width` x `height` pixels.
    pub fn clamp(&self, width: u32, height: u32) -> Self {
        let (w, h) = (width as f32, height as f32);
        Self::new(self.x1.clamp(0.0, w), self.y1.clamp(0.0, h), self.x2.clamp(0.0, w), self.y2.clamp(0.0, h))
    }

    /// The box with every coordinate multiplied by `factor`.
    pub fn scale(&self, factor: f32) -> Self {
        Self::new(self.x1 * factor, self.y1 * factor, self.x2 * factor, self.y2 * factor)
    }
}

/// Five facial landmarks as seen in the image: left eye, right eye, nose tip, left and right mouth corner
/// ("left" is the side nearer to the left edge of an upright face's picture).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Landmarks(pub [Point; 5]);

impl Landmarks {
    /// The eye on the left side of the picture.
    pub fn left_eye(&self) -> Point {
        self.0[0]
    }

    /// The eye on the right side of the picture.
    pub fn right_eye(&self) -> Point {
        self.0[1]
    }

    /// The tip of the nose.
    pub fn nose(&self) -> Point {
        self.0[2]
    }

    /// The mouth corner on the left side of the picture.
    pub fn left_mouth(&self) -> Point {
        self.0[3]
    }

    /// The mouth corner on the right side of the picture.
    pub fn right_mouth(&self) -> Point {
        self.0[4]
    }

    /// All points with every coordinate multiplied by `factor`.
    pub fn scale(&self, factor: f32) -> Self {
        Self(self.0.map(|p| Point::new(p.x * factor, p.y * factor)))
    }
}

/// A similarity transform (rotation, uniform scale, translation; no reflection):
/// `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times the cosine of the angle.
    pub a: f32,
    /// Scale times the sine of the angle.
    pub b: f32,
    /// Translation in x.
    pub tx: f32,
    /// Translation in y.
    pub ty: f32,
}

impl Similarity {
    /// The transformed point.
    pub fn apply(&self, p: Point) -> Point {
        Point::new(self.a * p.x - self.b * p.y + self.tx, self.b * p.x + self.a * p.y + self.ty)
    }

    /// The uniform scale factor.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// The transform that undoes this one, or `None` when its scale is zero or not finite.
    pub fn inverse(&self) -> Option<Self> {
        let norm = self.a * self.a + self.b * self.b;
        if !norm.is_normal() {
            return None;
        }
        let (a, b) = (self.a / norm, -self.b / norm);
        Some(Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_of_half_overlapping_boxes_is_a_third() {
        let a = Rect::new(0.0, 0.0, 2.0, 1.0);
        let b = Rect::new(1.0, 0.0, 3.0, 1.0);
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(&Rect::new(5.0, 5.0, 6.0, 6.0)), 0.0);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
    }

    #[test]
    fn inverse_undoes_a_similarity() {
        let t = Similarity { a: 0.6, b: -1.3, tx: 12.0, ty: -4.0 };
        let p = Point::new(31.0, 7.5);
        let back = t.inverse().expect("scale is not zero").apply(t.apply(p));
        assert!(back.distance(p) < 1e-3);
        assert!(Similarity { a: 0.0, b: 0.0, tx: 1.0, ty: 1.0 }.inverse().is_none());
    }
}
