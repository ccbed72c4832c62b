//! Containers and blobs as they are stored.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Moment;

/// A container. It has a description from its creation on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    pub(crate) info: Option<ContainerInfo>,
    pub(crate) blobs: BTreeMap<String, Blob>,
    /// Blocks that belong to no blob yet, by the names of the blob and of the block.
    pub(crate) uncommitted: BTreeMap<(String, String), Bytes>,
}

/// A container without its blobs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerInfo {
    pub(crate) etag: String,
    pub(crate) modified: Moment,
    pub(crate) metadata: Vec<(String, String)>,
}

/// A stored block blob.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Blob {
    #[serde(with = "base64_bytes")]
    pub(crate) content: Bytes,
    /// With its quotes.
    pub(crate) etag: String,
    pub(crate) created: Moment,
    pub(crate) modified: Moment,
    pub(crate) content_type: String,
    /// Headers that come back as they were given: name and value.
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) metadata: Vec<(String, String)>,
    /// Names and lengths of the blocks that the content was made of.
    #[serde(default)]
    pub(crate) blocks: Vec<(String, usize)>,
}

/// A block that belongs to no blob yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) id: String,
    #[serde(with = "base64_bytes")]
    pub(crate) content: Bytes,
}

/// Bytes as base64 text.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        STANDARD.encode(bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}
