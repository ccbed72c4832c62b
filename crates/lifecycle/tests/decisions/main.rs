//! Tables and properties of all decisions, one file per kind of event.

#[cfg(test)]
mod delivery;
#[cfg(test)]
mod diagram;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod events;
#[cfg(test)]
mod firing;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod outcome;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod priority;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recurrence;
#[cfg(test)]
mod recurring;
#[cfg(test)]
mod redelivery;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod zones;
