//! The wire contract: input of other programs is read, and output is compared with golden files.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schedules;
