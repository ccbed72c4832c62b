//! What goes wrong with a single request.

use crate::random::Rng;
use crate::scenario::{Fault, Knobs};

/// Any fault except a list in another order, which only lists can have.
pub(crate) fn any(rng: &mut Rng, knobs: &Knobs) -> Fault {
    let status = rng.one_of(503, &[500, 500, 429, 408, 401]);
    let wait = match rng.below(4) {
        0 => rng.between(100, 5_000),
        1 => rng.between(10_000, 40_000),
        2 => rng.between(knobs.visibility * 500, knobs.visibility * 2_500),
        _ => rng.between(1_000, 150_000),
    };
    match rng.below(100) {
        0..18 => Fault::Refused(status),
        18..24 => Fault::DoneYetRefused(rng.one_of(500, &[503])),
        24..28 => Fault::NoConnection,
        28..34 => Fault::ResetBefore,
        34..52 => Fault::ResetAfter,
        52..62 => Fault::Late(wait),
        62..70 => Fault::LateResponse(wait),
        70..76 => Fault::Twice,
        76..88 => Fault::CrashBefore,
        _ => Fault::CrashAfter,
    }
}
