//! What a report holds: figures only, no way of getting them.

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::folder::PassedOver;

/// The false match rates for which thresholds are given.
pub const REPORT_FMR: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];

/// The false positive identification rates for which open-set identification is given.
pub const REPORT_FPIR: [f64; 2] = [1e-2, 1e-3];

/// All figures of [`report`](super::report()), one [`PackReport`] for each pack. Rates are shares, `0..=1`; what cannot be measured on so few
/// photos is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EvaluationReport {
    /// Version of facerec.
    pub facerec: String,
    /// How the report was asked for.
    pub command: Option<String>,
    /// People of the folder.
    pub people: usize,
    /// Their photos.
    pub photos: usize,
    /// How people are grouped, where that was given.
    pub grouping: Option<Grouping>,
    /// The packs, in the order given.
    pub packs: Vec<PackReport>,
    /// Files and folders that were left out.
    #[serde(skip)]
    pub passed_over: PassedOver,
}

/// Groups of people, as the user's file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Grouping {
    /// What the groups are: the second column's name.
    pub attribute: String,
    /// The groups that people of the folder are in, sorted.
    pub groups: Vec<String>,
    /// People of the folder whom the file does not name; they are in no group.
    pub people_without: usize,
    /// People of the file who are not in the folder.
    pub people_elsewhere: usize,
}

/// A model's file or key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelName {
    /// Its id.
    pub id: String,
    /// Of a detector the file's sha256, of an embedder that of the file and of what shapes its input; lower-case hex.
    pub hash: String,
}

impl From<&ModelKey> for ModelName {
    fn from(key: &ModelKey) -> Self {
        Self { id: key.id.clone(), hash: key.hash.clone() }
    }
}

/// One pack's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PackReport {
    /// The pack's name.
    pub pack: String,
    /// The detector, and its landmark network where it needs one.
    pub detector: Vec<ModelName>,
    /// The embedder.
    pub embedder: ModelName,
    /// Telling pairs apart.
    pub verification: Verification,
    /// Where the similarities lie.
    pub histogram: Histogram,
    /// What refusing poor photos gains.
    pub rejection: Rejection,
    /// Finding a person among others; `None` where nobody has two photos.
    pub identification: Option<SearchReport>,
    /// The same for each of [`Grouping::groups`].
    pub groups: Vec<GroupReport>,
    /// The pairs that are furthest on the wrong side.
    pub worst: WorstPairs,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

/// How well pairs of photos are told apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// People.
    pub people: usize,
    /// Their photos.
    pub photos: usize,
    /// Photos without a face that was found.
    pub no_face: usize,
    /// Photos whose face the embedder cannot tell from others.
    pub unrecognisable: usize,
    /// Pairs of one person, with those that could not be compared: they count as not matched at every threshold.
    pub genuine_pairs: u64,
    /// Pairs of different people that were compared.
    pub impostor_pairs: u64,
    /// Where the false match rate equals the false non-match rate.
    pub eer: Option<f64>,
    /// One for each of [`REPORT_FMR`].
    pub operating_points: Vec<OperatingPoint>,
    /// The error rates by threshold, ascending.
    pub curve: Vec<CurvePoint>,
}

/// The threshold for a false match rate, and what it costs. Intervals hold 95 % of the bootstrap's replicates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OperatingPoint {
    /// The false match rate asked for.
    pub fmr: f64,
    /// The lowest threshold that keeps it; `None` where there are fewer than `1 / fmr` impostor pairs.
    pub threshold: Option<f32>,
    /// Its interval.
    pub threshold_interval: Option<[f32; 2]>,
    /// False non-match rate there; `None` without a genuine pair.
    pub fnmr: Option<f64>,
    /// Its interval, with the threshold chosen anew in each replicate.
    pub fnmr_interval: Option<[f64; 2]>,
    /// Impostor pairs that reach the threshold: below 30 the rate is rough (the "rule of 30", Doddington et al. 2000).
    pub false_matches: Option<u64>,
}

/// The error rates at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CurvePoint {
    /// Similarity from which two faces match.
    pub threshold: f32,
    /// Share of impostor pairs that match.
    pub fmr: f64,
    /// Share of genuine pairs that do not; `None` without a genuine pair.
    pub fnmr: Option<f64>,
}

/// Pairs by similarity, in steps of equal width from -1 to 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// Genuine pairs that were compared, per step.
    pub genuine: Vec<u64>,
    /// Impostor pairs, per step.
    pub impostor: Vec<u64>,
}

