//! Rate limits: a bucket of requests per caller, filled at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A bucket for everybody who calls.
#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

struct Bucket {
    left: f64,
    at: Instant,
}

/// Buckets kept before those of callers who went away are dropped.
const MOST: usize = 10_000;

impl Buckets {
    /// Takes one request out of a bucket that holds `burst` and gains `rate` a second, or says how many seconds to wait.
    pub(super) fn spend(&self, who: String, (rate, burst): (f64, f64)) -> Result<()> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if buckets.len() > MOST {
            buckets.retain(|_, bucket| now - bucket.at < Duration::from_secs(60));
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: burst, at: now });
        bucket.left = (bucket.left + (now - bucket.at).as_secs_f64() * rate).min(burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Error::RateLimited(((1.0 - bucket.left) / rate).ceil().max(1.0) as u64));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::default();
        let spend = || buckets.spend("k".into(), (50.0, 3.0));
        assert!((0..3).all(|_| spend().is_ok()));
        assert!(matches!(spend(), Err(Error::RateLimited(1))));
        assert!(buckets.spend("another".into(), (50.0, 3.0)).is_ok());
        std::thread::sleep(Duration::from_millis(60));
        assert!(spend().is_ok());
    }
}
