//! A compressed or partitioned structure over the faces of one moment, which proposes candidates.
//!
//! It never changes once it is shared: a new one is built beside it, from scratch or by extending a copy. It knows its vectors
//! by the faces they belong to, so that what is removed later needs no change here: a face that is no longer known is passed over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::trained::{Part, Trained};
use super::{Hit, IndexKind, VectorIndex, Vectors, each, merge};
use crate::error::{Error, Result};
use crate::gallery::records::FaceId;

/// Values per sub-vector of 4 bits in `Ivf`, where the dimension allows.
const VALUES_PER_CODE: usize = 4;
/// Training vectors per list of `Ivf`: FAISS's k-means warns below 39.
const TRAIN_PER_LIST: usize = 40;
/// Training vectors for the other kinds: the range of each value.
const TRAIN_ROWS: usize = 16_384;
/// Rows that are added at once, and of a part for the kinds that compare all: small enough to share ten thousand between two
/// processors.
const PART_ROWS: usize = 2048;
/// Queries on which the recall is measured, and for which the search effort of `Ivf` and `Hnsw` is chosen: at most two of them missed.
const SAMPLE: usize = 512;
const MAX_MISSED: usize = 2;
/// How far the sampled queries are from the stored vectors they are made of, in units of the distance of two random faces. The
/// cosine is then about 0.76: what the most similar of five photos of one person has, where two photos have 0.74. Harder than those:
/// at 200,000 made-up faces in 512 lists, 64 lists find 97.1 % of these queries and 99.2 % of such photos, 128 find 99.6 and 99.8 %.
const QUERY_NOISE: f32 = 0.6;

/// See the module.
pub(in super::super) struct Base {
    kind: IndexKind,
    /// Trained and empty: what a copy is filled from.
    blank: Trained,
    /// Of at most [`PART_ROWS`] for the kinds that compare all, else one.
    parts: Vec<Arc<Trained>>,
    /// Whose vector stands at each position, ascending.
    faces: Vec<FaceId>,
    /// Lists or nodes looked at per query, for the kinds that do not compare all.
    effort: usize,
    /// How many of the sampled queries found the most similar face, `0..=1`.
    recall: f32,
    /// Number of faces when it was trained.
    trained_on: usize,
}

impl Base {
    /// Trains and fills a base over all of `vectors`, and measures how well it finds them.
    ///
    /// # Errors
    /// `cancelled` soon after `cancel` was set, but for the time that the training takes.
    pub(in super::super) fn build(kind: IndexKind, vectors: &Vectors, faces: Vec<FaceId>, cancel: &AtomicBool) -> Result<Self> {
        let (dim, count) = (vectors.dim(), faces.len());
        let lists = lists(count);
        let description = match kind {
            IndexKind::Sq8 => "SQ8".into(),
            IndexKind::Fp16 => "SQfp16".into(),
            IndexKind::Ivf => {
                let values = [VALUES_PER_CODE, 2, 1].into_iter().find(|v| dim.is_multiple_of(*v)).unwrap_or(1);
                format!("IVF{lists},PQ{}x4fs", dim / values)
            }
            IndexKind::Hnsw => "HNSW32,SQ8".into(),
            IndexKind::Auto | IndexKind::Flat => return Err(Error::internal("a flat index has no base")),
        };
        let rows = if kind == IndexKind::Ivf { TRAIN_PER_LIST * lists } else { TRAIN_ROWS };
        let blank = Trained::new(dim, &description, &spread(vectors, rows, 0))?;
        let mut base = Self { kind, blank, parts: Vec::new(), faces: Vec::new(), effort: 0, recall: 0.0, trained_on: count };
        base.fill(vectors.shards(), faces, cancel)?;
        base.tune(vectors, cancel)?;
        Ok(base)
    }

    /// A base of these faces and those of `more`, which come after all of `vectors`' first ones, without training.
    pub(in super::super) fn extend(&self, vectors: &Vectors, faces: Vec<FaceId>, cancel: &AtomicBool) -> Result<Self> {
        let parts = match self.kind {
            IndexKind::Sq8 | IndexKind::Fp16 => self.parts.clone(),
            _ => self.parts.iter().map(|part| part.duplicate().map(Arc::new)).collect::<Result<_>>()?,
        };
        let mut base = Self {
            kind: self.kind,
            blank: self.blank.duplicate()?,
            parts,
            faces: self.faces.clone(),
            effort: self.effort,
            recall: 0.0,
            trained_on: self.trained_on,
        };
        let mut skip = self.faces.len();
        let fresh = vectors.shards().filter(|shard| {
            let rows = shard.len() / vectors.dim();
            let known = skip >= rows;
            skip -= rows.min(skip);
            !known
        });
        base.fill(fresh, faces.get(self.faces.len()..).unwrap_or_default().to_vec(), cancel)?;
        base.tune(vectors, cancel)?;
        Ok(base)
    }

