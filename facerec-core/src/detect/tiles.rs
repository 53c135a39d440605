//! Where a picture much larger than the network's canvas is looked at again: levels of overlapping tiles.
//!
//! Pure geometry. The first look shows the network faces from some size upwards; each level below it shows smaller ones, down to
//! the smallest that is wanted. A level's tiles overlap by so much that every face up to the smallest of the level above lies
//! whole in one of them: between two levels no size is left out.

/// How much wider than the largest face of its level an overlap is: hair and chin help a network to see a face.
const ROOM: f64 = 1.5;

/// Largest share of a tile's side that overlaps. A larger share needs another level to take the larger faces.
const MOST_OVERLAP: f64 = 1.0 / 3.0;

/// Tiles of one scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    /// Tile pixels per picture pixel; at most 1.
    pub(super) scale: f64,
    /// Side, in picture pixels, of the largest face that lies whole in a tile wherever it stands.
    pub(super) largest: f64,
    /// Width and height of each tile, in tile pixels.
    pub(super) tile: (u32, u32),
    /// Left and top of each tile, in tile pixels, row by row.
    pub(super) places: Vec<(u32, u32)>,
}

/// What a network sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// Width and height of its canvas.
    pub(super) canvas: (u32, u32),
    /// Pixels of which the sides of a canvas are multiples.
    pub(super) stride: u32,
    /// Whether a smaller canvas than `canvas` will do.
    pub(super) dynamic: bool,
    /// Side, in canvas pixels, of the smallest face that it finds.
    pub(super) min_face: f64,
    /// Side, in canvas pixels, of the largest face that it frames well; 0 for any.
    pub(super) max_face: f64,
}

/// The levels, the coarsest first, in which a picture of `size` (width, height) is looked at after a first look at `first`
/// canvas pixels per picture pixel, so that faces of `wanted` pixels are found. None when the first look shows them already.
pub(super) fn levels(size: (u32, u32), first: f64, sight: &Sight, wanted: f64) -> Vec<Level> {
    // A picture is never enlarged: below that, nothing more can be seen.
    let wanted = wanted.max(sight.min_face);
    let seen = sight.min_face / first;
    if seen <= wanted {
        return Vec::new();
    }
    let side = f64::from(sight.canvas.0.min(sight.canvas.1));
    let mut widest = side * MOST_OVERLAP / (ROOM * sight.min_face);
    if sight.max_face > 0.0 {
        widest = widest.min(sight.max_face / sight.min_face);
    }
    // `widest` is the ratio of the largest and the smallest face of one level; a ratio near 1 would need levels without end.
    let count = ((seen / wanted).ln() / widest.max(1.5).ln()).ceil().max(1.0);
    let ratio = (seen / wanted).powf(1.0 / count);
    (1..=count as i32).map(|level| of(size, sight, seen / ratio.powi(level), seen / ratio.powi(level - 1))).collect()
}

