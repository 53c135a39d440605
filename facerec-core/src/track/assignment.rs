//! Optimal assignment of rows to columns.

/// The cheapest one-to-one assignment of `rows` rows to `columns` columns under `cost` (row-major; a cost that is not finite
/// forbids the pair), where leaving a row without a column costs `alone`: the column of each row, or `None`.
///
/// Shortest augmenting paths (Jonker and Volgenant 1987; Crouse 2016 for rectangular matrices), O(rows² columns).
pub(crate) fn assign(cost: &[f32], rows: usize, columns: usize, alone: f32) -> Vec<Option<usize>> {
    debug_assert_eq!(cost.len(), rows * columns);
    // A dummy column per row lets every row stay alone; a forbidden pair is dearer than that, so it is never taken.
    let alone = f64::from(alone);
    let width = columns + rows;
    let at = |row: usize, column: usize| match cost.get(row * columns + column).filter(|_| column < columns) {
        Some(c) if c.is_finite() => f64::from(*c).min(alone + 1.0),
        Some(_) => alone + 2.0,
        None => alone,
    };
    let mut row_of: Vec<Option<usize>> = vec![None; width];
    let mut column_of = vec![0; rows];
    let (mut row_price, mut column_price) = (vec![0.0; rows], vec![0.0; width]);
    let (mut distance, mut previous, mut settled) = (vec![0.0; width], vec![0; width], vec![false; width]);
    for start in 0..rows {
        distance.fill(f64::INFINITY);
        settled.fill(false);
        let (mut row, mut length) = (start, 0.0);
        let end = loop {
            let mut nearest: Option<usize> = None;
            for column in 0..width {
                if settled[column] {
                    continue;
                }
                let through = length + at(row, column) - row_price[row] - column_price[column];
                if through < distance[column] {
                    (distance[column], previous[column]) = (through, row);
                }
                if nearest.is_none_or(|best| distance[column] < distance[best]) {
                    nearest = Some(column);
                }
            }
            // There are more columns than rows, so one is always left.
            let Some(column) = nearest else { return vec![None; rows] };
            length = distance[column];
            settled[column] = true;
            match row_of[column] {
                Some(taken) => row = taken,
                None => break column,
            }
        };
        row_price[start] += length;
        for column in (0..width).filter(|&column| settled[column] && column != end) {
            if let Some(row) = row_of[column] {
                row_price[row] += length - distance[column];
            }
            column_price[column] -= length - distance[column];
        }
        let mut column = end;
        loop {
            let row = previous[column];
            row_of[column] = Some(row);
            let next = std::mem::replace(&mut column_of[row], column);
            if row == start {
                break;
            }
            column = next;
        }
    }
    column_of.into_iter().map(|column| Some(column).filter(|&column| column < columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least cost by trying all.
    fn brute_force(cost: &[f32], rows: usize, columns: usize, row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == rows {
            return 0.0;
        }
        let mut best = ALONE + brute_force(cost, rows, columns, row + 1, taken);
        for column in 0..columns {
            let own = f64::from(cost[row * columns + column]);
            if !taken[column] && own.is_finite() {
                taken[column] = true;
                best = best.min(own + brute_force(cost, rows, columns, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }

    const ALONE: f64 = 6.0;

    #[test]
    fn greedy_would_be_wrong() {
        assert_eq!(assign(&[1.0, 2.0, 2.0, 10.0], 2, 2, 20.0), [Some(1), Some(0)]);
        assert_eq!(assign(&[1.0, f32::INFINITY, 2.0, f32::NAN], 2, 2, 5.0), [Some(0), None]);
        assert_eq!(assign(&[7.0], 1, 1, 5.0), [None], "dearer than staying alone");
        assert_eq!(assign(&[], 0, 3, 1.0), [None; 0]);
        assert_eq!(assign(&[], 3, 0, 1.0), [None; 3]);
    }

    proptest! {
        #[test]
        fn as_good_as_trying_all(rows in 0usize..6, columns in 0usize..6, seed in prop::collection::vec((0f32..10.0, 0u8..4), 36)) {
            let cost: Vec<f32> = seed.iter().take(rows * columns).map(|&(c, kind)| if kind == 0 { f32::INFINITY } else { c }).collect();
            let found = assign(&cost, rows, columns, ALONE as f32);
            let chosen: Vec<usize> = found.iter().flatten().copied().collect();
            let mut unique = chosen.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), chosen.len());
            let price = |(row, column): (usize, &Option<usize>)| column.map_or(ALONE, |column| f64::from(cost[row * columns + column]));
            let sum: f64 = found.iter().enumerate().map(price).sum();
            let least = brute_force(&cost, rows, columns, 0, &mut vec![false; columns]);
            prop_assert!((sum - least).abs() < 1e-3, "{} for {}", sum, least);
        }
    }
}
