//! A month of 5-minute slots: every policy side by side on the same demand, contracts, failures and
//! drains.
//!
//! ```text
//!   scenario (demand of 14 + 30 days, contracts, outages)
//!        |-- per policy: decide a slot from the slot before -> demand comes
//!        |               -> what links carry -> ledger -> next slot
//!        '-- offline: the whole month as one program -> levels for whom the future is known,
//!                     and a bound for all
//! ```
//! Pure and seeded: equal scenarios give equal figures. Left out: what a failure loses before it is
//! seen within its slot, and how long clients keep old answers; both are of the order of a minute.

mod abilene;
mod bill;
mod cdn;
mod common_share;
mod csv;
mod decide;
mod generated;
mod offline;
mod play;
mod plot;
mod policy;
mod scenario;
mod tally;

pub use bill::{ContractBill, Month};
pub use cdn::{MixedZones, configured};
pub use csv::{contracts_csv, hours_csv, outages_csv, policies_csv};
pub use generated::month_95;
pub use offline::{fixed_cny, offline};
pub use play::play;
pub use plot::{Plot, plots};
pub use policy::{MonthError, Policy};
pub use scenario::{HISTORY_DAYS, MonthOptions, Outage, Scenario, Traffic};

#[cfg(test)]
mod tests;
