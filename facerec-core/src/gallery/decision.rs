//! From matches to one answer: who is it, or why it cannot be said. Pure: no storage, no index.

use super::records::{FaceId, Match, PersonId};
use crate::error::{Error, Result};

/// How sure [`Gallery::identify`](super::Gallery::identify) must be before it names somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DecisionOptions {
    /// Smallest similarity that names a person, `-1..=1`.
    pub threshold: f32,
    /// Smallest lead over the runner-up, `0..=2`.
    pub min_margin: f32,
    /// How many people to list as evidence.
    pub candidates: usize,
}

impl DecisionOptions {
    /// The smallest lead over the runner-up, unless another is asked for.
    ///
    /// Saving a photo again as JPEG, or framing it one pixel differently, moves its similarity with another photo of the same
    /// person by up to 0.01 (0.009 at the 95th percentile: 120 people of LFW, edgeface-xs), so two people closer than twice that
    /// are told apart by chance. It matters when one person was enrolled under two names, and for twins. The right person
    /// leads everybody else by 0.47 in the median there, and by more than 0.18 in 95 % of cases.
    pub const DEFAULT_MIN_MARGIN: f32 = 0.02;

    /// Names a person from `threshold` on, a cosine similarity `-1..=1`. Take it from the embedder at a chosen false
    /// match rate: too low names strangers, too high leaves known people unknown.
    pub fn new(threshold: f32) -> Self {
        Self { threshold, min_margin: Self::DEFAULT_MIN_MARGIN, candidates: 5 }
    }

    /// Smallest lead of the best person over the runner-up, `0..=2`, default [`Self::DEFAULT_MIN_MARGIN`]. Too high and two
    /// relatives are never told apart; 0 always takes the better one.
    #[must_use]
    pub fn min_margin(mut self, margin: f32) -> Self {
        self.min_margin = margin;
        self
    }

    /// How many people to list as evidence, best first, default 5. Two are always looked for, since the margin needs them.
    #[must_use]
    pub fn candidates(mut self, count: usize) -> Self {
        self.candidates = count;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(-1.0..=1.0).contains(&self.threshold) {
            return Err(Error::argument("threshold", format!("expected a cosine similarity from -1 to 1, got `{}`", self.threshold)));
        }
        if !(0.0..=2.0).contains(&self.min_margin) {
            return Err(Error::argument("min_margin", format!("expected a lead from 0 to 2, got `{}`", self.min_margin)));
        }
        Ok(())
    }

    /// How many different people the search must bring.
    pub(super) fn wanted_people(&self) -> usize {
        self.candidates.max(2)
    }
}

/// Why a [`Decision`] is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DecisionReason {
    /// The best person reaches the threshold and leads by the margin.
    Match,
    /// Nobody is similar enough.
    BelowThreshold,
    /// The best person is similar enough, but the runner-up is almost as similar.
    Ambiguous,
    /// Nobody is enrolled.
    EmptyGallery,
    /// The face cannot be told from others (turned, smeared, tiny, or no human face): whom it resembles says nothing.
    Unrecognisable,
    /// In a video: good shots of the track show different people.
    Conflict,
    /// In a video: the best person was in view elsewhere at the same time, with better evidence.
    SeenElsewhere,
    /// In a video: no shot of the track is good enough to look anybody up.
    NoEvidence,
}

impl DecisionReason {
    /// The stable snake_case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::BelowThreshold => "below_threshold",
            Self::Ambiguous => "ambiguous",
            Self::EmptyGallery => "empty_gallery",
            Self::Unrecognisable => "unrecognisable",
            Self::Conflict => "conflict",
            Self::SeenElsewhere => "seen_elsewhere",
            Self::NoEvidence => "no_evidence",
        }
    }
}

/// A person and their most similar enrolled face.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candidate {
    /// The person.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// Cosine similarity of their most similar face, `-1..=1`.
    pub similarity: f32,
    /// That face.
    pub face: FaceId,
}

/// Who it is, with the evidence. Unknown (`person: None`) is a normal answer.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Decision {
    /// The person, or `None` for unknown.
    pub person: Option<PersonId>,
    /// That person's name.
    pub name: Option<String>,
    /// Similarity of the best candidate, named or not, `-1..=1`; -1 when nobody is enrolled.
    pub similarity: f32,
    /// The threshold that was asked for.
    pub threshold: f32,
    /// Lead of the best candidate over the runner-up, `0..=2`. Without a runner-up the lead is over -1, the lowest
    /// similarity there is (`similarity + 1`): one enrolled person is told from strangers by the threshold alone.
    pub margin: f32,
    /// Why.
    pub reason: DecisionReason,
    /// The best people, best first, as many as were asked for.
    pub candidates: Vec<Candidate>,
}

impl Decision {
    /// Unknown, whatever the similarity: the face cannot be told from others. The candidates stay as they are.
    pub(crate) fn unrecognisable(mut self) -> Self {
        (self.person, self.name, self.reason) = (None, None, DecisionReason::Unrecognisable);
        self
    }

