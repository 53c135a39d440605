//! Who is who among faces that nobody has named: clusters by average linkage over nearest neighbours.
//!
//! Two clusters are as alike as their members are on average (average linkage, Sokal and Michener 1958). A mean over many pairs
//! is surer than a single one, so that two single faces must be more alike than two large clusters: as for the tracks of a
//! video, by a step that pays for one decade of false matches, which shrinks with the square root of the number of pairs, as the
//! error of a mean does. The clusters that lead what is asked of them by most are joined first, until none do.
//!
//! Why this one: one stray likeness does not chain two people together, as it does in DBSCAN, whose clusters of pairs are single
//! linkage; nobody must be in a cluster; the thresholds are those that the embedder was calibrated in; and it needs no random
//! numbers, as Chinese Whispers does, which is as accurate at its best threshold. What was measured against what, and how the rule
//! was arrived at, stands in `benches/README.md`.
//!
//! It needs no matrix of all pairs. The mean similarity of two groups of unit vectors is the product of their sums, divided by
//! the number of pairs: a cluster is one vector. And where a mean reaches the threshold some pair does, so only clusters that
//! hold near neighbours are ever compared (each face's [`NEIGHBOURS`], as Otto, Wang and Jain, "Clustering Millions of Faces by
//! Identity", 2017, do for theirs). Memory grows with the number of faces, not with its square.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

use super::index::{Vectors, similarity as dot};
use crate::error::{Error, Result};
use crate::face::Embedding;

/// Nearest neighbours that are looked at for each face. A person with more faces than this is still one cluster: their faces
/// have different neighbours, and clusters inherit those of their members.
const NEIGHBOURS: usize = 64;

/// How faces are put together.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// Mean similarity from which two large clusters are one person, `-1..=1`.
    pub threshold: f32,
    /// How much more alike two single faces must be, `0..=1`.
    pub strict_step: f32,
    /// Smallest cluster that is reported.
    pub min_size: usize,
}

impl ClusterOptions {
    /// Joins large clusters from `threshold` on, a cosine similarity, and single faces from `threshold + strict_step`. Take them
    /// from [`Engine::cluster_options`](crate::engine::Engine::cluster_options). Too low mixes people, too high leaves a person
    /// in several clusters.
    pub fn new(threshold: f32, strict_step: f32) -> Self {
        Self { threshold, strict_step, min_size: 1 }
    }

    /// Smallest cluster that is reported, default 1: a face that belongs to nobody else is a cluster of its own.
    #[must_use]
    pub fn min_size(mut self, faces: usize) -> Self {
        self.min_size = faces;
        self
    }

    fn check(&self) -> Result<()> {
        if !(-1.0..=1.0).contains(&self.threshold) {
            return Err(Error::argument("threshold", format!("expected a cosine similarity from -1 to 1, got `{}`", self.threshold)));
        }
        if !(0.0..=1.0).contains(&self.strict_step) {
            return Err(Error::argument("strict_step", format!("expected 0 to 1, got `{}`", self.strict_step)));
        }
        Ok(())
    }

    /// How alike two clusters with so many pairs between them must be.
    fn asked(&self, pairs: f32) -> f32 {
        self.threshold + self.strict_step / pairs.sqrt()
    }
}

/// Faces of, most likely, one person.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Cluster {
    /// Positions of the faces in what was given, ascending; at least one.
    pub members: Vec<usize>,
    /// The member most like all the others.
    pub typical: usize,
    /// Mean similarity of two members, `-1..=1`; 1 for a single face.
    pub cohesion: f32,
}

