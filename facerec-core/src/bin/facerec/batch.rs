//! Many photos on several threads, their results in order as they come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::exit::Outcome;

/// Results per worker that may wait for `done`: bounds the memory when it is slower than the work.
const AHEAD: usize = 16;

/// Runs `work(0..count)` on `workers` threads and hands each result to `done`, in order. The first `Err` of `done` stops it.
pub(crate) fn in_order<T: Send>(
    count: usize,
    workers: usize,
    work: impl Fn(usize) -> T + Sync,
    mut done: impl FnMut(usize, T) -> Outcome<()>,
) -> Outcome<()> {
    let workers = workers.clamp(1, count.max(1));
    if workers == 1 {
        return (0..count).try_for_each(|index| done(index, work(index)));
    }
    let next = AtomicUsize::new(0);
    let (results, finished) = mpsc::sync_channel(workers * AHEAD);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (results, next, work) = (results.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody receives any more once `done` has failed.
                    if index >= count || results.send((index, work(index))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for (index, result) in finished {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&turn) {
                done(turn, result)?;
                turn += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::exit::Failure;
    use super::*;

    #[test]
    fn results_come_in_order_and_an_error_stops() {
        for workers in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |n: usize| {
                std::thread::sleep(std::time::Duration::from_micros(((n * 7919) % 13) as u64 * 50));
                n * 2
            };
            let all = in_order(500, workers, work, |index, result| {
                seen.push((index, result));
                Ok(())
            });
            assert!(all.is_ok());
            assert_eq!(seen, (0..500).map(|n| (n, n * 2)).collect::<Vec<_>>());

            let mut count = 0;
            let stopped = in_order(500, workers, work, |_, _| {
                count += 1;
                if count == 10 { Err(Failure::ReaderGone) } else { Ok(()) }
            });
            assert!(matches!(stopped, Err(Failure::ReaderGone)));
            assert_eq!(count, 10);
        }
        assert!(in_order(0, 4, |_| (), |_, ()| Ok(())).is_ok());
    }
}
