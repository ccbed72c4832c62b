//! The worker against storage in memory, in virtual time.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod events;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod million;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod pause;
mod poison;
#[cfg(test)]
mod priorities;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod route;
#[cfg(test)]
mod scheduled;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod world;
