//! Numbers of nodes and arcs, in 32 bits.

/// Node that everything drains to: the hub of number 0.
pub(crate) const SINK: u32 = 0;

/// No node, no arc.
pub(crate) const NONE: u32 = u32::MAX;

/// An index in 32 bits; the limits on instances keep every index below 2^32.
pub(crate) fn as_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
