//! The static files: `web/pages`, which the manifest mounts read-only at `/pages`.

use std::hash::{DefaultHasher, Hasher as _};

use api::{Asset, AssetSource, Assets};

/// Media types by the end of a file's name. Files that end otherwise are not served.
const MEDIA_TYPES: &[(&str, &str)] = &[
    (".html", "text/html; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".json", "application/json"),
];

/// Mounted rather than part of the component: with the API reference they are twice its size.
struct Pages;

impl AssetSource for Pages {
    fn get(&self, path: &str) -> Option<Asset> {
        let &(_, content_type) = MEDIA_TYPES.iter().find(|(end, _)| path.ends_with(end))?;
        if !is_plain(path) {
            return None;
        }
        let bytes = std::fs::read(format!("/pages/{path}")).ok()?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Some(Asset { bytes: bytes.into(), content_type, etag })
    }
}

/// Whether every step of the path is a name of lower-case letters, digits, dots and hyphens that does not
/// begin with a dot: no way out of the folder, and nothing hidden in it.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|step| {
        !step.is_empty()
            && !step.starts_with('.')
            && step.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
    })
}

/// The component's static files.
pub(crate) fn assets() -> Assets {
    Box::new(Pages)
}
