//! Measures the shipped components: sizes, storage round trips, and ratios of CPU time.
//!
//! Everything runs on one thread in virtual time, against storage in process; see docs/performance.md for
//! what the figures mean.

mod cpu;
mod floor;
mod growth;
mod handlers;
mod ratios;
mod sizes;
mod spin;
mod start;
mod trips;
mod waits;
mod world;

use anyhow::Result;
use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

use bench::MIN_ROUNDS;

/// Measures the shipped components.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// Rounds of each ratio; start has 5.
    #[arg(long, value_name = "N", default_value = "15", value_parser = rounds())]
    rounds: usize,

    /// Compare the components of these target folders with the shipped ones, instead of building levels.
    #[arg(long, value_name = "FOLDER")]
    against: Vec<std::path::PathBuf>,

    /// Where `floor` and `handlers` are measured; `drain` needs Spin.
    #[arg(long, value_enum, default_value_t = Host::Embedded)]
    host: Host,

    /// What to measure; without it all but drain, sizes, growth and handlers.
    #[arg(value_enum, default_values = ["shipped", "trips", "ratios", "floor", "waits", "start"], hide_default_value = true)]
    what: Vec<What>,
}

fn rounds() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(u64::try_from(MIN_ROUNDS).unwrap_or(0)..)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Host {
    /// The host in `crates/host`, without sockets.
    Embedded,
    /// The Spin of `ACCEPTED_SPIN` or the one on PATH: processes and sockets, with the real time.
    Spin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Sizes of the components as they are shipped.
    Shipped,
    /// How many storage round trips the main operations wait for; exact.
    Trips,
    /// CPU time of one operation in terms of another.
    Ratios,
    /// CPU time of a submission in terms of the least that its two requests can cost.
    Floor,
    /// Rate and CPU time of drained tasks, with storage at 0 and at 5 ms; needs --host spin.
    Drain,
    /// What a thousand waiting clients cost.
    Waits,
    /// How the cost grows up to a million stored tasks (minutes); exact.
    Growth,
    /// What handlers cost that are components of their own, in each language, on Spin in Rust alone; needs the examples.
    Handlers,
    /// What a filled compile cache saves.
    Start,
    /// Builds the components with other optimisation (minutes) and compares size and speed.
    Sizes,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.host == Host::Spin {
        for what in &arguments.what {
            let tables = match what {
                What::Floor => spin::submissions(arguments.rounds)?,
                What::Drain => spin::drains(arguments.rounds)?,
                What::Handlers => spin::handlers(arguments.rounds)?,
                _ => anyhow::bail!("--host spin is for `floor`, `drain` and `handlers`"),
            };
            for table in tables {
                println!("{table}");
            }
        }
        return Ok(());
    }
    // One thread: then its CPU time is that of what is measured. Time is virtual: nothing waits for a lease.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let manifest = world::root().join("spin.toml");
    let rounds = arguments.rounds;
    for what in &arguments.what {
        let tables = match what {
            What::Shipped => vec![sizes::shipped()?],
            What::Trips => vec![trips::measure(&world::blueprint(&manifest)?).await?],
            What::Ratios => vec![ratios::measure(&world::blueprint(&manifest)?, rounds).await?],
            What::Floor => vec![floor::measure(rounds).await?],
            What::Drain => anyhow::bail!("`drain` needs --host spin"),
            What::Waits => vec![waits::measure(&world::blueprint(&manifest)?).await?],
            What::Growth => vec![growth::measure(&world::blueprint(&manifest)?).await?],
            What::Handlers => handlers::measure(rounds).await?,
            What::Start => vec![start::measure(&manifest)?],
            What::Sizes if !arguments.against.is_empty() => {
                sizes::compare_with(&arguments.against, rounds).await?
            }
            What::Sizes => sizes::compare(rounds).await?,
        };
        for table in tables {
            println!("{table}");
        }
    }
    Ok(())
}