    fn fill<'a>(&mut self, shards: impl Iterator<Item = &'a [f32]>, faces: Vec<FaceId>, cancel: &AtomicBool) -> Result<()> {
        let split = matches!(self.kind, IndexKind::Sq8 | IndexKind::Fp16);
        let values = PART_ROWS * self.blank.dim();
        for piece in shards.flat_map(|shard| shard.chunks(values)) {
            go_on(cancel)?;
            match self.parts.first_mut().filter(|_| !split).and_then(Arc::get_mut) {
                Some(only) => only.add(piece)?,
                None => {
                    let mut part = self.blank.duplicate()?;
                    part.add(piece)?;
                    self.parts.push(Arc::new(part));
                }
            }
        }
        self.faces.extend(faces);
        if self.parts.iter().map(|part| part.len()).sum::<usize>() != self.faces.len() {
            return Err(Error::internal("the base does not hold one vector for each face"));
        }
        Ok(())
    }

    /// Measures the recall, after choosing the least effort that reaches it where there is a choice.
    fn tune(&mut self, vectors: &Vectors, cancel: &AtomicBool) -> Result<()> {
        go_on(cancel)?;
        let rows = vectors.rows();
        let queries = sample(vectors);
        let all: Vec<&[f32]> = queries.chunks_exact(vectors.dim()).collect();
        let near = vectors.search(&queries, 1 + super::ROUNDING, false)?;
        let truth: Vec<usize> = all
            .iter()
            .zip(near)
            .filter_map(|(q, near)| rows.rank(q, near.into_iter().map(|hit| hit.0), 1).first().map(|hit| hit.0))
            .collect();
        let missed = |base: &Self| -> Result<usize> {
            let found = base.search(&queries, base.candidates(1))?;
            let best = all.iter().zip(found).map(|(q, hits)| rows.rank(q, hits.into_iter().map(|hit| hit.0), 1).first().map(|hit| hit.0));
            Ok(best.zip(&truth).filter(|(best, truth)| *best != Some(**truth)).count())
        };
        let (parameter, start, end) = match self.kind {
            IndexKind::Ivf => ("nprobe", 8, lists(self.trained_on)),
            IndexKind::Hnsw => ("efSearch", 64, 2048),
            _ => {
                self.recall = 1.0 - missed(self)? as f32 / truth.len().max(1) as f32;
                return Ok(());
            }
        };
        let mut effort = start.min(end);
        loop {
            go_on(cancel)?;
            self.set_effort(parameter, effort)?;
            if effort >= end || missed(self)? <= MAX_MISSED {
                break;
            }
            effort = (effort + effort / 2).min(end);
        }
        self.recall = 1.0 - missed(self)? as f32 / truth.len().max(1) as f32;
        Ok(())
    }

    fn set_effort(&mut self, parameter: &str, effort: usize) -> Result<()> {
        self.effort = effort;
        for part in &mut self.parts {
            let part = Arc::get_mut(part).ok_or_else(|| Error::internal("the effort of a shared index was to be changed"))?;
            part.set(parameter, effort)?;
        }
        Ok(())
    }

    /// How many candidates must be looked at for the best `k` to be among them.
    pub(in super::super) fn candidates(&self, k: usize) -> usize {
        match self.kind {
            IndexKind::Fp16 => k + super::ROUNDING,
            IndexKind::Sq8 => k + 32,
            _ => 2 * k + 64,
        }
    }

    /// Positions of candidates, the likeliest first.
    pub(in super::super) fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>> {
        let mut start = 0;
        let parts = self.parts.iter().map(|part| {
            let at = start;
            start += part.len();
            (at, part)
        });
        let parts: Vec<_> = parts.collect();
        let count = queries.len() / self.blank.dim();
        // FAISS shares many queries between the processors by itself.
        let found = each(&parts, count == 1, |&(start, part)| Ok((start, part.search(queries, k)?)))?;
        Ok(merge(found, count, k))
    }

    pub(in super::super) fn kind(&self) -> IndexKind {
        self.kind
    }

    pub(in super::super) fn faces(&self) -> &[FaceId] {
        &self.faces
    }

    pub(in super::super) fn recall(&self) -> f32 {
        self.recall
    }

    pub(in super::super) fn effort(&self) -> usize {
        self.effort
    }

    pub(in super::super) fn trained_on(&self) -> usize {
        self.trained_on
    }

    /// Bytes in memory for each face, beside the true vector; the shared part is not counted.
    pub(in super::super) fn bytes_per_face(&self) -> usize {
        let dim = self.blank.dim();
        let codes = match self.kind {
            IndexKind::Sq8 => dim,
            IndexKind::Fp16 => 2 * dim,
            IndexKind::Ivf => dim.div_ceil(2 * VALUES_PER_CODE) + size_of::<i64>(),
            // 64 neighbours at the lowest level, and a share of the levels above.
            _ => dim + 68 * size_of::<i32>(),
        };
        codes + size_of::<FaceId>()
    }

    /// Everything but the faces as blocks of bytes, the blank first. An error of kind `Unsupported` where it cannot be had.
    pub(in super::super) fn to_bytes(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        std::iter::once(&self.blank).chain(self.parts.iter().map(Arc::as_ref)).map(Trained::to_bytes)
    }

    /// Puts together what was saved.
    pub(in super::super) fn from_parts(saved: SavedBase, parts: Vec<Part>) -> io::Result<Self> {
        let mut parts = parts.into_iter().map(|part| part.0);
        let blank = parts.next().ok_or(io::ErrorKind::UnexpectedEof)?;
        let SavedBase { kind, faces, effort, recall, trained_on } = saved;
        let mut base = Self { kind, blank, parts: parts.map(Arc::new).collect(), faces, effort, recall, trained_on };
        if base.parts.iter().map(|part| part.len()).sum::<usize>() != base.faces.len() {
            return Err(io::Error::other("it does not hold one vector for each face"));
        }
        // FAISS keeps the one parameter and not the other.
        if base.kind == IndexKind::Hnsw {
            base.set_effort("efSearch", effort).map_err(io::Error::other)?;
        }
        Ok(base)
    }
}

