//! A bounded queue between whoever receives telemetry and the engine's tick.
//!
//! When it is full a batch is refused whole, so that the sender learns of it and sends again; dropping the oldest would
//! lose billing samples in silence.

use coverage::observation::Observation;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The queue does not take a batch. The sender may try again after the next tick (HTTP 429).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "telemetry queue holds {queued} of {max} records and has no room for {batch}: send again later"
)]
pub struct QueueFull {
    /// Records that wait.
    pub queued: usize,
    /// Records in the refused batch.
    pub batch: usize,
    /// The bound.
    pub max: usize,
}

/// What a queue has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Records that wait now.
    pub queued: usize,
    /// Records taken since the start.
    pub taken: u64,
    /// Records of refused batches since the start.
    pub refused: u64,
}

/// The queue; shared by reference, no method waits for more than the moving of a batch.
#[derive(Debug)]
pub struct ObservationQueue {
    records_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Vec<Observation>,
    taken: u64,
    refused: u64,
}

impl ObservationQueue {
    /// An empty queue for at most `records_max` records.
    #[must_use]
    pub fn new(records_max: usize) -> Self {
        Self {
            records_max,
            inner: Mutex::default(),
        }
    }

    /// Takes a batch whole, or refuses it whole.
    ///
    /// # Errors
    /// [`QueueFull`] when it does not fit.
    pub fn push(&self, batch: Vec<Observation>) -> Result<(), QueueFull> {
        let mut inner = self.lock();
        let queued = inner.waiting.len();
        if batch.len() > self.records_max - queued {
            inner.refused += batch.len() as u64;
            return Err(QueueFull {
                queued,
                batch: batch.len(),
                max: self.records_max,
            });
        }
        inner.taken += batch.len() as u64;
        inner.waiting.extend(batch);
        Ok(())
    }

    /// Hands over all that waits, in order of arrival.
    #[must_use]
    pub fn drain(&self) -> Vec<Observation> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        let inner = self.lock();
        QueueCounts {
            queued: inner.waiting.len(),
            taken: inner.taken,
            refused: inner.refused,
        }
    }

    /// A panic elsewhere cannot leave the queue half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coverage::observation::Sample;
    use coverage::{LinkId, Timestamp};

    fn batch(count: usize) -> Vec<Observation> {
        let sample = Sample::Link {
            link: LinkId(0),
            mbps: 1.0,
        };
        vec![
            Observation {
                at: Timestamp(1),
                sample
            };
            count
        ]
    }

    #[test]
    fn a_batch_that_does_not_fit_is_refused_whole_and_counted() {
        let queue = ObservationQueue::new(5);
        assert_eq!(queue.push(batch(3)), Ok(()));
        assert_eq!(
            queue.push(batch(3)),
            Err(QueueFull {
                queued: 3,
                batch: 3,
                max: 5
            })
        );
        assert_eq!(queue.push(batch(2)), Ok(()));
        assert_eq!(
            queue.counts(),
            QueueCounts {
                queued: 5,
                taken: 5,
                refused: 3
            }
        );
        assert_eq!(queue.drain().len(), 5);
        assert_eq!(
            queue.push(batch(5)),
            Ok(()),
            "a drained queue has room again"
        );
    }

    #[test]
    fn producers_on_several_threads_lose_nothing() {
        let queue = ObservationQueue::new(4_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| queue.push(batch(1)).unwrap()));
            }
        });
        assert_eq!(queue.drain().len(), 4_000);
    }
}
