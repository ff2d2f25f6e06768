//! Shares that are no more than the rounding of none.

use instance::Shares;

/// Gives what is missing of `whole` without the shares up to `dust` to the largest one.
pub(crate) fn sweep(shares: &mut Shares, whole: f64, dust: f64) {
    shares.retain(|share| share.1 > dust);
    let rest = whole - shares.total();
    if let Some(largest) = shares.iter_mut().max_by(|a, b| a.1.total_cmp(&b.1)) {
        largest.1 = (largest.1 + rest).min(1.0);
    }
}