fn go_on(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Acquire) { Err(Error::Cancelled) } else { Ok(()) }
}

/// What is kept of a base beside FAISS's bytes.
pub(in super::super) struct SavedBase {
    pub(in super::super) kind: IndexKind,
    pub(in super::super) faces: Vec<FaceId>,
    pub(in super::super) effort: usize,
    pub(in super::super) recall: f32,
    pub(in super::super) trained_on: usize,
}

/// Lists of `Ivf`: about the square root of the number of faces, a power of two, and few enough to train each. More lists make the
/// search faster by little, since the codes are compared so quickly, and the training slower by much.
fn lists(faces: usize) -> usize {
    let most = (faces / TRAIN_PER_LIST).max(1);
    // The power of two at or below.
    faces.isqrt().next_power_of_two().min(1 << most.ilog2()).clamp(1, 4096)
}

/// About `count` rows, evenly spread over all.
fn spread(vectors: &Vectors, count: usize, first: usize) -> Vec<f32> {
    let rows = vectors.rows();
    let step = (vectors.len() / count.max(1)).max(1);
    (first..vectors.len()).step_by(step).take(count).filter_map(|p| rows.get(p)).flatten().copied().collect()
}

/// Queries as new photos of stored faces would be: a stored vector, moved along the difference of two others, which lies where
/// the differences of faces lie.
fn sample(vectors: &Vectors) -> Vec<f32> {
    let dim = vectors.dim();
    let stored = spread(vectors, SAMPLE, 0);
    let rows: Vec<&[f32]> = stored.chunks_exact(dim).collect();
    let mut queries = Vec::with_capacity(stored.len());
    for (i, row) in rows.iter().enumerate() {
        let (a, b) = (rows[(i * 7 + 3) % rows.len()], rows[(i * 13 + 5) % rows.len()]);
        let moved: Vec<f32> = row.iter().zip(a.iter().zip(b)).map(|(v, (a, b))| v + QUERY_NOISE * (a - b)).collect();
        let length = moved.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        queries.extend(moved.iter().map(|v| v / length));
    }
    queries
}
