//! The network simplex with lexicographic costs in exact integers (Ahuja, Magnanti, Orlin 1993,
//! chapter 11).

pub(crate) mod basis;
pub(crate) mod lazy;
pub(crate) mod pricing;
pub(crate) mod rough;
pub(crate) mod run;
pub(crate) mod tree;
