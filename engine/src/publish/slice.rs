//! A part of what a unit wants, for units that are too large to go at once.

use coverage::LinkId;
use coverage::WEIGHT_TOTAL;
use instance::Shares;

/// A share this little short of a 64th has it.
const ROUNDING: f64 = 1e-9;

/// Shares on the way from `now` to `then` of which at most `part` (in [0, 1]) has moved, in whole
/// 64ths but for the last, with the share that moves; `None` if not even one
/// step may be made. The first links that gain are filled first, and the first that lose are left
/// first, so that few hold a share in between.
pub(super) fn slice(now: &Shares, then: &Shares, part: f64) -> Option<(Shares, f64)> {
    let steps = f64::from(WEIGHT_TOTAL);
    let gain = |link: LinkId| (then.on(link) - now.on(link)).max(0.0);
    let all: f64 = then.iter().map(|share| gain(share.0)).sum();
    let moved = ((all * part * steps + ROUNDING).floor() / steps).min(all);
    if moved <= 0.0 {
        return None;
    }
    let mut links: Vec<LinkId> = now.iter().chain(then).map(|share| share.0).collect();
    links.sort_unstable();
    links.dedup();
    let (mut to_gain, mut to_lose) = (moved, moved);
    let mut shares = Shares::new();
    for link in links {
        let (was, wanted) = (now.on(link), then.on(link));
        let gained = (wanted - was).max(0.0).min(to_gain);
        let lost = (was - wanted).max(0.0).min(to_lose);
        to_gain -= gained;
        to_lose -= lost;
        let share = was + gained - lost;
        if share > ROUNDING {
            shares.push((link, share));
        }
    }
    Some((shares, moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_moves_whole_64ths_and_no_more_than_its_part() {
        let (now, then) = (Shares::from([(0, 1.0)]), Shares::from([(1, 0.5), (2, 0.5)]));
        let (shares, moved) = slice(&now, &then, 0.1).unwrap();
        assert_eq!(shares, Shares::from([(0, 58.0 / 64.0), (1, 6.0 / 64.0)]));
        assert!((moved - 6.0 / 64.0).abs() < 1e-12);
        assert_eq!(slice(&now, &then, 1.0).unwrap().0, then);
        assert_eq!(slice(&now, &then, 0.01), None);
    }

    #[test]
    fn slices_end_where_they_were_to_lead() {
        let (mut now, then) = (
            Shares::from([(0, 0.25), (3, 0.75)]),
            Shares::from([(0, 0.5), (7, 0.5)]),
        );
        for _ in 0..64 {
            let Some((next, _)) = slice(&now, &then, 0.1).or_else(|| slice(&now, &then, 1.0))
            else {
                break;
            };
            let sum: f64 = next.iter().map(|share| share.1).sum();
            assert!((sum - 1.0).abs() < 1e-12);
            now = next;
        }
        assert_eq!(now, then);
    }
}
