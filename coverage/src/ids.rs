//! Dense ids: indices into the tables of one inventory or one snapshot. Names live in those tables;
//! what must survive a restart or a reload (drains, ledgers, pins) is kept by name, never by id.

use serde::{Deserialize, Serialize};

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as a slice index.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id for a slice index.
            ///
            /// # Panics
            /// When a table has more than 2^32 rows, which every builder of a table refuses.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("tables are bounded below 2^32 rows"))
            }
        }
    };
}

dense_id!(
    /// A service: a set of domain names scheduled alike.
    ServiceId
);
dense_id!(
    /// A site: a machine room with its links and groups.
    SiteId
);
dense_id!(
    /// A link: an egress port of a site towards one ISP.
    LinkId
);
dense_id!(
    /// A region with limits over all its sites.
    RegionId
);
dense_id!(
    /// A billing contract over one or more links.
    ContractId
);
dense_id!(
    /// A group: a service cluster in a site.
    GroupId
);
dense_id!(
    /// A node: one edge host of a group.
    NodeId
);
dense_id!(
    /// An endpoint: the presence of one group on one link; what an answer names.
    EndpointId
);
dense_id!(
    /// A check: how addresses are probed.
    CheckId
);
dense_id!(
    /// An interned answer set of a coverage map.
    AnswerSetId
);
