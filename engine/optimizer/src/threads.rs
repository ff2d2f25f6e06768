//! Sharing of long work among a few threads.

/// Does two things once each, at the same time where more than one thread is allowed.
pub fn both<A, B: Send>(
    threads: usize,
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    if threads < 2 {
        return (here(), there());
    }
    std::thread::scope(|scope| {
        let other = scope.spawn(there);
        let done = here();
        match other.join() {
            Ok(other) => (done, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
