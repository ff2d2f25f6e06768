//! Result of a solve: the plan that a basis stands for, its certificate, its report.

pub(crate) mod bound;
pub(crate) mod certificate;
pub(crate) mod explain;
pub(crate) mod reading;
pub(crate) mod report;
pub(crate) mod trim;
pub(crate) mod weights;
