/// Version of a stored document, as the store writes it (an HTTP entity tag, quotes included).
pub type ETag = String;
