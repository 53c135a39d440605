//! Alignment: the five landmarks are brought to the embedder's template by a similarity transform.

mod similarity;

pub use similarity::estimate_similarity;

use crate::error::{Error, Result};
use crate::geometry::{Landmarks, Point};
use crate::image::{Image, ImageView, warp_affine};

/// Cuts the face with these `landmarks` out of `image` so that they come to lie on `template` (pixels of a square
/// picture of `size` pixels). Bilinear sampling; black outside the image.
///
/// # Errors
/// `invalid_argument` when the landmarks lie on one point or are not finite, so that no transform exists.
pub fn align(image: ImageView<'_>, landmarks: &Landmarks, template: &[Point; 5], size: u32) -> Result<Image> {
    let rgb = image.to_rgb();
    align_rgb(&rgb, (image.width(), image.height()), landmarks, template, size)
}

/// [`align`] on tightly packed RGB, for callers that align many faces of one picture.
pub(crate) fn align_rgb(rgb: &[u8], from: (u32, u32), landmarks: &Landmarks, template: &[Point; 5], size: u32) -> Result<Image> {
    let inverse = estimate_similarity(&landmarks.0, template).and_then(|transform| transform.inverse());
    let Some(t) = inverse else {
        return Err(Error::argument(
            "landmarks",
            format!("expected five finite points that are not all the same, got `{:?}`", landmarks.0),
        ));
    };
    Image::from_rgb(size, size, warp_affine(rgb, from, [t.a, -t.b, t.tx, t.b, t.a, t.ty], (size, size)))
}
