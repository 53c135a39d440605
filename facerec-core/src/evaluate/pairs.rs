//! Verification as in LFW's View 2: pairs in folds, the threshold for each fold chosen on the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::curve::Scores;
use super::{EvaluateOptions, embed_photos, similarity};
use crate::analyze::Analyzer;
use crate::error::{Error, Result};
use crate::text::{escape, escape_bytes};

/// How well pairs of photos were told apart.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PairsReport {
    /// Number of pairs.
    pub pairs: usize,
    /// Pairs in which a photo shows no face that was found; they count as wrong.
    pub no_face: usize,
    /// Mean accuracy over the folds, `0..=1`.
    pub accuracy: f64,
    /// Standard deviation of the accuracy over the folds.
    pub accuracy_std: f64,
    /// Equal error rate, `0..=1`.
    pub eer: f64,
    /// True accept rate at false accept rates 1e-2 and 1e-3.
    pub tar: [f64; 2],
    /// Thresholds at those rates.
    pub threshold: [f32; 2],
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

struct Pair {
    photos: [PathBuf; 2],
    same: bool,
    fold: usize,
}

/// Evaluates `pairs_file` (the format of LFW's `pairs.txt`, as many folds as its header says) on the photos of `images`
/// (one sub-folder per person, `Name/Name_0001.jpg`).
///
/// # Errors
/// `io` when a file is missing, `invalid_argument` when the pairs file cannot be understood, and whatever the analysis of
/// a photo gives.
pub fn pairs(analyzer: &Analyzer, pairs_file: &Path, images: &Path, options: EvaluateOptions<'_>) -> Result<PairsReport> {
    let start = Instant::now();
    let bytes = std::fs::read(pairs_file).map_err(|source| Error::io("read", pairs_file, source))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| not_utf8(&bytes, error.valid_up_to()))?;
    let (pairs, folds) = parse(text, images)?;
    // Each photo once, however many pairs it is in.
    let mut index: BTreeMap<&Path, usize> = BTreeMap::new();
    for photo in pairs.iter().flat_map(|pair| &pair.photos) {
        let next = index.len();
        index.entry(photo).or_insert(next);
    }
    let mut photos = vec![Path::new(""); index.len()];
    index.iter().for_each(|(photo, &at)| photos[at] = photo);
    let embeddings = embed_photos(analyzer, &photos, options)?;
    let mut scores = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let [a, b] = [0, 1].map(|n| embeddings[index[pair.photos[n].as_path()]].as_ref());
        scores.push(match (a, b) {
            (Some(a), Some(b)) => Some(similarity(a, b)?),
            _ => None,
        });
    }
    Ok(report(&pairs, &scores, folds, start))
}

