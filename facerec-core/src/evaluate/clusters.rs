//! Clustering against the truth: a labelled folder's faces, put together without looking at the labels.

use std::collections::HashMap;
use std::path::Path;

use super::{EvaluateOptions, embed_photos, labelled};
use crate::analyze::Analyzer;
use crate::error::{Error, Result};
use crate::folder::{PassedOver, PeopleFolder};
use crate::gallery::{Cluster, ClusterOptions, cluster};

/// How well faces were put together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClusterReport {
    /// Faces that were put together, one of each photo.
    pub faces: usize,
    /// Photos without a face that was found; they are left out.
    pub no_face: usize,
    /// People whose faces they are.
    pub persons: usize,
    /// Clusters, those of one face among them.
    pub clusters: usize,
    /// Clusters that hold faces of more than one person.
    pub mixed: usize,
    /// Share of the pairs that were put together that are one person's, `0..=1`.
    pub pair_precision: f64,
    /// Share of the pairs of one person that were put together, `0..=1`.
    pub pair_recall: f64,
    /// BCubed precision: the share of a face's cluster that is the same person's, mean over all faces (Bagga and Baldwin 1998;
    /// Amigó et al. 2009 show why, of the usual measures, this pair has the properties one wants).
    pub bcubed_precision: f64,
    /// BCubed recall: the share of a person's faces that are in a face's cluster, mean over all faces.
    pub bcubed_recall: f64,
    /// Files and folders that were left out.
    pub passed_over: PassedOver,
}

impl ClusterReport {
    /// Harmonic mean of precision and recall over pairs: large clusters decide it.
    pub fn pair_f1(&self) -> f64 {
        harmonic(self.pair_precision, self.pair_recall)
    }

    /// Harmonic mean of the BCubed pair: every face counts the same.
    pub fn bcubed_f1(&self) -> f64 {
        harmonic(self.bcubed_precision, self.bcubed_recall)
    }

    /// `labels` says whose each face is.
    fn new(labels: &[usize], clusters: &[Cluster], no_face: usize) -> Self {
        let mut of_person: HashMap<usize, usize> = HashMap::new();
        labels.iter().for_each(|&label| *of_person.entry(label).or_default() += 1);
        let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
        let (mut right, mut together, mut precision, mut recall, mut mixed) = (0.0, 0.0, 0.0, 0.0, 0);
        for cluster in clusters {
            let mut people: HashMap<usize, usize> = HashMap::new();
            cluster.members.iter().for_each(|&face| *people.entry(labels[face]).or_default() += 1);
            together += pairs(cluster.members.len());
            mixed += usize::from(people.len() > 1);
            for (person, count) in people {
                right += pairs(count);
                let square = (count * count) as f64;
                precision += square / cluster.members.len() as f64;
                recall += square / of_person[&person] as f64;
            }
        }
        let share = |part: f64, whole: f64| if whole == 0.0 { 1.0 } else { part / whole };
        let (faces, same) = (labels.len(), of_person.values().map(|&count| pairs(count)).sum());
        Self {
            faces,
            no_face,
            persons: of_person.len(),
            clusters: clusters.len(),
            mixed,
            pair_precision: share(right, together),
            pair_recall: share(right, same),
            bcubed_precision: share(precision, faces as f64),
            bcubed_recall: share(recall, faces as f64),
            passed_over: PassedOver::default(),
        }
    }
}

fn harmonic(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

/// Puts the faces of `folder` (one sub-folder per person, the main face of each photo) together, once with each of `ways`.
///
/// # Errors
/// `invalid_argument` when no photo has a face or for options out of range, `io` and `decode_image` for a photo that cannot be
/// read.
pub fn clusters(analyzer: &Analyzer, folder: &Path, ways: &[ClusterOptions], options: EvaluateOptions<'_>) -> Result<Vec<ClusterReport>> {
    let PeopleFolder { people, passed_over, .. } = labelled(folder)?;
    let photos: Vec<(usize, &Path)> =
        people.iter().enumerate().flat_map(|(person, folder)| folder.photos.iter().map(move |photo| (person, photo.as_path()))).collect();
    let paths: Vec<&Path> = photos.iter().map(|(_, path)| *path).collect();
    let embeddings = embed_photos(analyzer, &paths, options)?;
    let found = photos.iter().zip(embeddings).filter_map(|((person, _), embedding)| Some((*person, embedding?)));
    let (labels, faces): (Vec<usize>, Vec<_>) = found.unzip();
    if faces.is_empty() {
        return Err(Error::argument("folder", format!("expected photos with faces, found none in `{}`", crate::text::escape_path(folder))));
    }
    let judge = |way: &ClusterOptions| {
        let report = ClusterReport::new(&labels, &cluster(&faces, way)?, photos.len() - faces.len());
        Ok(ClusterReport { passed_over: passed_over.clone(), ..report })
    };
    ways.iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::face::{Embedding, ModelKey};

    /// The clusters of faces at these angles, in degrees, 5 degrees apart at most.
    fn clusters_of(degrees: &[f32]) -> Vec<Cluster> {
        let model = Arc::new(ModelKey::new("test", "1"));
        let at = |d: &f32| Embedding::new(Arc::clone(&model), vec![d.to_radians().cos(), d.to_radians().sin()]).expect("a direction");
        let faces: Vec<Embedding> = degrees.iter().map(at).collect();
        cluster(&faces, &ClusterOptions::new(0.99, 0.0)).expect("clusters")
    }

    #[test]
    fn shares_are_counted_over_pairs_and_over_faces() {
        // Person 0: two faces together, one with person 1's. Person 2 is alone.
        let report = ClusterReport::new(&[0, 0, 0, 1, 2], &clusters_of(&[0.0, 1.0, 60.0, 61.0, 120.0]), 1);
        assert_eq!((report.faces, report.no_face, report.persons, report.clusters, report.mixed), (5, 1, 3, 3, 1));
        assert_eq!((report.pair_precision, report.pair_recall), (1.0 / 2.0, 1.0 / 3.0));
        // By face: 1 1 1/2 1/2 1 of the cluster; 2/3 2/3 1/3 1 1 of the person.
        assert!((report.bcubed_precision - 4.0 / 5.0).abs() < 1e-12, "{}", report.bcubed_precision);
        assert!((report.bcubed_recall - (5.0 / 3.0 + 2.0) / 5.0).abs() < 1e-12, "{}", report.bcubed_recall);
        assert!((report.pair_f1() - 0.4).abs() < 1e-12);
        let perfect = ClusterReport::new(&[7, 7, 3], &clusters_of(&[0.0, 1.0, 60.0]), 0);
        assert_eq!((perfect.pair_f1(), perfect.bcubed_f1(), perfect.mixed), (1.0, 1.0, 0));
    }
}
