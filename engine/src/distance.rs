//! Distance on the sphere.

/// Central angle between two points given as (degrees north, degrees east), in radians: the
/// haversine formula (Sinnott, Sky and Telescope 68, 1984), which is exact enough near and far.
pub(crate) fn angle(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (from_lat, to_lat) = (from.0.to_radians(), to.0.to_radians());
    let half_lat = (to_lat - from_lat) / 2.0;
    let half_lon = (to.1 - from.1).to_radians() / 2.0;
    let square = half_lat.sin().powi(2) + from_lat.cos() * to_lat.cos() * half_lon.sin().powi(2);
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