fn report(pairs: &[Pair], scores: &[Option<f32>], folds: usize, start: Instant) -> PairsReport {
    let correct = |n: usize, threshold: f32| scores[n].is_some_and(|score| (score >= threshold) == pairs[n].same);
    let accuracies: Vec<f64> = (0..folds)
        .map(|fold| {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..pairs.len()).partition(|&n| pairs[n].fold == fold);
            let threshold = best_threshold(&train, pairs, scores);
            test.iter().filter(|&&n| correct(n, threshold)).count() as f64 / test.len().max(1) as f64
        })
        .collect();
    let accuracy = accuracies.iter().sum::<f64>() / folds as f64;
    let variance = accuracies.iter().map(|a| (a - accuracy).powi(2)).sum::<f64>() / folds as f64;
    let of = |same: bool| pairs.iter().zip(scores).filter(|(pair, _)| pair.same == same).filter_map(|(_, score)| *score).collect();
    let curve = Scores::new(of(true), of(false));
    let genuine_pairs = pairs.iter().filter(|pair| pair.same).count();
    let threshold = [1e-2, 1e-3].map(|fmr| curve.threshold_at(fmr));
    PairsReport {
        pairs: pairs.len(),
        no_face: scores.iter().filter(|score| score.is_none()).count(),
        accuracy,
        accuracy_std: variance.sqrt(),
        eer: curve.eer(),
        tar: threshold.map(|threshold| curve.tar(threshold, genuine_pairs)),
        threshold,
        wall_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// The threshold with the most correct answers among `train`: tried at every score in one sweep.
fn best_threshold(train: &[usize], pairs: &[Pair], scores: &[Option<f32>]) -> f32 {
    let mut known: Vec<(f32, bool)> = train.iter().filter_map(|&n| Some((scores[n]?, pairs[n].same))).collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    // From "nobody passes" downwards: each step lets one more pair pass.
    let mut correct = known.iter().filter(|(_, same)| !same).count() as i64;
    let mut best = (correct, 1.0f32);
    for (n, &(score, same)) in known.iter().enumerate() {
        correct += if same { 1 } else { -1 };
        let next = known.get(n + 1).map_or(-1.0, |&(next, _)| next);
        if correct > best.0 && next < score {
            best = (correct, f32::midpoint(score, next));
        }
    }
    best.1
}

/// The line with the byte at `wrong`, which is no UTF-8.
fn not_utf8(bytes: &[u8], wrong: usize) -> Error {
    let start = bytes[..wrong].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = bytes[start..].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let number = bytes[..start].iter().filter(|&&byte| byte == b'\n').count() + 1;
    Error::argument(
        "pairs",
        format!("line {number}: expected text in UTF-8, got `{}`; save the file as UTF-8", escape_bytes(line.trim_ascii())),
    )
}

fn parse(text: &str, images: &Path) -> Result<(Vec<Pair>, usize)> {
    let invalid = |line: usize, text: &str| {
        let expected = "expected `name n m` or `name n name m` after a header `folds pairs`";
        Error::argument("pairs", format!("line {line}: {expected}, got `{}`", escape(text)))
    };
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or_else(|| invalid(1, ""))?;
    let numbers: Option<Vec<usize>> = header.split_whitespace().map(|field| field.parse().ok()).collect();
    // LFW's View 1 files have only the number of pairs: one fold then, judged on itself being impossible, so two are needed.
    let (folds, per_class) = match numbers.as_deref() {
        Some([folds, per_class]) if *folds >= 2 && *per_class >= 1 => (*folds, *per_class),
        _ => return Err(invalid(1, header)),
    };
    let photo = |name: &str, number: &str| -> Option<PathBuf> {
        let number: u32 = number.parse().ok()?;
        Some(images.join(name).join(format!("{name}_{number:04}.jpg")))
    };
    let mut pairs = Vec::new();
    for (line, text) in lines {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let found = match fields.as_slice() {
            [name, a, b] => photo(name, a).zip(photo(name, b)).map(|photos| (photos, true)),
            [name, a, other, b] => photo(name, a).zip(photo(other, b)).map(|photos| (photos, false)),
            _ => None,
        };
        let ((a, b), same) = found.ok_or_else(|| invalid(line, text))?;
        let fold = pairs.len() / (per_class * 2);
        pairs.push(Pair { photos: [a, b], same, fold });
    }
    if pairs.len() != folds * per_class * 2 {
        return Err(Error::argument(
            "pairs",
            format!("expected {} pairs, as the header says, got `{}`", folds * per_class * 2, pairs.len()),
        ));
    }
    Ok((pairs, folds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2\t1\nAna\t1\t2\nAna\t1\tBob\t3\nCem\t1\t4\nCem\t1\tBob\t2\n";

    #[test]
    fn lfw_format_is_read_with_its_folds() {
        let (pairs, folds) = parse(TEXT, Path::new("lfw")).expect("well formed");
        assert_eq!((pairs.len(), folds), (4, 2));
        assert_eq!(pairs[1].photos[1], Path::new("lfw/Bob/Bob_0003.jpg"));
        assert_eq!(pairs.iter().map(|p| (p.same, p.fold)).collect::<Vec<_>>(), [(true, 0), (false, 0), (true, 1), (false, 1)]);
        for bad in ["", "2 1\nAna 1", "x\n", "2 1\nAna 1 2\n", "1\nAna 1 2\nAna 1 Bob 2\n"] {
            assert_eq!(parse(bad, Path::new("lfw")).err().map(|e| e.kind().code()), Some("invalid_argument"), "{bad:?}");
        }
    }

    #[test]
    fn a_name_in_another_encoding_is_named_with_its_line() {
        let text = b"2\t1\nAna\t1\t2\nJos\xe9\t1\t2\r\n".to_vec();
        let wrong = std::str::from_utf8(&text).expect_err("Latin-1");
        let message = not_utf8(&text, wrong.valid_up_to()).to_string();
        assert!(message.contains(r"line 3") && message.contains(r"`Jos\xe9\t1\t2`"), "{message}");
    }

    #[test]
    fn the_threshold_comes_from_the_other_folds_and_a_missing_face_is_wrong() {
        let (pairs, folds) = parse(TEXT, Path::new("lfw")).expect("well formed");
        let all = report(&pairs, &[Some(0.8), Some(0.1), Some(0.7), Some(0.2)], folds, Instant::now());
        assert_eq!((all.accuracy, all.no_face, all.eer), (1.0, 0, 0.0));
        let six = "2\t2\nA 1 2\nA 1 3\nA 1 B 1\nA 1 B 2\nC 1 2\nC 1 3\nC 1 B 1\nC 1 B 2\n";
        let (six, folds6) = parse(six, Path::new("lfw")).expect("well formed");
        let scores = [Some(0.8), Some(0.9), Some(0.1), Some(0.0), None, Some(0.7), Some(0.2), Some(0.1)];
        let missing = report(&six, &scores, folds6, Instant::now());
        assert_eq!((missing.accuracy, missing.no_face), (0.875, 1), "7 of 8: the pair without a face is wrong");
        assert_eq!(missing.tar[0], 0.75);
        // Fold 1's impostor lies above fold 0's threshold: judged by the other fold it is wrong.
        let hard = report(&pairs, &[Some(0.8), Some(0.1), Some(0.9), Some(0.6)], folds, Instant::now());
        assert_eq!(hard.accuracy, 0.75);
    }
}
