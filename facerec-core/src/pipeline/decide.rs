//! Who a track is: one decision from a few shots. The rule and its sources are in `docs/track-decision.md`.

use std::time::Duration;

use super::asked::Asked;
use super::split::Links;
use crate::error::{Error, Result};
use crate::face::Embedding;
use crate::gallery::{Decision, DecisionOptions, DecisionReason, PersonId};
use crate::track::{HANDOVER, agglomerate, together};

/// How sure a track must be before it is named.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrackDecisionOptions {
    /// Smallest similarity that names a track with independent shots, `-1..=1`.
    pub threshold: f32,
    /// How much higher the threshold is for a single shot, `0..=1`; half of it for shots of less than a second.
    pub strict_step: f32,
    /// Smallest lead over the runner-up, `0..=2`.
    pub min_margin: f32,
    /// How many people to list as evidence.
    pub candidates: usize,
}

impl TrackDecisionOptions {
    /// Names from `threshold` on. Take it from the embedder at a false match rate of 1e-4, and `strict_step` as what one
    /// more decade costs: the step from its threshold at 1e-3 to that at 1e-4.
    pub fn new(threshold: f32, strict_step: f32) -> Self {
        Self { threshold, strict_step, min_margin: DecisionOptions::DEFAULT_MIN_MARGIN, candidates: 5 }
    }

    /// Smallest lead of the best person over the runner-up, `0..=2`, default [`DecisionOptions::DEFAULT_MIN_MARGIN`].
    #[must_use]
    pub fn min_margin(mut self, margin: f32) -> Self {
        self.min_margin = margin;
        self
    }

    /// How many people to list as evidence, default 5. The runner-up of a person who is seen elsewhere at the same time is
    /// looked for among them.
    #[must_use]
    pub fn candidates(mut self, count: usize) -> Self {
        self.candidates = count;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.strict_step) {
            return Err(Error::argument("strict_step", format!("expected 0 to 1, got `{}`", self.strict_step)));
        }
        self.for_shots(self.threshold).check()
    }

    pub(super) fn for_shots(&self, threshold: f32) -> DecisionOptions {
        DecisionOptions::new(threshold.min(1.0)).min_margin(self.min_margin).candidates(self.candidates)
    }

    /// Similarity from which two shots of one track may be the same person's: two decades of false matches below the
    /// threshold, since the tracker has said already that they belong together.
    pub(super) fn link(&self) -> f32 {
        self.threshold - 2.0 * self.strict_step
    }

    /// Whether a shot of this similarity is too little for a name by itself, but may be enough together with one or two more: the
    /// threshold is lower for several shots.
    pub(super) fn is_near(&self, similarity: f32) -> bool {
        let single = self.threshold + self.strict_step;
        similarity >= self.threshold - self.strict_step / 2.0 && similarity < single
    }

    /// Similarities from which a shot of a track belongs to a person of it. Across a jump the tracker has said nothing.
    pub(super) fn links(&self) -> Links {
        Links { within: self.link(), across: self.threshold }
    }
}

/// A shot as evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) time: Duration,
    /// Weight, above 0.
    pub(super) quality: f32,
    pub(super) embedding: &'a Embedding,
    /// Whom the gallery knows it as, by itself.
    pub(super) vote: Option<PersonId>,
}

/// Shots over at least this time are evidence of their own: head, light and blur have changed. InsightFace 2.1's PrivateFrame
/// asks for a second between neighbours; the spread over the whole track serves short tracks better at the same count.
const INDEPENDENT: Duration = Duration::from_secs(1);

/// So many shots are needed for the threshold as it is. PrivateFrame's number.
const INDEPENDENT_SHOTS: usize = 3;

/// Another person's share of the shots' weight from which they disagree.
const DISAGREEMENT: f32 = 1.0 / 3.0;

