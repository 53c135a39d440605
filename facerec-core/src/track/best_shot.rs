//! The few best moments of a track, spread over its time, in bounded memory however long the track is.

use std::time::Duration;

/// A moment worth keeping.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    /// When it was.
    pub time: Duration,
    /// How good it is; higher is better.
    pub score: f32,
    /// What is kept of it.
    pub value: T,
}

/// Keeps at most `most` moments, the better ones, at least `gap` apart. On a track longer than `most` gaps the gap grows
/// with the track, so that the moments spread over it instead of crowding around its best second: shots that are close in
/// time err alike (see `docs/track-decision.md`).
#[derive(Debug, Clone)]
pub struct BestShots<T> {
    most: usize,
    gap: Duration,
    kept: Vec<Kept<T>>,
    span: Option<(Duration, Duration)>,
}

impl<T> BestShots<T> {
    /// Keeps nothing yet. `most` is at least 1.
    pub fn new(most: usize, gap: Duration) -> Self {
        Self { most: most.max(1), gap, kept: Vec::new(), span: None }
    }

    /// Offers a moment; `make` is called only when it is kept, which is returned. Scores that are not finite are not kept.
    pub fn offer(&mut self, time: Duration, score: f32, make: impl FnOnce() -> T) -> bool {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        if !score.is_finite() {
            return false;
        }
        let gap = self.current_gap();
        // One that is too close to better ones adds nothing.
        if self.kept.iter().any(|kept| kept.time.abs_diff(time) < gap && kept.score >= score) {
            return false;
        }
        let full = self.kept.len() >= self.most;
        if full && self.kept.iter().all(|kept| kept.time.abs_diff(time) >= gap) {
            match self.weakest(gap) {
                Some(weakest) if self.crowded(weakest, gap) || self.kept[weakest].score < score => drop(self.kept.remove(weakest)),
                _ => return false,
            }
        }
        self.kept.retain(|kept| kept.time.abs_diff(time) >= gap);
        let place = self.kept.partition_point(|kept| kept.time < time);
        self.kept.insert(place, Kept { time, score, value: make() });
        true
    }

    /// Gives up the moments for which `wanted` does not hold.
    pub fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        self.kept.retain(|kept| wanted(&kept.value));
    }

    /// The kept moments, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = &Kept<T>> {
        self.kept.iter()
    }

    /// The kept moments for changing what is kept of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Kept<T>> {
        self.kept.iter_mut()
    }

    /// The kept moments, earliest first.
    pub fn into_vec(self) -> Vec<Kept<T>> {
        self.kept
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Half of what an even spread would have between neighbours, but never less than the smallest gap.
    fn current_gap(&self) -> Duration {
        let length = self.span.map_or(Duration::ZERO, |(first, last)| last - first);
        self.gap.max(length / (2 * self.most as u32))
    }

    /// Whether a moment lies closer to another than the gap, which has grown since they were kept.
    fn crowded(&self, index: usize, gap: Duration) -> bool {
        let time = self.kept[index].time;
        self.kept.iter().enumerate().any(|(other, kept)| other != index && kept.time.abs_diff(time) < gap)
    }

    /// The one to give up: the worst of those that crowd each other, else the worst of all.
    fn weakest(&self, gap: Duration) -> Option<usize> {
        let worst = |a: &usize, b: &usize| self.kept[*a].score.total_cmp(&self.kept[*b].score);
        let crowded = (0..self.kept.len()).filter(|&index| self.crowded(index, gap)).min_by(worst);
        crowded.or_else(|| (0..self.kept.len()).min_by(worst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn kept(offers: &[(u64, f32)]) -> Vec<u64> {
        let mut shots = BestShots::new(3, ms(400));
        for &(time, score) in offers {
            shots.offer(ms(time), score, || time);
        }
        shots.into_vec().into_iter().map(|kept| kept.value).collect()
    }

    #[test]
    fn the_better_of_two_neighbours_stays() {
        assert_eq!(kept(&[(0, 0.5), (100, 0.6), (200, 0.4)]), [100]);
        assert_eq!(kept(&[(0, 0.5), (400, 0.6), (800, 0.4)]), [0, 400, 800]);
        assert_eq!(kept(&[(0, 0.5), (400, 0.6), (800, 0.4), (1200, 0.7)]), [0, 400, 1200]);
        assert_eq!(kept(&[(0, f32::NAN)]), [0; 0]);
    }

    #[test]
    fn a_long_track_spreads_its_shots() {
        // The first two seconds are the best of a minute; all three shots in them would say the same thing three times.
        let offers: Vec<(u64, f32)> = (0..600).map(|i| (i * 100, if i < 20 { 0.9 } else { 0.5 + (i % 7) as f32 / 100.0 })).collect();
        let kept = kept(&offers);
        assert_eq!(kept.len(), 3);
        assert!(kept[2] - kept[0] > 20_000, "{kept:?}");
        assert!(kept[0] < 2_000, "the best one stays: {kept:?}");
    }

    proptest! {
        #[test]
        fn never_more_and_never_closer_than_asked(offers in prop::collection::vec((0u64..20_000, 0f32..1.0), 0..200), most in 1usize..7) {
            let mut offers = offers;
            offers.sort_by_key(|offer| offer.0);
            let mut shots = BestShots::new(most, ms(400));
            for &(time, score) in &offers {
                shots.offer(ms(time), score, || ());
            }
            let kept = shots.into_vec();
            prop_assert!(kept.len() <= most);
            prop_assert!(offers.is_empty() || !kept.is_empty());
            prop_assert!(kept.windows(2).all(|pair| pair[1].time - pair[0].time >= ms(400)));
        }
    }
}
