//! Weight rounding: shares as whole 64ths.

use coverage::map::SHARES_MAX;
use coverage::{EndpointId, WEIGHT_TOTAL};
use std::collections::BTreeMap;

/// Rounds shares to 64ths by largest remainders; the result sums to 64, ordered by
/// endpoint. Shares that round to nothing are left out; at most [`SHARES_MAX`] are kept, largest
/// first.
pub(super) fn round_weights(shares: &[(EndpointId, f64)]) -> Vec<(EndpointId, u8)> {
    if let &[(endpoint, _)] = shares {
        return vec![(endpoint, WEIGHT_TOTAL)];
    }
    let mut merged: BTreeMap<EndpointId, f64> = BTreeMap::new();
    for &(endpoint, share) in shares {
        *merged.entry(endpoint).or_default() += share.max(0.0);
    }
    let mut largest: Vec<(EndpointId, f64)> = merged.into_iter().collect();
    largest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    largest.truncate(SHARES_MAX);
    let total: f64 = largest.iter().map(|(_, share)| share).sum();
    if total <= 0.0 {
        return largest
            .first()
            .map(|&(endpoint, _)| vec![(endpoint, 64)])
            .unwrap_or_default();
    }
    let exact = |share: f64| share / total * f64::from(WEIGHT_TOTAL);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "exact lies in 0..=64"
    )]
    let floor = |share: f64| exact(share) as u8;
    let mut weights: Vec<(EndpointId, u8, f64)> = largest
        .iter()
        .map(|&(id, share)| (id, floor(share), exact(share).fract()))
        .collect();
    let given: u16 = weights
        .iter()
        .map(|(_, weight, _)| u16::from(*weight))
        .sum();
    weights.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    let missing = usize::from(u16::from(WEIGHT_TOTAL).saturating_sub(given));
    weights
        .iter_mut()
        .take(missing)
        .for_each(|(_, weight, _)| *weight += 1);
    let mut weights: Vec<_> = weights
        .iter()
        .map(|&(id, weight, _)| (id, weight))
        .filter(|(_, w)| *w > 0)
        .collect();
    weights.sort_unstable_by_key(|(id, _)| *id);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thirds_round_to_64() {
        let third = 1.0 / 3.0;
        let weights = round_weights(&[
            (EndpointId(4), third),
            (EndpointId(1), third),
            (EndpointId(9), third),
        ]);
        assert_eq!(
            weights,
            [
                (EndpointId(1), 22),
                (EndpointId(4), 21),
                (EndpointId(9), 21)
            ]
        );
    }

    #[test]
    fn many_shares_stay_as_they_are() {
        let planned: Vec<_> = (0..16).map(|id| (EndpointId(id), 1.0 / 16.0)).collect();
        let weights: Vec<_> = (0..16).map(|id| (EndpointId(id), 4)).collect();
        assert_eq!(round_weights(&planned), weights);
    }

    #[test]
    fn a_unit_that_is_partly_unserved_still_has_a_whole_answer() {
        assert_eq!(
            round_weights(&[(EndpointId(1), 0.25), (EndpointId(2), 0.25)]),
            [(EndpointId(1), 32), (EndpointId(2), 32)]
        );
        assert_eq!(
            round_weights(&[(EndpointId(1), 0.0)]),
            [(EndpointId(1), 64)]
        );
    }

    proptest! {
        #[test]
        fn weights_are_a_valid_answer_and_near_the_shares(parts in prop::collection::vec(0.0..1.0f64, 1..8)) {
            prop_assume!(parts.iter().sum::<f64>() > 1e-6);
            let total: f64 = parts.iter().sum();
            let shares: Vec<_> = parts.iter().zip(0..).map(|(part, id)| (EndpointId(id), part / total)).collect();
            let weights = round_weights(&shares);
            prop_assert_eq!(weights.iter().map(|(_, weight)| u32::from(*weight)).sum::<u32>(), 64);
            prop_assert!(weights.is_sorted_by(|a, b| a.0 < b.0));
            for (id, share) in shares {
                let weight = weights.iter().find(|(other, _)| *other == id).map_or(0, |(_, weight)| *weight);
                prop_assert!((f64::from(weight) - share * 64.0).abs() < 1.0);
            }
        }
    }
}