/// Who the person of `shots` is, given their clusters and what the first cluster has in common.
fn decide(
    gallery: Option<Asked<'_>>,
    shots: &[Evidence<'_>],
    clusters: &[Vec<usize>],
    template: Option<&Embedding>,
    options: &TrackDecisionOptions,
) -> Result<Decision> {
    let Some(gallery) = gallery else { return Ok(unnamed(options.threshold, DecisionReason::EmptyGallery)) };
    let (Some(template), Some(agreeing)) = (template, clusters.first()) else {
        return Ok(unnamed(options.threshold, DecisionReason::NoEvidence));
    };
    let threshold = options.threshold + strictness(shots, agreeing) * options.strict_step;
    let mut decision = gallery.identify(template, &options.for_shots(threshold))?;
    let total: f32 = shots.iter().map(|shot| shot.quality).sum();
    let two_faces = match clusters.get(1).filter(|second| second.len() > 1 && weight(shots, second) >= DISAGREEMENT * total) {
        // One person from two sides is alike as a whole, where not every view is like every other.
        Some(second) => self::template(shots, second)?.is_some_and(|other| other.similarity(template).is_ok_and(|s| s < options.link())),
        None => false,
    };
    if two_faces || shots.len() > 1 && disagree(shots, decision.person) {
        (decision.person, decision.name, decision.reason) = (None, None, DecisionReason::Conflict);
    }
    Ok(decision)
}

fn unnamed(threshold: f32, reason: DecisionReason) -> Decision {
    Decision { person: None, name: None, similarity: -1.0, threshold, margin: 0.0, reason, candidates: Vec::new() }
}

/// How many decades stricter than for independent shots: 1 for a single one, a half for shots of about the same moment.
fn strictness(shots: &[Evidence<'_>], agreeing: &[usize]) -> f32 {
    let times = || agreeing.iter().map(|&index| shots[index].time);
    let span = times().max().unwrap_or_default() - times().min().unwrap_or_default();
    match agreeing.len() {
        0 | 1 => 1.0,
        count if count >= INDEPENDENT_SHOTS && span >= INDEPENDENT => 0.0,
        _ => 0.5,
    }
}

/// Shots that are alike, each with each (complete link, so that a chain of look-alikes does not form), those with the greatest
/// weight together first. Shots of somebody else, who passed in front, and failed ones are in the later clusters.
fn clusters(shots: &[Evidence<'_>], link: f32) -> Result<Vec<Vec<usize>>> {
    let similarity = |a: usize, b: usize| shots[a].embedding.similarity(shots[b].embedding);
    let mut clusters = agglomerate(shots.len(), similarity, f32::min, |weakest, _| (*weakest >= link).then_some(*weakest))?;
    clusters.sort_by(|a, b| weight(shots, b).total_cmp(&weight(shots, a)));
    Ok(clusters)
}

fn weight(shots: &[Evidence<'_>], cluster: &[usize]) -> f32 {
    cluster.iter().map(|&index| shots[index].quality).sum()
}

/// The agreeing shots as one vector, weighted by quality, `None` without a shot.
///
/// A mean vector is no nearer to a stranger than one shot is, so the threshold keeps its false match rate, while what the
/// shots of the right person have in common grows.
fn template(shots: &[Evidence<'_>], agreeing: &[usize]) -> Result<Option<Embedding>> {
    Embedding::template(agreeing.iter().map(|&index| (shots[index].embedding, shots[index].quality)))
}

/// The weight of the shots that name each person, in the order in which they are named first.
pub(super) fn tally(votes: impl Iterator<Item = (Option<PersonId>, f32)>) -> Vec<(PersonId, f32)> {
    let mut sums: Vec<(PersonId, f32)> = Vec::new();
    for (person, weight) in votes.filter_map(|(vote, weight)| Some((vote?, weight))) {
        match sums.iter_mut().find(|(voted, _)| *voted == person) {
            Some((_, sum)) => *sum += weight,
            None => sums.push((person, weight)),
        }
    }
    sums
}

/// Whether good shots say somebody else than `named`: two people were taken for one track.
fn disagree(shots: &[Evidence<'_>], named: Option<PersonId>) -> bool {
    let total: f32 = shots.iter().map(|shot| shot.quality).sum();
    let votes = tally(shots.iter().map(|shot| (shot.vote, shot.quality)));
    let strong = |weight: f32| weight >= DISAGREEMENT * total;
    let others = votes.iter().filter(|(person, weight)| Some(*person) != named && strong(*weight)).count();
    // Nobody named: two strong opinions disagree; one is only weak evidence. Somebody named: one other suffices.
    others >= if named.is_some() { 1 } else { 2 }
}

/// Spans of time in view, without overlap, in order.
pub(super) type Spans = Vec<(Duration, Duration)>;

/// Nobody is in two places at once: of the tracks that claim one person at the same time the better evidence wins, the
/// others are decided again without that person. What was `said` already stands.
pub(super) fn settle(claims: &mut [(Spans, Decision)], said: &[(Spans, PersonId)], options: &TrackDecisionOptions) {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by(|&a, &b| claims[b].1.similarity.total_cmp(&claims[a].1.similarity));
    for (place, &index) in order.iter().enumerate() {
        let spans = &claims[index].0;
        let here = |other: &Spans| together(other, spans) > HANDOVER;
        let before = order[..place].iter().filter_map(|&other| Some((&claims[other].0, claims[other].1.person?)));
        let said = said.iter().map(|(spans, person)| (spans, *person));
        let taken: Vec<PersonId> = before.chain(said).filter(|(spans, _)| here(spans)).map(|(_, person)| person).collect();
        let decision = &mut claims[index].1;
        if decision.person.is_some_and(|person| taken.contains(&person)) {
            decision.decide_without(&taken, &options.for_shots(decision.threshold));
        }
    }
}

/// What the shots of one part of a track say by themselves.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    /// What the agreeing shots have in common.
    pub(super) template: Option<Embedding>,
}

impl Verdict {
    pub(super) fn new(gallery: Option<Asked<'_>>, shots: &[Evidence<'_>], options: &TrackDecisionOptions) -> Result<Self> {
        let clusters = clusters(shots, options.link())?;
        let template = template(shots, clusters.first().map_or(&[], Vec::as_slice))?;
        Ok(Self { decision: decide(gallery, shots, &clusters, template.as_ref(), options)?, template })
    }
}
