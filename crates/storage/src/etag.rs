/// The version of a stored document: an HTTP entity tag as the store returned it, quotes included.
pub type ETag = String;
