//! Agglomerative clustering: the best pair first, until no two clusters fit together.

use crate::error::Result;

/// The clusters of the items `0..count`, in the order of their first members, members ascending.
///
/// `link` says what two items have to do with each other, `join` what a cluster that was joined of two has to do with a third
/// (Lance and Williams 1967), and `score` how well two clusters fit together, given the number of pairs of their members: the
/// higher the sooner, `None` never. `join` makes the linkage: `min` of similarities is complete, their sum average linkage.
///
/// # Errors
/// What `link` gives.
pub(crate) fn agglomerate<L: Copy>(
    count: usize,
    link: impl Fn(usize, usize) -> Result<L>,
    join: impl Fn(L, L) -> L,
    score: impl Fn(&L, usize) -> Option<f32>,
) -> Result<Vec<Vec<usize>>> {
    let mut links: Vec<Option<L>> = vec![None; count * count];
    for a in 0..count {
        for b in a + 1..count {
            let link = Some(link(a, b)?);
            (links[a * count + b], links[b * count + a]) = (link, link);
        }
    }
    let mut clusters: Vec<Vec<usize>> = (0..count).map(|item| vec![item]).collect();
    let best_of = |row: usize, clusters: &[Vec<usize>], links: &[Option<L>]| {
        let mut best: Option<(f32, usize)> = None;
        for other in (0..count).filter(|&other| other != row && !clusters[other].is_empty()) {
            let pairs = clusters[row].len() * clusters[other].len();
            if let Some(score) = links[row * count + other].as_ref().and_then(|link| score(link, pairs))
                && best.is_none_or(|(highest, _)| score > highest)
            {
                best = Some((score, other));
            }
        }
        best
    };
    // Each cluster remembers its best partner, so that a join costs a look at few clusters instead of one at all pairs. A pair
    // changes only when one of the two is joined, and that one then looks for its partner anew: no better pair is missed.
    let mut best: Vec<Option<(f32, usize)>> = (0..count).map(|row| best_of(row, &clusters, &links)).collect();
    loop {
        let mut pair: Option<(f32, usize, usize)> = None;
        for (row, partner) in best.iter().enumerate() {
            if let Some((score, other)) = *partner
                && pair.is_none_or(|(highest, ..)| score > highest)
            {
                pair = Some((score, row.min(other), row.max(other)));
            }
        }
        let Some((_, kept, gone)) = pair else { break };
        let joined = std::mem::take(&mut clusters[gone]);
        clusters[kept].extend(joined);
        for other in 0..count {
            if let (Some(a), Some(b)) = (links[kept * count + other], links[gone * count + other]) {
                let link = Some(join(a, b));
                (links[kept * count + other], links[other * count + kept]) = (link, link);
            }
        }
        best[gone] = None;
        for row in (0..count).filter(|&row| !clusters[row].is_empty()) {
            if row == kept || best[row].is_some_and(|(_, partner)| partner == kept || partner == gone) {
                best[row] = best_of(row, &clusters, &links);
            }
        }
    }
    clusters.retain(|cluster| !cluster.is_empty());
    clusters.iter_mut().for_each(|cluster| cluster.sort_unstable());
    Ok(clusters)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Complete linkage of numbers: a cluster spans no more than 10.
    fn spans(numbers: &[f32]) -> Vec<Vec<usize>> {
        let link = |a: usize, b: usize| Ok((numbers[a] - numbers[b]).abs());
        agglomerate(numbers.len(), link, f32::max, |distance, _| (*distance <= 10.0).then_some(-distance)).expect("no error")
    }

    #[test]
    fn the_nearest_come_together_and_chains_do_not_form() {
        assert_eq!(spans(&[0.0, 30.0, 4.0, 31.0]), [vec![0, 2], vec![1, 3]]);
        assert_eq!(spans(&[0.0, 9.0, 17.0]), [vec![0], vec![1, 2]], "the nearer pair first; 0 to 17 is too far");
        assert_eq!(spans(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn every_pair_is_seen_when_all_are_alike() {
        assert_eq!(spans(&[1.0; 40]), [(0..40).collect::<Vec<_>>()]);
    }
}
