//! The gates of publishing: how far a map may go in one step, and what is doubted.

use super::section::Section;
use engine::publish::{CanaryRules, DampingRules, GateRules, InputRules, StepRules, SwingRules};
use std::time::Duration;

/// Longest time that a gate may be told to wait.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// Reads `[gates]`; `stale_after` is the age from which estimates are stale.
pub(super) fn read(section: &Section<'_>, stale_after: Duration) -> GateRules {
    let known = GateRules::default();
    let share = |key, default| section.number_or_none(key, 0.0..=1.0).unwrap_or(default);
    let wait = |key, default| section.span(key, default, Duration::ZERO..=WAIT_MAX);
    let (step, swing) = (known.step, known.swing);
    let frozen_after = wait("frozen-after", known.frozen_after.max(stale_after));
    if frozen_after < stale_after {
        section.fault("frozen-after", "must not be less than engine.stale-after");
    }
    GateRules {
        step: StepRules {
            // With nothing at all no plan would ever arrive; a pin is how to hold the map.
            share_max: section
                .number_or_none("step-share-max", 0.001..=1.0)
                .unwrap_or(step.share_max),
            ramp_share: section
                .number_or_none("ramp-share", 0.0..=100.0)
                .unwrap_or(step.ramp_share),
            ramp_capacity_share: share("ramp-capacity-share", step.ramp_capacity_share),
            dwell_min: wait("dwell-min", step.dwell_min),
        },
        damping: DampingRules {
            half_life: section.span(
                "flap-half-life",
                known.damping.half_life,
                Duration::from_secs(1)..=WAIT_MAX,
            ),
            ..known.damping
        },
        swing: SwingRules {
            window: wait("swing-window", swing.window),
            hold: wait("swing-hold", swing.hold),
            ..swing
        },
        inputs: InputRules {
            demand_shift_max: section
                .number_or_none("demand-shift-max", 0.01..=100.0)
                .unwrap_or(known.inputs.demand_shift_max),
            settle: wait("settle", known.inputs.settle),
            ..known.inputs
        },
        canary: CanaryRules {
            share: share("canary-share", known.canary.share),
            large_from: share("canary-from-share", known.canary.large_from),
            wait_min: wait("canary-wait", known.canary.wait_min),
            hold: wait("canary-hold", known.canary.hold),
            ..known.canary
        },
        frozen_after,
        silent_margin: section
            .number_or_none("silent-margin", 0.0..=0.5)
            .unwrap_or(known.silent_margin),
    }
}