/// The level for faces of `smallest` to `largest` picture pixels.
fn of(size: (u32, u32), sight: &Sight, smallest: f64, largest: f64) -> Level {
    let scale = sight.min_face / smallest;
    let overlap = (largest * ROOM * scale).ceil() as u32;
    let cut = |pixels: u32, most: u32| {
        let whole = ((f64::from(pixels) * scale) as u32).max(1);
        let most = most.max(overlap + 1);
        if whole <= most {
            return (if sight.dynamic { whole } else { most }, vec![0]);
        }
        let count = (whole - overlap).div_ceil(most - overlap);
        let even = (whole + (count - 1) * overlap).div_ceil(count);
        let tile = if sight.dynamic { even.next_multiple_of(sight.stride).min(most) } else { most };
        // Evenly spread: the last one ends where the picture ends.
        let left = |index: u32| u64::from(index) * u64::from(whole - tile) / u64::from(count - 1);
        (tile, (0..count).map(|index| left(index) as u32).collect::<Vec<_>>())
    };
    let ((width, columns), (height, rows)) = (cut(size.0, sight.canvas.0), cut(size.1, sight.canvas.1));
    let places = rows.iter().flat_map(|&top| columns.iter().map(move |&left| (left, top))).collect();
    Level { scale, largest, tile: (width, height), places }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ULTRAFACE: Sight = Sight { canvas: (640, 640), stride: 64, dynamic: true, min_face: 12.0, max_face: 160.0 };

    /// Whether a square face of `side` picture pixels at `x`, `y` lies whole, with a tenth around it, in a tile of `level`, as far
    /// as the picture reaches.
    fn whole(level: &Level, size: (u32, u32), side: f64, (x, y): (f64, f64)) -> bool {
        let room = side * 0.1;
        let picture = (f64::from(size.0), f64::from(size.1));
        let (left, top) = ((x - room).max(0.0), (y - room).max(0.0));
        // Less than a pixel of the tile is lost where the picture is no whole number of them.
        let (right, bottom) = ((x + side + room).min(picture.0 - 1.0 / level.scale), (y + side + room).min(picture.1 - 1.0 / level.scale));
        level.places.iter().any(|&(u, v)| {
            let (u, v) = (f64::from(u) / level.scale, f64::from(v) / level.scale);
            let (width, height) = (f64::from(level.tile.0) / level.scale, f64::from(level.tile.1) / level.scale);
            left >= u - 1e-6 && top >= v - 1e-6 && right <= u + width + 1e-6 && bottom <= v + height + 1e-6
        })
    }

    fn every_face_lies_whole(size: (u32, u32), sight: &Sight, wanted: f64) {
        let first = 640.0 / f64::from(size.0.max(size.1));
        let levels = levels(size, first, sight, wanted);
        let (mut seen, mut sizes) = (sight.min_face / first, Vec::new());
        for level in &levels {
            assert!((level.largest - seen).abs() < 1e-6, "{size:?}: nothing between two levels");
            seen = sight.min_face / level.scale;
            sizes.push((level, seen, level.largest));
            assert!(level.scale <= 1.0 + 1e-9 && level.tile.0 <= sight.canvas.0 && level.tile.1 <= sight.canvas.1, "{size:?} {level:?}");
        }
        assert!(levels.is_empty() || (seen - wanted.max(sight.min_face)).abs() < 1e-6, "{size:?}: {seen} px are the smallest");
        let mut state = 1u64;
        let mut random = |most: f64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 31) * most.max(0.0)
        };
        for (level, smallest, largest) in sizes {
            for _ in 0..2000 {
                let side = smallest + random(largest - smallest);
                let place = (random(f64::from(size.0) - side), random(f64::from(size.1) - side));
                assert!(whole(level, size, side, place), "{size:?} at {}: {side} px at {place:?}", level.scale);
            }
        }
    }

    #[test]
    fn every_face_lies_whole_in_a_tile_of_its_level() {
        let fixed = Sight { dynamic: false, ..ULTRAFACE };
        let oblong = Sight { canvas: (320, 240), dynamic: false, min_face: 20.0, max_face: 0.0, stride: 8 };
        let any = Sight { max_face: 0.0, min_face: 10.0, stride: 32, ..ULTRAFACE };
        for size in
            [(6000, 4000), (4000, 6000), (11547, 8660), (8000, 1500), (1500, 8000), (20_000, 2000), (65_535, 1500), (2829, 1414), (2600, 9)]
        {
            for sight in [&ULTRAFACE, &fixed, &oblong, &any] {
                for wanted in [40.0, 20.0, 5.0, 90.0] {
                    every_face_lies_whole(size, sight, wanted);
                }
            }
        }
    }

    #[test]
    fn what_the_first_look_shows_is_not_looked_at_again() {
        assert_eq!(levels((2000, 1500), 0.32, &ULTRAFACE, 40.0), []);
        assert_eq!(levels((640, 480), 1.0, &ULTRAFACE, 5.0), [], "a picture is never enlarged");
        let phone = levels((6000, 4000), 640.0 / 6000.0, &ULTRAFACE, 40.0);
        assert_eq!(phone.iter().map(|level| level.places.len()).collect::<Vec<_>>(), [6]);
        assert!(phone[0].tile.0 * phone[0].tile.1 * 6 < 3 * 1800 * 1200 / 2, "{phone:?}");
    }
}
