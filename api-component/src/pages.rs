//! The static files: those of `web/` are part of the component, those of `web/vendor/` are mounted by the
//! manifest.

use std::hash::{DefaultHasher, Hasher as _};

use service::api::{Asset, AssetSource, Assets};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// Path, media type and content of every file in the component.
const EMBEDDED: &[(&str, &str, &[u8])] = &[
    ("index.html", HTML, include_bytes!("../../web/index.html")),
    ("style.css", CSS, include_bytes!("../../web/style.css")),
    ("icon.svg", SVG, include_bytes!("../../web/icon.svg")),
    ("app.js", SCRIPT, include_bytes!("../../web/app.js")),
    ("js/api.js", SCRIPT, include_bytes!("../../web/js/api.js")),
    ("js/charts.js", SCRIPT, include_bytes!("../../web/js/charts.js")),
    ("js/detail.js", SCRIPT, include_bytes!("../../web/js/detail.js")),
    ("js/dom.js", SCRIPT, include_bytes!("../../web/js/dom.js")),
    ("js/form.js", SCRIPT, include_bytes!("../../web/js/form.js")),
    ("js/list.js", SCRIPT, include_bytes!("../../web/js/list.js")),
    ("js/live.js", SCRIPT, include_bytes!("../../web/js/live.js")),
    ("js/store.js", SCRIPT, include_bytes!("../../web/js/store.js")),
    ("openapi.json", JSON, include_bytes!("../../web/openapi.json")),
    ("swagger/index.html", HTML, include_bytes!("../../web/swagger.html")),
    ("swagger.css", CSS, include_bytes!("../../web/swagger.css")),
    ("js/swagger-init.js", SCRIPT, include_bytes!("../../web/js/swagger-init.js")),
];

/// Path and media type of the files that the manifest mounts at the same path. Nothing else is read.
const MOUNTED: &[(&str, &str)] = &[("vendor/swagger-ui.css", CSS), ("vendor/swagger-ui-bundle.js", SCRIPT)];

struct Pages;

impl AssetSource for Pages {
    fn get(&self, path: &str) -> Option<Asset> {
        if let Some(&(_, content_type, bytes)) = EMBEDDED.iter().find(|(name, ..)| *name == path) {
            return Some(Asset { etag: etag(bytes), bytes: bytes.into(), content_type });
        }
        let &(name, content_type) = MOUNTED.iter().find(|(name, _)| *name == path)?;
        let bytes = std::fs::read(format!("/{name}")).ok()?;
        Some(Asset { etag: etag(&bytes), bytes: bytes.into(), content_type })
    }
}

/// An entity tag that changes with the content.
fn etag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("\"{:016x}\"", hasher.finish())
}

/// The component's static files.
pub(crate) fn assets() -> Assets {
    Box::new(Pages)
}
