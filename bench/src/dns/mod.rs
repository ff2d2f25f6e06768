//! Cost of one DNS answer: a generator, servers with the same policy on the same data, and
//! rounds that alternate.

pub mod ask;
pub mod compare;
pub mod echo;
pub mod load;
pub mod policy;
pub mod prefixes;
pub mod question;
pub mod report;
pub mod servers;
pub mod swaps;
