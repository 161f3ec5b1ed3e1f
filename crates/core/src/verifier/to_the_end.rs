//! Work that cannot be left half done: it runs where it is awaited, and in a task of its own from the moment its caller goes away.
//!
//! Always to give it a task would do as well, and costs a tenth of a start: a task is made, scheduled, woken and joined for the
//! sake of the few callers that hang up. The price is that a caller which neither polls nor drops the future holds the work up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// See the module. Its output is `None` after a panic, as a task's would be an error.
pub(super) struct ToTheEnd<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F> ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// `work`, not begun yet.
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F> Future for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = self.0.as_mut() else { return Poll::Ready(None) };
        // What a panic leaves is dropped at once and never looked at.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Some(output),
            Err(_panic) => None,
        };
        self.0 = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime there is nothing left that could run it, nor would there be for a task.
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_caller_that_goes_away_ends_nothing() {
        let (gate, steps) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let (entered, counted) = (Arc::clone(&gate), Arc::clone(&steps));
        let mut work = Box::pin(ToTheEnd::new(async move {
            counted.fetch_add(1, Ordering::SeqCst);
            entered.notified().await;
            counted.fetch_add(1, Ordering::SeqCst);
            entered.notify_one();
        }));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(work.as_mut().poll(&mut context).is_pending());
        assert_eq!(steps.load(Ordering::SeqCst), 1);
        drop(work);
        gate.notify_one();
        while steps.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_ended_is_not_run_again_and_a_panic_is_none() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let work = ToTheEnd::new(async move { counted.fetch_add(1, Ordering::SeqCst) });
        assert_eq!(work.await, Some(0));
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let broken = ToTheEnd::new(async { panic!("in a test") });
        assert_eq!(broken.await, None::<()>);
    }
}
