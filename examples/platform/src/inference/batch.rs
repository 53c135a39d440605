//! Calls of different callers share one run of a network.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use crate::error::{Error, Result};

/// What is done with a batch: one output per input, in order.
pub type Work<I, O> = Arc<dyn Fn(&[I]) -> facerec_core::Result<Vec<O>> + Send + Sync>;

type Call<I, O> = (I, oneshot::Sender<Result<O>>);

/// Collects inputs for a few milliseconds and works on them together, on as many threads as there may be runs at once.
/// Dropped, it finishes what it has.
pub struct Batcher<I, O> {
    calls: Sender<Call<I, O>>,
    /// Inputs that are here at the same time; further callers wait, so that a slow network does not fill the memory.
    room: Semaphore,
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Batches of at most `most` inputs, for which the first waits at most `wait`; `threads` batches at the same time.
    ///
    /// # Errors
    /// `io` without threads.
    pub fn new(work: Work<I, O>, most: usize, wait: Duration, threads: usize) -> Result<Self> {
        let (calls, inbox) = channel::<Call<I, O>>();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..threads.max(1) {
            let (work, inbox) = (Arc::clone(&work), Arc::clone(&inbox));
            let run = move || {
                loop {
                    // Who collects holds the inbox; the others work meanwhile.
                    let batch = collect(&inbox.lock().unwrap_or_else(PoisonError::into_inner), most, wait);
                    if batch.is_empty() {
                        break;
                    }
                    answer(&work, batch);
                }
            };
            std::thread::Builder::new().name(format!("batch-{number}")).spawn(run)?;
        }
        Ok(Self { calls, room: Semaphore::new(2 * most.max(1) * threads.max(1)) })
    }

    /// The output for one input.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn call(&self, input: I) -> Result<O> {
        let ended = || Error::Internal("a batch ended without an answer".into());
        let _room = self.room.acquire().await.map_err(|_| ended())?;
        let (send, receive) = oneshot::channel();
        self.calls.send((input, send)).map_err(|_| ended())?;
        receive.await.map_err(|_| ended())?
    }
}

/// The next batch; empty when there will be none.
fn collect<T>(inbox: &Receiver<T>, most: usize, wait: Duration) -> Vec<T> {
    let Ok(first) = inbox.recv() else { return Vec::new() };
    let (mut batch, until) = (vec![first], Instant::now() + wait);
    while batch.len() < most {
        match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(next) => batch.push(next),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    batch
}

/// Works on a batch and answers its callers. When it fails, each input is tried alone: one caller's bad input must not be
/// another's error. A panic is the error of those whose input it was.
fn answer<I, O>(work: &Work<I, O>, batch: Vec<Call<I, O>>) {
    let run = |inputs: &[I]| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(inputs)));
        let outputs = caught.unwrap_or_else(|_| Err(facerec_core::Error::Internal { reason: "a network's run panicked".into() }))?;
        if outputs.len() != inputs.len() {
            return Err(Error::Internal(format!("{} inputs gave {} outputs", inputs.len(), outputs.len())));
        }
        Ok::<_, Error>(outputs)
    };
    let (inputs, callers): (Vec<I>, Vec<_>) = batch.into_iter().unzip();
    match run(&inputs) {
        Ok(outputs) => callers.into_iter().zip(outputs).for_each(|(caller, output)| drop(caller.send(Ok(output)))),
        Err(error) if inputs.len() == 1 => callers.into_iter().take(1).for_each(|caller| drop(caller.send(Err(repeat(&error))))),
        Err(_) => {
            for (input, caller) in inputs.iter().zip(callers) {
                let alone = run(std::slice::from_ref(input));
                // Who called may be gone by now.
                drop(caller.send(alone.and_then(|outputs| outputs.into_iter().next().ok_or_else(|| Error::Internal("no output".into())))));
            }
        }
    }
}

fn repeat(error: &Error) -> Error {
    match error {
        Error::Core(core) if core.kind().code() != "internal" => Error::Invalid(core.to_string()),
        other => Error::Internal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn callers_share_a_batch_and_one_bad_input_is_one_callers_error() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let work: Work<i32, i32> = Arc::new(move |inputs| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert!(!inputs.contains(&13), "a defect of the work");
            Ok(inputs.iter().map(|input| input * 2).collect())
        });
        let batcher = Arc::new(Batcher::new(work, 8, Duration::from_millis(200), 1).unwrap());
        let call = |input| {
            let batcher = Arc::clone(&batcher);
            tokio::spawn(async move { batcher.call(input).await })
        };
        let calls: Vec<_> = (1..=8).map(call).collect();
        for (input, called) in (1..=8).zip(calls) {
            assert_eq!(called.await.unwrap().unwrap(), input * 2);
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1, "eight calls, one run");
        let (good, bad) = (call(1), call(13));
        assert_eq!(good.await.unwrap().unwrap(), 2);
        assert!(bad.await.unwrap().is_err());
    }
}
