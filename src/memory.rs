//! Memory that start-up needed and serving does not.
#![allow(unsafe_code)] // malloc_trim exists only as a C call.

/// Gives memory that was freed back to the system. Reading a database of a hundred thousand places
/// leaves the heap full of holes, which the allocator would keep for as long as the process lives.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes no pointer and touches nothing but the allocator's own free memory,
    // under its locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