/// The error versus reject characteristic (Grother and Tabassi 2007): the false non-match rate among the photos that are left when the
/// worst are refused, at the threshold of a false match rate of 1e-3 on all photos.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The threshold; `None` where there are too few impostor pairs, and then there are no curves.
    pub threshold: Option<f32>,
    /// Photos of the lowest [quality](crate::face::Quality::score) refused first.
    pub by_quality: Vec<RejectPoint>,
    /// Photos of the lowest [recognisability](crate::face::Quality::recognisability) refused first; empty where the embedder has no such
    /// measure.
    pub by_recognisability: Vec<RejectPoint>,
}

/// What is left after refusing photos.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RejectPoint {
    /// Share of the photos refused, among those of people with two photos and more.
    pub rejected: f64,
    /// False non-match rate of the pairs that are left.
    pub fnmr: f64,
}

/// Searches among the first photos of all people with two and more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SearchReport {
    /// People enrolled, with one photo each.
    pub enrolled: usize,
    /// Searches for somebody who is enrolled.
    pub mated: usize,
    /// Searches for somebody who is not: people with one photo, and every mated probe once more with its own person left out.
    pub non_mated: usize,
    /// Share of mated searches whose most similar face is the right person's, as
    /// [`identification`](crate::evaluate::identification()) has it.
    pub rank1: f64,
    /// One for each of [`REPORT_FPIR`].
    pub open_set: Vec<OpenSetPoint>,
}

/// Open-set identification at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OpenSetPoint {
    /// The false positive identification rate asked for.
    pub fpir: f64,
    /// The lowest threshold that keeps it for all people; `None` where there are fewer than `1 / fpir` non-mated searches.
    pub threshold: Option<f32>,
    /// Share of the non-mated searches here that name somebody.
    pub false_positives: Option<f64>,
    /// False negative identification rate: mated searches that do not name the right person first and at the threshold.
    pub fnir: Option<f64>,
}

/// The figures of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupReport {
    /// The group's name.
    pub group: String,
    /// Among its people, with thresholds of its own.
    pub verification: Verification,
    /// At the thresholds of all people: one for each of [`REPORT_FMR`].
    pub at_common_thresholds: Vec<CommonPoint>,
    /// Its people's searches among all people enrolled, at the common thresholds; `None` where it has no mated search.
    pub identification: Option<SearchReport>,
}

/// A group's error rates at a threshold chosen on all people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CommonPoint {
    /// The false match rate that the threshold has among all people.
    pub fmr_of_all: f64,
    /// The threshold.
    pub threshold: Option<f32>,
    /// The group's false match rate there.
    pub fmr: Option<f64>,
    /// The group's false non-match rate there.
    pub fnmr: Option<f64>,
}

/// The worst pairs, each photo at most once. Empty where pictures were not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorstPairs {
    /// The most similar pairs of different people, the most similar first.
    pub impostor: Vec<WorstPair>,
    /// The least similar pairs of one person that were compared, the least similar first.
    pub genuine: Vec<WorstPair>,
}

/// Two photos.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct WorstPair {
    /// Their similarity.
    pub similarity: f32,
    /// The photos.
    pub photos: [PairedPhoto; 2],
}

impl PartialEq for WorstPair {
    fn eq(&self, other: &Self) -> bool {
        self.similarity.to_bits() == other.similarity.to_bits() && self.photos == other.photos
    }
}

impl Eq for WorstPair {}

/// A photo of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PairedPhoto {
    /// Whose it is.
    pub person: String,
    /// Where it lies below the folder.
    pub path: String,
    /// The aligned face as a JPEG file.
    #[serde(skip)]
    pub picture: Vec<u8>,
}

impl EvaluationReport {
    /// The figures as one JSON object without the pictures, numbers to seven significant digits.
    ///
    /// # Errors
    /// `internal` when a figure has no JSON, which none is known to lack.
    pub fn to_json(&self) -> Result<String> {
        let mut value = serde_json::to_value(self).map_err(|error| Error::internal(format!("write a report as JSON: {error}")))?;
        shorten(&mut value);
        Ok(value.to_string())
    }
}

/// More digits than single precision has are noise.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Number(number) if number.is_f64() => {
            let shorter = number.as_f64().and_then(|long| format!("{long:.6e}").parse::<f64>().ok());
            *value = shorter.map_or(Value::Null, Value::from);
        }
        _ => {}
    }
}
