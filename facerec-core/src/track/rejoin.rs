//! Which parts of tracks are one person's: after an occlusion, a cut, or an exit and a return.

use std::time::Duration;

use crate::error::Result;
use crate::face::Embedding;

/// A finished or running part of a track, as evidence for [`rejoin`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tracklet {
    /// First time it was seen.
    pub start: Duration,
    /// Last time it was seen.
    pub end: Duration,
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
    /// Joins from this cosine similarity on, `-1..=1`, when no more than `within` lies between two parts. Lower joins
    /// strangers, higher leaves more tracks per person.
    pub fn new(similarity: f32, within: Duration) -> Self {
        Self { similarity, within }
    }
}

/// Parts that overlap by no more than this may be one person handed over from one track to the next.
const HANDOVER: Duration = Duration::from_millis(200);

/// The group of each tracklet, numbered from 0 in the order of the groups' first members.
///
/// Agglomerative clustering with average linkage, best pair first, under the constraints of video: two tracklets in view at
/// the same time are different people, so are two with different identities, and nobody returns after more than `within`.
/// Best first makes the assignment one to one: of two simultaneous tracklets at most one joins a third.
///
/// # Errors
/// `embedding_model_mismatch` when templates come from different models.
pub fn rejoin(tracklets: &[Tracklet], options: &RejoinOptions) -> Result<Vec<usize>> {
    let count = tracklets.len();
    let mut links = vec![Link::Free(0.0); count * count];
    for a in 0..count {
        for b in a + 1..count {
            let link = link(&tracklets[a], &tracklets[b])?;
            (links[a * count + b], links[b * count + a]) = (link, link);
        }
    }
    let mut groups: Vec<Vec<usize>> = (0..count).map(|index| vec![index]).collect();
    loop {
        let mut best: Option<(f32, usize, usize)> = None;
        for a in 0..groups.len() {
            for b in a + 1..groups.len() {
                if let Some(score) = score(&groups[a], &groups[b], &links, tracklets, options)
                    && best.is_none_or(|(highest, ..)| score > highest)
                {
                    best = Some((score, a, b));
                }
            }
        }
        let Some((_, a, b)) = best else { break };
        let joined = groups.remove(b);
        groups[a].extend(joined);
    }
    let mut numbers = vec![0; count];
    for (number, group) in groups.iter().enumerate() {
        group.iter().for_each(|&index| numbers[index] = number);
    }
    Ok(numbers)
}

/// What two tracklets say about being one person.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    /// They cannot be.
    Never,
    /// They are, as far as the gallery knows.
    Known,
    /// This similar; 0 without evidence.
    Free(f32),
}

fn link(a: &Tracklet, b: &Tracklet) -> Result<Link> {
    if a.end.min(b.end) > a.start.max(b.start) + HANDOVER {
        return Ok(Link::Never);
    }
    Ok(match (a.identity, b.identity, &a.template, &b.template) {
        (Some(a), Some(b), ..) => {
            if a == b {
                Link::Known
            } else {
                Link::Never
            }
        }
        (_, _, Some(a), Some(b)) => Link::Free(a.similarity(b)?),
        _ => Link::Free(0.0),
    })
}

/// How well two groups fit together, `None` when they must not be joined.
fn score(a: &[usize], b: &[usize], links: &[Link], tracklets: &[Tracklet], options: &RejoinOptions) -> Option<f32> {
    let gap = |x: usize, y: usize| {
        let (x, y) = (&tracklets[x], &tracklets[y]);
        x.start.max(y.start).saturating_sub(x.end.min(y.end))
    };
    let pairs = || a.iter().flat_map(|&x| b.iter().map(move |&y| (x, y)));
    if pairs().map(|(x, y)| gap(x, y)).min()? > options.within {
        return None;
    }
    let (mut sum, mut known) = (0.0, false);
    for (x, y) in pairs() {
        match links[x * tracklets.len() + y] {
            Link::Never => return None,
            Link::Known => (sum, known) = (sum + KNOWN, true),
            Link::Free(similarity) => sum += similarity,
        }
    }
    let mean = sum / (a.len() * b.len()) as f32;
    (known || mean >= options.similarity).then_some(mean)
}

/// More than any similarity: those whom the gallery knows are joined first.
const KNOWN: f32 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ModelKey;
    use std::sync::Arc;

    /// A tracklet whose template lies at `degrees` in a plane.
    fn part(start: u64, end: u64, degrees: f32, identity: Option<i64>) -> Tracklet {
        let key = Arc::new(ModelKey { id: "m".into(), hash: "0".into() });
        let (sin, cos) = degrees.to_radians().sin_cos();
        let template = Some(Embedding::new(key, vec![cos, sin]).expect("finite"));
        Tracklet { start: Duration::from_secs(start), end: Duration::from_secs(end), template, identity }
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
