//! Places: where addresses are, as databases of the earth tell it.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// All that a policy may ask about where a client is. Text is lower-case; what is not known is
/// empty, zero or `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// Two-letter continent code, such as `eu`.
    pub continent: String,
    /// ISO 3166 country code.
    pub country: String,
    /// ISO 3166-2 codes without the country, outermost first.
    pub subdivisions: Vec<String>,
    /// City, in English.
    pub city: String,
    /// ISP, such as `ct`.
    pub isp: String,
    /// Autonomous system number.
    pub asn: u32,
    /// Degrees north and degrees east; finite.
    pub coordinates: Option<(f64, f64)>,
}

impl Place {
    /// All as one comparable value; coordinates by their bits, which are finite and compare
    /// by equality alone.
    fn key(&self) -> impl Ord + Hash + '_ {
        let bits = self
            .coordinates
            .map(|(north, east)| (north.to_bits(), east.to_bits()));
        (
            &self.continent,
            &self.country,
            &self.subdivisions,
            &self.city,
            &self.isp,
            self.asn,
            bits,
        )
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
