//! Side constraints: contracts across sites and limits on requests, priced from outside.

pub(crate) mod breakpoints;
pub(crate) mod columns;
pub(crate) mod constraints;
pub(crate) mod crossover;
pub(crate) mod echelon;
pub(crate) mod inverse;
pub(crate) mod master;
pub(crate) mod settle;
pub(crate) mod whole;
