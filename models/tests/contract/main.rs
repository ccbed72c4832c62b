//! The wire contract: what others write is read, what we write does not change unnoticed.

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