/// Puts faces of the same person together: the largest cluster first, each face in one cluster. A face that cannot be
/// [recognised](Embedding::is_recognisable) is a cluster of its own. The order of the faces makes no
/// difference to who is put together, except where two pairs are exactly equally alike.
///
/// Each face is looked up among all others once, with the exact search: time grows with the square of their number, memory with their
/// number.
///
/// # Errors
/// `invalid_argument` for options out of range, `embedding_model_mismatch` for faces of different models.
pub fn cluster(faces: &[Embedding], options: &ClusterOptions) -> Result<Vec<Cluster>> {
    options.check()?;
    let Some(first) = faces.first() else { return Ok(Vec::new()) };
    let dim = first.as_slice().len();
    let mut vectors = Vec::with_capacity(faces.len() * dim);
    for face in faces {
        first.similarity(face)?;
        if face.as_slice().len() != dim {
            return Err(Error::DimensionMismatch { what: "embedding", expected: dim, actual: face.as_slice().len() });
        }
        vectors.extend_from_slice(face.as_slice());
    }
    let mut near = neighbours(&vectors, dim)?;
    for face in (0..faces.len()).filter(|&face| !faces[face].is_recognisable()) {
        // It is near to strangers: it stays alone.
        for other in std::mem::take(&mut near[face]) {
            near[other].remove(&face);
        }
    }
    let mut groups = Groups { dim, options: *options, sums: vectors, members: (0..faces.len()).map(|face| vec![face]).collect(), near };
    groups.join_all();
    Ok(groups.clusters(faces, options.min_size))
}

/// The nearest neighbours of each vector, made mutual.
fn neighbours(vectors: &[f32], dim: usize) -> Result<Vec<BTreeSet<usize>>> {
    const AT_ONCE: usize = 1024;
    let mut index = Vectors::new(dim)?;
    index.add(vectors)?;
    let mut near = vec![BTreeSet::new(); vectors.len() / dim];
    let mut face = 0;
    for queries in vectors.chunks(AT_ONCE * dim) {
        // One more: everybody is their own nearest neighbour.
        for found in index.search(queries, NEIGHBOURS + 1, false)? {
            for (other, _) in found.into_iter().filter(|&(other, _)| other != face) {
                near[face].insert(other);
                near[other].insert(face);
            }
            face += 1;
        }
    }
    Ok(near)
}

/// Clusters under way; a cluster goes by its first member, and those that were joined into another are empty.
struct Groups {
    dim: usize,
    options: ClusterOptions,
    /// The sum of each cluster's vectors.
    sums: Vec<f32>,
    members: Vec<Vec<usize>>,
    /// Clusters that hold a neighbour of a member.
    near: Vec<BTreeSet<usize>>,
}

/// Two clusters that may be joined. The sizes tell whether either has grown since.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Link {
    /// By how much they are more alike than is asked.
    lead: f32,
    pair: (usize, usize),
    sizes: (usize, usize),
}

impl Eq for Link {}

impl Ord for Link {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lead.total_cmp(&other.lead).then_with(|| Reverse(self.pair).cmp(&Reverse(other.pair)))
    }
}

impl PartialOrd for Link {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Groups {
    /// Joins the two that lead by most, again and again, until no two do.
    fn join_all(&mut self) {
        let mut links: BinaryHeap<Link> = BinaryHeap::new();
        for a in 0..self.members.len() {
            let later = self.near[a].range(a + 1..).map(|&b| self.link(a, b));
            links.extend(later.filter(|link| link.lead >= 0.0));
        }
        while let Some(Link { pair: (kept, gone), sizes, .. }) = links.pop() {
            // A cluster only grows or is emptied: another size means that the link is of the past.
            if sizes != (self.members[kept].len(), self.members[gone].len()) {
                continue;
            }
            self.join(kept, gone);
            links.extend(self.near[kept].iter().map(|&other| self.link(kept, other)).filter(|link| link.lead >= 0.0));
        }
    }

    fn join(&mut self, kept: usize, gone: usize) {
        let joined = std::mem::take(&mut self.members[gone]);
        self.members[kept].extend(joined);
        let (head, tail) = self.sums.split_at_mut(gone * self.dim);
        let sum = &mut head[kept * self.dim..][..self.dim];
        sum.iter_mut().zip(&tail[..self.dim]).for_each(|(total, value)| *total += value);
        for other in std::mem::take(&mut self.near[gone]) {
            self.near[other].remove(&gone);
            if other != kept {
                self.near[other].insert(kept);
                self.near[kept].insert(other);
            }
        }
    }

