//! The threads that do the work of promises.
//!
//! libuv's four threads take turns even when there is only one call at a time, and each fills a memory arena and the
//! processor's caches with its own decoded picture and tensors: on two cores that cost 5 % of a photo's analysis. Here the
//! thread that was idle for the shortest time goes on, so that calls one after the other stay on one thread. It also leaves
//! libuv's threads to Node's own files and names.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use facerec_core::CancelToken;

/// Threads that are started at most, when there are not more processors: as many as libuv has.
const THREADS: usize = 4;
/// How long the end of a process waits for what is running.
const HALT: Duration = Duration::from_secs(5);

/// What a thread is given to do, and how it can be stopped.
pub(crate) struct Job {
    pub(crate) cancel: CancelToken,
    /// Must not panic. It is given the error when not even one thread could be started for it.
    pub(crate) run: Box<dyn FnOnce(io::Result<()>) + Send>,
    /// It may wait for what other jobs do, so that they need threads beside it.
    pub(crate) waits: bool,
}

#[derive(Default)]
struct State {
    /// In the order of the calls; empty while a thread is idle.
    waiting: VecDeque<Job>,
    /// Threads with nothing to do, the one that was busy last at the end.
    idle: Vec<usize>,
    /// A thread's place, where it finds its next job.
    places: Vec<Place>,
    /// Jobs that may wait for others, each with a thread.
    waits: usize,
}

struct Place {
    thread: Thread,
    next: Option<Job>,
    running: Option<CancelToken>,
}

struct Pool {
    state: Mutex<State>,
    /// A thread has become idle.
    idle: Condvar,
}

static POOL: Pool =
    Pool { state: Mutex::new(State { waiting: VecDeque::new(), idle: Vec::new(), places: Vec::new(), waits: 0 }), idle: Condvar::new() };

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a job done as soon as a thread is free.
pub(crate) fn submit(job: Job) {
    let mut state = POOL.lock();
    state.waits += usize::from(job.waits);
    if let Some(place) = state.idle.pop() {
        state.places[place].running = Some(job.cancel.clone());
        state.places[place].next = Some(job);
        state.places[place].thread.unpark();
        return;
    }
    let most = thread::available_parallelism().map_or(THREADS, |cores| cores.get().max(THREADS));
    let place = state.places.len();
    if place < most + state.waits {
        match thread::Builder::new().name("facerec-work".into()).spawn(move || work(place)) {
            Ok(handle) => {
                let running = Some(job.cancel.clone());
                state.places.push(Place { thread: handle.thread().clone(), next: Some(job), running });
                return;
            }
            Err(error) if state.places.is_empty() => {
                state.waits -= usize::from(job.waits);
                drop(state);
                return (job.run)(Err(error));
            }
            Err(_) => {} // the threads there are will do it
        }
    }
    state.waiting.push_back(job);
}

/// Stops what is running and waits for it: a thread must not use libraries that the end of the process takes down.
pub(crate) fn halt() {
    let mut state = POOL.lock();
    state.waiting.clear();
    state.places.iter().filter_map(|place| place.running.as_ref()).for_each(CancelToken::cancel);
    let busy = |state: &mut State| state.idle.len() < state.places.len();
    drop(POOL.idle.wait_timeout_while(state, HALT, busy)); // poisoned or not, there is nothing more to wait for
}

fn work(place: usize) {
    loop {
        let job = POOL.lock().places[place].next.take();
        let Some(job) = job else {
            thread::park();
            continue;
        };
        let waits = job.waits;
        (job.run)(Ok(()));
        let mut state = POOL.lock();
        state.waits -= usize::from(waits);
        let next = state.waiting.pop_front();
        state.places[place].running = next.as_ref().map(|job| job.cancel.clone());
        if next.is_none() {
            state.idle.push(place);
            POOL.idle.notify_all();
        }
        state.places[place].next = next;
    }
}
