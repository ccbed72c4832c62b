//! Measures the shipped components: sizes, storage round trips, and ratios of CPU time.
//!
//! Everything runs on one thread in virtual time, against storage in process; see docs/performance.md for
//! what the figures mean.

mod cpu;
mod ratios;
mod sizes;
mod start;
mod trips;
mod world;

use anyhow::{Result, bail};
use lexopt::Arg;

use bench::MIN_ROUNDS;

const USAGE: &str = "\
Usage: bench [--rounds N] [WHAT…]

  shipped   sizes of the components as they are shipped
  trips     how many storage round trips the main operations wait for; exact
  ratios    CPU time of one operation in terms of another
  start     what a filled compile cache saves
  sizes     builds the components with other optimisation (minutes) and compares size and speed

Without WHAT: all but sizes. The rounds are those of each ratio (default 15); start has 5.
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Shipped,
    Trips,
    Ratios,
    Start,
    Sizes,
}

fn main() -> Result<()> {
    let Some((rounds, wanted)) = arguments()? else {
        print!("{USAGE}");
        return Ok(());
    };
    // One thread: then its CPU time is that of what is measured. Time is virtual: nothing waits for a lease.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(measure(rounds, &wanted))
}

fn arguments() -> Result<Option<(usize, Vec<What>)>> {
    let (mut rounds, mut wanted) = (15, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("rounds") => rounds = parser.value()?.to_string_lossy().parse()?,
            Arg::Value(name) => wanted.push(match name.to_str() {
                Some("shipped") => What::Shipped,
                Some("trips") => What::Trips,
                Some("ratios") => What::Ratios,
                Some("start") => What::Start,
                Some("sizes") => What::Sizes,
                _ => bail!("there is no measurement {name:?}\n\n{USAGE}"),
            }),
            _ => return Err(argument.unexpected().into()),
        }
    }
    if rounds < MIN_ROUNDS {
        bail!("--rounds {rounds} is too few for a ratio: at least {MIN_ROUNDS}");
    }
    if wanted.is_empty() {
        wanted = vec![What::Shipped, What::Trips, What::Ratios, What::Start];
    }
    Ok(Some((rounds, wanted)))
}

async fn measure(rounds: usize, wanted: &[What]) -> Result<()> {
    let manifest = world::root().join("spin.toml");
    for what in wanted {
        let tables = match what {
            What::Shipped => vec![sizes::shipped()?],
            What::Trips => vec![trips::measure(&world::blueprint(&manifest)?).await?],
            What::Ratios => vec![ratios::measure(&world::blueprint(&manifest)?, rounds).await?],
            What::Start => vec![start::measure(&manifest)?],
            What::Sizes => sizes::compare(rounds).await?,
        };
        for table in tables {
            println!("{table}");
        }
    }
    Ok(())
}
