//! Static files: `web/pages`, which the manifest mounts read-only at `/pages`.

use std::hash::{DefaultHasher, Hasher as _};

use api::{Asset, AssetSource, Assets};

/// Media types by the ending of the file name. Files with other endings are not served.
const MEDIA_TYPES: &[(&str, &str)] = &[
    (".html", "text/html; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".json", "application/json"),
];

/// The mounted files. They are not part of the component because they are twice its size.
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

/// Whether each segment of the path consists of lower-case letters, digits, dots and hyphens and does not begin with a
/// dot, so that the path stays in the folder and names no hidden file.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|segment| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
    })
}

/// The component's static files.
pub(crate) fn assets() -> Assets {
    Box::new(Pages)
}