    /// How alike two clusters are, the mean similarity of all pairs between them, against what is asked.
    fn link(&self, a: usize, b: usize) -> Link {
        let pair = (a.min(b), a.max(b));
        let sizes = (self.members[pair.0].len(), self.members[pair.1].len());
        let pairs = sizes.0 as f32 * sizes.1 as f32;
        Link { lead: dot(self.sum(a), self.sum(b)) / pairs - self.options.asked(pairs), pair, sizes }
    }

    fn sum(&self, group: usize) -> &[f32] {
        &self.sums[group * self.dim..][..self.dim]
    }

    fn clusters(self, faces: &[Embedding], min_size: usize) -> Vec<Cluster> {
        let mut clusters = Vec::new();
        for (group, members) in self.members.iter().enumerate().filter(|(_, members)| members.len() >= min_size.max(1)) {
            let (sum, size) = (self.sum(group), members.len() as f32);
            let likeness = |&face: &usize| dot(faces[face].as_slice(), sum);
            let mut members = members.clone();
            members.sort_unstable();
            let (mut typical, mut highest) = (group, f32::NEG_INFINITY);
            for member in &members {
                let likeness = likeness(member);
                if likeness > highest {
                    (typical, highest) = (*member, likeness);
                }
            }
            // The square of the sum counts each pair twice and each face with itself.
            let cohesion = if members.len() == 1 { 1.0 } else { ((dot(sum, sum) - size) / (size * (size - 1.0))).clamp(-1.0, 1.0) };
            clusters.push(Cluster { members, typical, cohesion });
        }
        clusters.sort_by(|a, b| b.members.len().cmp(&a.members.len()).then_with(|| a.members[0].cmp(&b.members[0])));
        clusters
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::face::ModelKey;

    /// `count` faces of each of `people`, about `likeness` alike within a person and near 0 between people.
    fn crowd(mut seed: u64, people: usize, count: usize, likeness: f32) -> Vec<Embedding> {
        let model = Arc::new(ModelKey::new("test", "1"));
        let mut random = |dim: usize| -> Vec<f32> {
            let mut value = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            };
            let row: Vec<f32> = (0..dim).map(|_| value()).collect();
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.into_iter().map(|v| v / norm).collect()
        };
        let mut faces = Vec::new();
        for _ in 0..people {
            let centre = random(128);
            for _ in 0..count {
                let noise = random(128);
                let mixed = centre.iter().zip(noise).map(|(c, n)| likeness.sqrt() * c + (1.0 - likeness).sqrt() * n).collect();
                faces.push(Embedding::new(Arc::clone(&model), mixed).expect("a direction"));
            }
        }
        faces
    }

    #[test]
    fn people_are_found_whatever_the_order_and_strangers_stay_alone() {
        let mut faces = crowd(7, 20, 6, 0.6);
        faces.extend(crowd(8, 20, 1, 1.0));
        let clusters = cluster(&faces, &ClusterOptions::new(0.4, 0.05)).expect("clusters");
        assert_eq!(clusters.len(), 40);
        for (person, found) in clusters[..20].iter().enumerate() {
            assert_eq!(found.members, (person * 6..person * 6 + 6).collect::<Vec<_>>());
            assert!((found.cohesion - 0.6).abs() < 0.1 && found.members.contains(&found.typical), "{found:?}");
        }
        assert!(clusters[20..].iter().all(|alone| alone.members == [alone.typical] && alone.cohesion == 1.0));
        let only = cluster(&faces, &ClusterOptions::new(0.4, 0.05).min_size(2)).expect("clusters");
        assert_eq!(only[..], clusters[..20]);

        let places: Vec<usize> = (0..faces.len()).map(|i| i * 73 % faces.len()).collect();
        let shuffled: Vec<Embedding> = places.iter().map(|&place| faces[place].clone()).collect();
        let mut again: Vec<Vec<usize>> =
            cluster(&shuffled, &ClusterOptions::new(0.4, 0.05)).expect("clusters").into_iter().map(|c| c.members).collect();
        for members in &mut again {
            members.iter_mut().for_each(|member| *member = places[*member]);
            members.sort_unstable();
        }
        again.sort();
        let mut first: Vec<Vec<usize>> = clusters.into_iter().map(|c| c.members).collect();
        first.sort();
        assert_eq!(again, first);
    }

