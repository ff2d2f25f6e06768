//! Distance on the sphere.

/// Central angle between two points given as (degrees north, degrees east), in radians: the
/// haversine formula (Sinnott, Sky and Telescope 68, 1984), which is exact enough near and far.
pub(super) fn angle((north_a, east_a): (f64, f64), (north_b, east_b): (f64, f64)) -> f64 {
    let (north_a, north_b) = (north_a.to_radians(), north_b.to_radians());
    let half_north = ((north_b - north_a) / 2.0).sin();
    let half_east = ((east_b - east_a).to_radians() / 2.0).sin();
    let square = half_north * half_north + north_a.cos() * north_b.cos() * half_east * half_east;
    2.0 * square.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distances_are_met() {
        const EARTH_KM: f64 = 6371.0;
        let (beijing, shanghai) = ((39.9042, 116.4074), (31.2304, 121.4737));
        let km = EARTH_KM * angle(beijing, shanghai);
        assert!((km - 1067.0).abs() < 3.0, "{km}");
        let across = angle((0.0, 179.5), (0.0, -179.5)).to_degrees();
        assert!(
            (across - 1.0).abs() < 1e-9,
            "the date line is no border: {across}"
        );
        assert!((angle((90.0, 0.0), (-90.0, 77.0)) - std::f64::consts::PI).abs() < 1e-9);
    }
}
