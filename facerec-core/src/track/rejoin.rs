//! Which parts of tracks are one person's: after an occlusion, a cut, or an exit and a return.

use std::time::Duration;

use super::cluster::agglomerate;
use crate::error::Result;
use crate::face::Embedding;

/// A time span, from the first to the last moment.
type Span = (Duration, Duration);

/// A finished or running part of a track, as evidence for [`rejoin`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tracklet {
    /// When it was in view: spans without overlap, in order.
    pub spans: Vec<(Duration, Duration)>,
    /// What its good shots have in common, when there are any.
    pub template: Option<Embedding>,
    /// Who it is, when that is known: equal numbers join, different ones never do.
    pub identity: Option<i64>,
}

/// When two parts are one person's.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RejoinOptions {
    similarity: f32,
    within: Duration,
}

impl RejoinOptions {
    /// Joins from this cosine similarity on, `-1..=1`, when less than `within` lies between two parts; 0 never joins. Lower
    /// joins strangers, higher leaves more tracks per person.
    pub fn new(similarity: f32, within: Duration) -> Self {
        Self { similarity, within }
    }
}

/// Parts in view together for less than this may be one person handed over from one track to the next.
pub(crate) const HANDOVER: Duration = Duration::from_millis(200);

/// The group of each tracklet, numbered from 0 in the order of the groups' first members.
///
/// Agglomerative clustering with average linkage, best pair first, under the constraints of video: two tracklets in view at
/// the same time are different people, so are two with different identities, and nobody returns after `within` or more.
/// Best first makes the assignment one to one: of two simultaneous tracklets at most one joins a third.
///
/// # Errors
/// `embedding_model_mismatch` when templates come from different models.
pub fn rejoin(tracklets: &[Tracklet], options: &RejoinOptions) -> Result<Vec<usize>> {
    let join = |a: Link, b: Link| Link { sum: a.sum + b.sum, known: a.known || b.known, gap: a.gap.min(b.gap) };
    let score = |link: &Link, pairs: usize| {
        let mean = link.sum / pairs as f32;
        (link.gap < options.within && mean.is_finite() && (link.known || mean >= options.similarity)).then_some(mean)
    };
    let groups = agglomerate(tracklets.len(), |a, b| link(&tracklets[a], &tracklets[b]), join, score)?;
    let mut numbers = vec![0; tracklets.len()];
    for (number, group) in groups.iter().enumerate() {
        group.iter().for_each(|&index| numbers[index] = number);
    }
    Ok(numbers)
}

/// What two tracklets, or groups of them, say about being one person.
#[derive(Debug, Clone, Copy)]
struct Link {
    /// Similarity summed over all pairs; 0 without evidence, minus infinity when they cannot be one person.
    sum: f32,
    /// The gallery knows them as one person.
    known: bool,
    /// The shortest absence between them.
    gap: Duration,
}

/// More than any similarity: those whom the gallery knows are joined first.
const KNOWN: f32 = 2.0;

fn link(a: &Tracklet, b: &Tracklet) -> Result<Link> {
    let gap = gap(&a.spans, &b.spans);
    let never = Link { sum: f32::NEG_INFINITY, known: false, gap };
    if together(&a.spans, &b.spans) > HANDOVER {
        return Ok(never);
    }
    Ok(match (a.identity, b.identity, &a.template, &b.template) {
        (Some(a), Some(b), ..) if a == b => Link { sum: KNOWN, known: true, gap },
        (Some(_), Some(_), ..) => never,
        (_, _, Some(a), Some(b)) => Link { sum: a.similarity(b)?, known: false, gap },
        _ => Link { sum: 0.0, known: false, gap },
    })
}

/// How long two parts were in view together.
pub(crate) fn together(a: &[Span], b: &[Span]) -> Duration {
    let overlap = |x: &Span, y: &Span| x.1.min(y.1).saturating_sub(x.0.max(y.0));
    a.iter().flat_map(|x| b.iter().map(move |y| overlap(x, y))).sum()
}

