//! All pairs of a folder, in one pass.

use super::groups::Groups;
use super::impostors::{Collector, Impostors, Pair};
use super::sample::{Folder, Sample};
use crate::analyze::parallel;
use crate::error::{Error, Result};
use crate::evaluate::EvaluateOptions;

/// Photos whose rows are computed together, so that the others' vectors are read from memory once for all of them.
const BLOCK: usize = 16;

/// Similarities of all pairs.
#[derive(Debug)]
pub(super) struct Scores {
    /// Each person's pairs that were compared, ascending.
    pub(super) genuine: Vec<Vec<f32>>,
    /// Each person's pairs with a photo without a face.
    pub(super) missed: Vec<u64>,
    /// Each person's photos with a face.
    pub(super) faces: Vec<u64>,
    /// Pairs of different people.
    pub(super) impostors: Impostors,
    /// Those of two people of one group, for each group.
    pub(super) of_groups: Vec<Impostors>,
}

impl Scores {
    /// Compares all photos. Memory: 4 bytes per genuine pair, and what [`Impostors`] keeps.
    ///
    /// # Errors
    /// `cancelled`.
    pub(super) fn new(folder: &Folder, sample: &Sample, groups: Option<&Groups>, options: EvaluateOptions<'_>) -> Result<Self> {
        let faces: Vec<u64> = folder.photos_of.iter().map(|photos| sample.faces[photos.clone()].iter().flatten().count() as u64).collect();
        let group_of = |person: usize| groups.and_then(|groups| groups.of_person[person]);
        let all = Collector::new(pairs_between(&faces, |_| 1));
        let number = groups.map_or(0, |groups| groups.grouping.groups.len());
        let of_groups: Vec<Collector> =
            (0..number).map(|group| Collector::new(pairs_between(&faces, |person| u64::from(group_of(person) == Some(group))))).collect();

        let photos = folder.photos.len();
        let blocks = parallel(photos.div_ceil(BLOCK), options.workers, |block| {
            if (options.cancelled)() {
                return Err(Error::Cancelled);
            }
            let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(photos));
            let mut found = Vec::with_capacity((photos - start) * BLOCK);
            for b in start + 1..photos {
                for a in start..end.min(b) {
                    if folder.person_of[a] != folder.person_of[b] {
                        found.extend(sample.similarity(a, b).map(|score| Pair { score, a: a as u32, b: b as u32 }));
                    }
                }
            }
            all.add(&found);
            let common = |pair: &Pair| {
                let [a, b] = [pair.a, pair.b].map(|photo| group_of(folder.person_of[photo as usize]));
                a.filter(|_| a == b)
            };
            for (group, collector) in of_groups.iter().enumerate() {
                collector.add(&found.iter().copied().filter(|pair| common(pair) == Some(group)).collect::<Vec<_>>());
            }
            Ok(())
        });
        blocks.into_iter().collect::<Result<()>>()?;
        let genuine = parallel(folder.people.len(), options.workers, |person| genuine(folder, sample, person));
        let (genuine, missed) = genuine.into_iter().unzip();
        let of_groups = of_groups.into_iter().map(Collector::finish).collect();
        Ok(Self { genuine, missed, faces, impostors: all.finish(), of_groups })
    }
}

/// A person's pairs: the similarities, ascending, and how many could not be compared.
fn genuine(folder: &Folder, sample: &Sample, person: usize) -> (Vec<f32>, u64) {
    let (mut scores, mut missed) = (Vec::new(), 0);
    let photos = folder.photos_of[person].clone();
    for a in photos.clone() {
        for b in a + 1..photos.end {
            match sample.similarity(a, b) {
                Some(score) => scores.push(score),
                None => missed += 1,
            }
        }
    }
    scores.sort_unstable_by(f32::total_cmp);
    (scores, missed)
}

/// The pairs of different people where person `p` has `faces[p]` faces and counts `weight(p)` times; two copies of one person make none.
pub(super) fn pairs_between(faces: &[u64], weight: impl Fn(usize) -> u64) -> u64 {
    let counts = faces.iter().enumerate().map(|(person, faces)| faces * weight(person));
    let (sum, squares) = counts.fold((0, 0), |(sum, squares), count| (sum + count, squares + count * count));
    (sum * sum - squares) / 2
}
