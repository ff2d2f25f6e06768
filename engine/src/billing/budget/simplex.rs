//! Euclidean projection onto a simplex.

/// Moves `point` to the nearest point with no negative coordinate and the sum `total`. O(n²) for
/// the few coordinates of a unit: entries below the running threshold leave until none does
/// (Michelot 1986).
pub(super) fn project(point: &mut [f64], total: f64) {
    if total <= 0.0 {
        point.fill(0.0);
        return;
    }
    let mut active = point.len();
    let mut sum: f64 = point.iter().sum();
    let mut threshold = f64::NEG_INFINITY;
    loop {
        let next = (sum - total) / count(active);
        let (mut left, mut left_sum) = (0, 0.0);
        for value in point.iter() {
            if *value > next {
                left += 1;
                left_sum += value;
            }
        }
        // Thresholds rise until the set of active entries stands still.
        if left == active || left == 0 || next <= threshold {
            threshold = next.max(threshold);
            break;
        }
        (active, sum, threshold) = (left, left_sum, next);
    }
    for value in point {
        *value = (*value - threshold).max(0.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a unit has few candidates")]
const fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The projection is feasible, and no feasible corner lies on its far side (the variational
        /// inequality).
        #[test]
        fn the_nearest_point_is_found(
            point in prop::collection::vec(-50.0..50.0_f64, 1..12),
            total in 0.0..40.0_f64,
        ) {
            let mut found = point.clone();
            project(&mut found, total);
            prop_assert!(found.iter().all(|x| *x >= 0.0));
            prop_assert!((found.iter().sum::<f64>() - total).abs() < 1e-9);
            for corner in 0..point.len() {
                let inner: f64 = (0..point.len())
                    .map(|i| {
                        let target = if i == corner { total } else { 0.0 };
                        (point[i] - found[i]) * (target - found[i])
                    })
                    .sum();
                prop_assert!(inner <= 1e-7, "{inner}");
            }
        }
    }
}
