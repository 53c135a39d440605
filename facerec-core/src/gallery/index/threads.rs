//! FAISS's own threads, which are OpenMP's.

use std::ffi::c_int;
use std::marker::PhantomData;

/// While it lives, FAISS works on this thread alone. Some kinds open a parallel region even for one query: the threads without work
/// then spin until it ends and take the processor from those that have some (measured: twice the time for `sq8` on two cores).
pub(super) struct Alone {
    before: c_int,
    /// The number is one of this thread: it must be put back here.
    stays: PhantomData<*const ()>,
}

impl Alone {
    pub(super) fn new() -> Self {
        Self { before: exchange(1), stays: PhantomData }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        exchange(self.before);
    }
}

/// Sets how many threads a parallel region that this thread opens may have; returns how many it was.
#[allow(unsafe_code)]
fn exchange(threads: c_int) -> c_int {
    unsafe extern "C" {
        fn omp_get_max_threads() -> c_int;
        fn omp_set_num_threads(threads: c_int);
    }
    // SAFETY: both are functions of the OpenMP runtime that FAISS is linked with (OpenMP 5.2, 18.2.1 and 18.2.3): they read and set a
    // variable of the calling thread, and a positive number is always allowed.
    unsafe {
        let before = omp_get_max_threads();
        omp_set_num_threads(threads.max(1));
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_is_put_back() {
        let before = exchange(3);
        {
            let _alone = Alone::new();
            assert_eq!(exchange(1), 1);
        }
        assert_eq!(exchange(before), 3);
        // Other threads keep theirs.
        let _alone = Alone::new();
        assert_eq!(std::thread::spawn(|| exchange(2)).join().unwrap(), before);
    }
}
