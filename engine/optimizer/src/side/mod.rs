//! Side constraints: contracts across sites and limits on requests, which no tree of hubs has.
//!
//! They are priced from outside by column generation (Dantzig and Wolfe 1960); the mixture of plans
//! that comes of it is made one plan, and that a basic solution (crossover).

pub(crate) mod breakpoints;
pub(crate) mod columns;
pub(crate) mod constraints;
pub(crate) mod crossover;
pub(crate) mod echelon;
pub(crate) mod inverse;
pub(crate) mod master;
pub(crate) mod settle;
pub(crate) mod whole;
