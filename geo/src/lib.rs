//! Readers of geographic data, and the layers that turn them into one area table.
//!
//! ```text
//!   mmdb | CSV ranges | ip2region .db | CIDR list  --reader-->  Source (ranges with what it knows)
//!   Layers: sources in order, a later one overrides the attributes it knows, within its reach
//!           --keys-->  AreaTable
//! ```
//! Readers are pure: bytes in, ranges and a count of refused records out. An area keeps only the
//! attributes that the [`Keys`] ask for, so the table is as small, and scopes are as wide, as the
//! policies allow.

mod atlas;
mod cidr;
mod continents;
mod csv_ranges;
mod ip2region;
mod keys;
mod layers;
mod mmdb;
mod places;
pub mod shipped;
mod source;

pub use atlas::{Atlas, Classified, Nets};
pub use cidr::{read_cidr_list, read_cidr_lists};
pub use csv_ranges::read_csv;
pub use ip2region::read_ip2region;
pub use keys::{BadKeys, KeySet, Keys};
pub use layers::{BuildReport, GeoError, Layers, SourceReport};
pub use mmdb::read_mmdb;
pub use places::{BadPlaces, Places};
pub use source::{Reach, Refused, Source, SourceError};