    /// Decides again without the people of `taken`, who cannot be it. The candidates stay as they are: they are the evidence.
    pub(crate) fn decide_without(&mut self, taken: &[PersonId], options: &DecisionOptions) {
        let left: Vec<Candidate> = self.candidates.iter().filter(|candidate| !taken.contains(&candidate.person)).cloned().collect();
        let again = decide(left, options);
        if again.person.is_some() {
            let candidates = std::mem::take(&mut self.candidates);
            *self = Self { candidates, ..again };
        } else {
            (self.person, self.name, self.reason) = (None, None, DecisionReason::SeenElsewhere);
        }
    }
}

/// Faces looked at first when people are wanted, and how many times more when they were too few people.
pub(super) const FIRST_LOOK: usize = 32;
pub(super) const LOOK_FURTHER: usize = 8;

/// The best evidence per person, best person first; equal similarities in the order of enrolment.
pub(super) fn best_per_person(matches: impl IntoIterator<Item = Match>) -> Vec<Candidate> {
    let mut best: Vec<Candidate> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for Match { person, name, face, similarity } in matches {
        let candidate = Candidate { person, name, similarity, face };
        match place.entry(person) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(best.len());
                best.push(candidate);
            }
            std::collections::hash_map::Entry::Occupied(taken) => {
                let known = &mut best[*taken.get()];
                if similarity > known.similarity {
                    *known = candidate;
                }
            }
        }
    }
    best.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.face.cmp(&b.face)));
    best
}

/// The answer from the best people, best first.
pub(super) fn decide(mut candidates: Vec<Candidate>, options: &DecisionOptions) -> Decision {
    let best = candidates.first().map_or(-1.0, |c| c.similarity);
    let runner_up = candidates.get(1).map_or(-1.0, |c| c.similarity);
    let margin = best - runner_up;
    let reason = if candidates.is_empty() {
        DecisionReason::EmptyGallery
    } else if best < options.threshold {
        DecisionReason::BelowThreshold
    } else if margin < options.min_margin {
        DecisionReason::Ambiguous
    } else {
        DecisionReason::Match
    };
    let named = candidates.first().filter(|_| reason == DecisionReason::Match);
    let (person, name) = (named.map(|c| c.person), named.map(|c| c.name.clone()));
    candidates.truncate(options.candidates);
    Decision { person, name, similarity: best, threshold: options.threshold, margin, reason, candidates }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(person: i64, face: i64, similarity: f32) -> Match {
        Match { person: PersonId(person), name: format!("p{person}"), face: FaceId(face), similarity }
    }

    fn decision(matches: &[Match], threshold: f32) -> Decision {
        decide(best_per_person(matches.iter().cloned()), &DecisionOptions::new(threshold))
    }

    #[test]
    fn the_best_face_of_each_person_counts() {
        let found = decision(&[hit(1, 1, 0.5), hit(2, 2, 0.55), hit(1, 3, 0.7), hit(1, 4, 0.6)], 0.4);
        assert_eq!(found.reason, DecisionReason::Match);
        assert_eq!((found.name.as_deref(), found.similarity), (Some("p1"), 0.7));
        assert!((found.margin - 0.15).abs() < 1e-6);
        let people: Vec<_> = found.candidates.iter().map(|c| (c.person.0, c.face.0)).collect();
        assert_eq!(people, [(1, 3), (2, 2)]);
    }

    #[test]
    fn unknown_has_a_reason_and_keeps_the_evidence() {
        let low = decision(&[hit(1, 1, 0.39)], 0.4);
        assert_eq!((low.reason, low.person, low.similarity), (DecisionReason::BelowThreshold, None, 0.39));
        assert_eq!(low.candidates.len(), 1);
        let close = decision(&[hit(1, 1, 0.80), hit(2, 2, 0.79)], 0.4);
        assert_eq!((close.reason.code(), close.name), ("ambiguous", None));
        let empty = decision(&[], 0.4);
        assert_eq!((empty.reason.code(), empty.similarity, empty.margin), ("empty_gallery", -1.0, 0.0));
    }

    #[test]
    fn one_person_leads_over_the_lowest_similarity_and_lists_are_cut() {
        let alone = decision(&[hit(1, 1, 0.62)], 0.4);
        assert!((alone.margin - 1.62).abs() < 1e-6);
        let matches: Vec<_> = (1..9).map(|i| hit(i, i, 0.9 - i as f32 * 0.1)).collect();
        let options = DecisionOptions::new(0.2).candidates(1);
        let cut = decide(best_per_person(matches), &options);
        assert_eq!(cut.candidates.len(), 1);
        assert!((cut.margin - 0.1).abs() < 1e-5, "the runner-up counts even when it is not listed");
        assert_eq!(options.wanted_people(), 2);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        assert!(DecisionOptions::new(f32::NAN).check().is_err());
        assert!(DecisionOptions::new(1.1).check().is_err());
        assert!(DecisionOptions::new(0.3).min_margin(-0.1).check().is_err());
        DecisionOptions::new(-1.0).min_margin(0.0).check().expect("in range");
    }
}