    #[test]
    fn a_chain_of_likenesses_is_not_one_person() {
        let model = Arc::new(ModelKey::new("test", "1"));
        // Each 30 degrees from the next: neighbours are 0.87 alike, the ends of three 0.5.
        let at = |degrees: f32| {
            Embedding::new(Arc::clone(&model), vec![degrees.to_radians().cos(), degrees.to_radians().sin()]).expect("a direction")
        };
        let chain: Vec<Embedding> = (0..6).map(|i| at(30.0 * i as f32 + 0.1 * (i / 2) as f32)).collect();
        let members: Vec<Vec<usize>> =
            cluster(&chain, &ClusterOptions::new(0.8, 0.0)).expect("clusters").into_iter().map(|c| c.members).collect();
        assert_eq!(members, [vec![0, 1], vec![2, 3], vec![4, 5]]);
    }

    #[test]
    fn more_faces_than_neighbours_are_still_one_person() {
        let faces = crowd(7, 2, 400, 0.5);
        let clusters = cluster(&faces, &ClusterOptions::new(0.3, 0.05)).expect("clusters");
        assert_eq!(clusters.iter().map(|c| c.members.len()).collect::<Vec<_>>(), [400, 400]);
    }

    #[test]
    fn the_mean_likeness_of_all_pairs_decides() {
        // Against average linkage written down plainly, over all pairs.
        let faces = crowd(7, 12, 5, 0.35);
        let options = &ClusterOptions::new(0.3, 0.05);
        let mut plain: Vec<Vec<usize>> = (0..faces.len()).map(|i| vec![i]).collect();
        let mean = |a: &[usize], b: &[usize]| {
            let pairs = a.iter().flat_map(|&a| b.iter().map(move |&b| (a, b)));
            pairs.map(|(a, b)| faces[a].similarity(&faces[b]).expect("one model")).sum::<f32>() / (a.len() * b.len()) as f32
        };
        loop {
            let mut best = (0.0, None);
            for a in 0..plain.len() {
                for b in a + 1..plain.len() {
                    let lead = mean(&plain[a], &plain[b]) - options.asked((plain[a].len() * plain[b].len()) as f32);
                    if lead >= best.0 {
                        best = (lead, Some((a, b)));
                    }
                }
            }
            let Some((a, b)) = best.1 else { break };
            let joined = plain.remove(b);
            plain[a].extend(joined);
        }
        plain.iter_mut().for_each(|members| members.sort_unstable());
        plain.sort();
        let mut found: Vec<Vec<usize>> = cluster(&faces, options).expect("clusters").into_iter().map(|c| c.members).collect();
        found.sort();
        assert_eq!(found, plain);
        assert!((6..30).contains(&found.len()), "{}", found.len());
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(cluster(&[], &ClusterOptions::new(0.5, 0.1)).expect("nothing is no error"), []);
        assert!(cluster(&[], &ClusterOptions::new(f32::NAN, 0.1)).is_err());
        assert!(cluster(&[], &ClusterOptions::new(0.5, -0.1)).is_err());
        let mut faces = crowd(7, 1, 1, 1.0);
        faces.push(Embedding::new(Arc::new(ModelKey::new("other", "1")), vec![1.0]).expect("a direction"));
        assert_eq!(cluster(&faces, &ClusterOptions::new(0.5, 0.1)).expect_err("two models").kind().code(), "embedding_model_mismatch");
    }
}