/// The shortest time between two parts, 0 when they touch.
fn gap(a: &[Span], b: &[Span]) -> Duration {
    let between = |x: &Span, y: &Span| x.0.max(y.0).saturating_sub(x.1.min(y.1));
    a.iter().flat_map(|x| b.iter().map(move |y| between(x, y))).min().unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ModelKey;
    use std::sync::Arc;

    /// A tracklet whose template lies at `degrees` in a plane.
    fn part(start: u64, end: u64, degrees: f32, identity: Option<i64>) -> Tracklet {
        let key = Arc::new(ModelKey::new("m", "0"));
        let (sin, cos) = degrees.to_radians().sin_cos();
        let template = Some(Embedding::new(key, vec![cos, sin]).expect("finite"));
        Tracklet { spans: vec![(Duration::from_secs(start), Duration::from_secs(end))], template, identity }
    }

    fn groups(parts: &[Tracklet]) -> Vec<usize> {
        rejoin(parts, &RejoinOptions::new(0.5, Duration::from_secs(30))).expect("one model")
    }

    #[test]
    fn a_return_joins_and_a_stranger_does_not() {
        assert_eq!(groups(&[part(0, 5, 0.0, None), part(7, 9, 20.0, None), part(7, 9, 90.0, None)]), [0, 0, 1]);
        assert_eq!(groups(&[part(0, 5, 0.0, None), part(36, 40, 0.0, None)]), [0, 1], "too long away");
        assert_eq!(groups(&[]), [0usize; 0]);
    }

    #[test]
    fn nobody_is_in_view_twice() {
        // Both late ones look like the first; the better one continues it.
        assert_eq!(groups(&[part(0, 5, 0.0, None), part(6, 9, 30.0, None), part(6, 9, 10.0, None)]), [0, 1, 0]);
        assert_eq!(groups(&[part(0, 5, 0.0, None), part(4, 9, 0.0, None)]), [0, 1]);
        // Somebody who came while another was away is no less that other person.
        let mut first = part(0, 2, 0.0, None);
        first.spans.push((Duration::from_secs(8), Duration::from_secs(9)));
        assert_eq!(groups(&[first.clone(), part(4, 6, 10.0, None)]), [0, 0]);
        assert_eq!(groups(&[first, part(4, 9, 10.0, None)]), [0, 1]);
    }

    #[test]
    fn no_time_to_return_means_no_return() {
        let parts = [part(0, 5, 0.0, None), part(5, 9, 0.0, None)];
        let groups = |within| rejoin(&parts, &RejoinOptions::new(0.5, Duration::from_secs(within))).expect("one model");
        assert_eq!((groups(1), groups(0)), (vec![0, 0], vec![0, 1]));
    }

    #[test]
    fn the_gallery_has_the_last_word() {
        assert_eq!(groups(&[part(0, 5, 0.0, Some(1)), part(7, 9, 80.0, Some(1))]), [0, 0], "known to be one person");
        assert_eq!(groups(&[part(0, 5, 0.0, Some(1)), part(7, 9, 0.0, Some(2))]), [0, 1], "known to be two");
        // An unknown part between two known people joins the one it resembles and does not bridge them.
        assert_eq!(groups(&[part(0, 2, 0.0, Some(1)), part(3, 4, 10.0, None), part(5, 6, 25.0, Some(2))]), [0, 0, 1]);
    }

    #[test]
    fn a_chain_of_look_alikes_does_not_form_one_person() {
        let chain: Vec<_> = (0..6).map(|i| part(i * 2, i * 2 + 1, i as f32 * 50.0, None)).collect();
        let groups = groups(&chain);
        assert_ne!(groups[0], groups[4], "{groups:?}");
    }

    #[test]
    fn without_evidence_nothing_joins() {
        let mut blind = [part(0, 1, 0.0, None), part(2, 3, 0.0, None)];
        blind[1].template = None;
        assert_eq!(groups(&blind), [0, 1]);
    }
}
