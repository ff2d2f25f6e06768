//! Benchmarks against peers: whole servers, driven from outside over real sockets, judged by what
//! the kernel wrote down.
//!
//! Servers run on one core and the generator on another. Runs alternate between servers (A B C, A B
//! C, ...) and results are medians and ratios within a round, so that whatever else the machine
//! does meanwhile touches all alike. In-process timings of single functions are elsewhere (`make
//! bench`).

pub mod accounting;
pub mod dns;
pub mod histogram;
pub mod mmsg;
pub mod process;
