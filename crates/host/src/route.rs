//! Routes: which component responds to a path.
//!
//! Spin uses routefinder 0.5, which depends on an unmaintained crate under the MPL (RUSTSEC-2026-0249); its version 0.6
//! matches `/tasksxy` for `/tasks/:id`.

use std::cmp::Ordering;

/// A route as written in the manifest: exact segments, `:name` segments, and perhaps `/...` at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    raw: String,
    segments: Vec<Segment>,
    wildcard: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Parameter(String),
}

impl Route {
    /// Reads a route.
    ///
    /// # Errors
    /// A sentence when Spin would refuse it or match other paths.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let path = raw.strip_prefix('/').ok_or_else(|| format!("the route {raw:?} must begin with /"))?;
        let (path, wildcard) = match path.strip_suffix("...") {
            Some("") => ("", true),
            Some(rest) => (
                rest.strip_suffix('/')
                    .ok_or_else(|| format!("\"...\" must follow a / in the route {raw:?}"))?,
                true,
            ),
            None => (path, false),
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = Vec::new();
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            segments.push(match segment.strip_prefix(':') {
                Some("") => return Err(format!("a parameter in the route {raw:?} has no name")),
                Some(name) => Segment::Parameter(name.to_owned()),
                None if segment.is_empty() => return Err(format!("the route {raw:?} has an empty segment")),
                None if segment.contains('*') || segment == "..." => {
                    return Err(format!("the route {raw:?} may have a wildcard only as /... at its end"));
                }
                None => Segment::Exact(segment.to_owned()),
            });
        }
        Ok(Self { raw: raw.to_owned(), segments, wildcard })
    }

    /// As written in the manifest.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// What `path` has in the place of `:name` segments and of the wildcard, or `None` when it does not match.
    fn captures(&self, path: &str) -> Option<(Vec<(String, String)>, String)> {
        let trimmed = path.trim_matches('/');
        let mut rest = trimmed.split('/').filter(|_| !trimmed.is_empty());
        let mut parameters = Vec::new();
        for segment in &self.segments {
            let text = rest.next()?;
            match segment {
                Segment::Exact(expected) if expected == text => {}
                Segment::Parameter(name) if !text.is_empty() => {
                    parameters.push((name.clone(), text.to_owned()));
                }
                Segment::Exact(_) | Segment::Parameter(_) => return None,
            }
        }
        let rest: Vec<_> = rest.collect();
        if !self.wildcard {
            return rest.is_empty().then_some((parameters, String::new()));
        }
        let mut path_info = String::new();
        for segment in rest {
            path_info.extend(["/", segment]);
        }
        // As on Spin, the wildcard stands for a trailing slash as well.
        if path.ends_with('/') {
            path_info.push('/');
        }
        Some((parameters, path_info))
    }

    /// Whether both match exactly the same paths.
    fn is_same_pattern(&self, other: &Self) -> bool {
        self.wildcard == other.wildcard && self.precedence(other) == Ordering::Equal
    }

    /// `Less` when this route goes before `other` where both match: segment by segment an exact one goes
    /// before a parameter, and both before what only a wildcard covers.
    fn precedence(&self, other: &Self) -> Ordering {
        fn rank(segment: &Segment) -> (u8, &str) {
            match segment {
                Segment::Exact(text) => (0, text),
                Segment::Parameter(_) => (1, ""),
            }
        }
        for (mine, theirs) in self.segments.iter().zip(&other.segments) {
            match rank(mine).cmp(&rank(theirs)) {
                Ordering::Equal => {}
                different => return different,
            }
        }
        // The longer prefix first; of two equally long ones the route without a wildcard.
        other.segments.len().cmp(&self.segments.len()).then(self.wildcard.cmp(&other.wildcard))
    }
}

/// A route that matched, with what it captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The component that responds.
    pub component: String,
    /// The route as written.
    pub raw_route: String,
    /// What `/...` stands for, with its slashes; empty for an exact route.
    pub path_info: String,
    /// `:name` segments.
    pub parameters: Vec<(String, String)>,
}

impl Matched {
    /// The match of a request that reaches a component by its name instead of by a route.
    #[must_use]
    pub fn by_name(component: &str, path: &str) -> Self {
        Self {
            component: component.to_owned(),
            raw_route: "/...".to_owned(),
            path_info: path.to_owned(),
            parameters: Vec::new(),
        }
    }
}

/// All public routes of an application, best first.
#[derive(Debug, Clone, Default)]
pub struct Router {
    routes: Vec<(Route, String)>,
}

impl Router {
    /// Puts the routes in order of precedence.
    ///
    /// # Errors
    /// A sentence when two routes match the same paths: Spin would serve only one of them.
    pub fn new(mut routes: Vec<(Route, String)>) -> Result<Self, String> {
        routes.sort_by(|(a, _), (b, _)| a.precedence(b));
        for (index, (route, component)) in routes.iter().enumerate() {
            let twin = routes.iter().skip(index + 1).find(|(other, _)| route.is_same_pattern(other));
            if let Some((other, other_component)) = twin {
                return Err(format!(
                    "the routes {:?} of {component:?} and {:?} of {other_component:?} match the same paths",
                    route.raw, other.raw
                ));
            }
        }
        Ok(Self { routes })
    }

    /// Finds the component for a path (without query).
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Matched> {
        self.routes.iter().find_map(|(route, component)| {
            let (parameters, path_info) = route.captures(path)?;
            Some(Matched {
                component: component.clone(),
                raw_route: route.raw.clone(),
                path_info,
                parameters,
            })
        })
    }

    /// Route and component, best first.
    pub fn iter(&self) -> impl Iterator<Item = (&Route, &str)> {
        self.routes.iter().map(|(route, component)| (route, component.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[&str]) -> Router {
        let routes = routes.iter().map(|raw| (Route::parse(raw).unwrap(), (*raw).to_owned())).collect();
        Router::new(routes).unwrap()
    }

    #[test]
    fn exact_goes_before_parameter_before_longest_wildcard() {
        let router = router(&["/...", "/a/...", "/a/b/...", "/a/:x", "/a/b", "/:y/b", "/a/:x/c", "/"]);
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a/q", "/a/:x"),
            ("/z/b", "/:y/b"),
            ("/a/b/c", "/a/b/..."),
            ("/a/q/c", "/a/:x/c"),
            ("/a/q/d", "/a/..."),
            ("/a", "/a/..."),
            ("/other", "/..."),
        ] {
            assert_eq!(router.find(path).unwrap().raw_route, expected, "{path}");
        }
    }

    #[test]
    fn other_paths_match_nothing_without_a_catch_all() {
        let router = router(&["/drain", "/t/:id"]);
        for path in ["/", "/drained", "/drain/x", "/t", "/t/", "/t/1/2", "/Drain"] {
            assert_eq!(router.find(path), None, "{path}");
        }
    }

    #[test]
    fn path_info_is_what_the_wildcard_stands_for() {
        let router = router(&["/foo/:id/..."]);
        for (path, expected) in
            [("/foo/7", ""), ("/foo/7/", "/"), ("/foo/7/bar", "/bar"), ("/foo/7/bar/", "/bar/")]
        {
            let matched = router.find(path).unwrap();
            assert_eq!(matched.path_info, expected, "{path}");
            assert_eq!(matched.parameters, [("id".to_owned(), "7".to_owned())]);
        }
    }

    #[test]
    fn unclear_routes_are_refused() {
        for raw in ["", "a", "/a...", "/a//b", "/:", "/a/*", "/a/.../b", "/a*b"] {
            Route::parse(raw).unwrap_err();
        }
    }

    #[test]
    fn two_routes_for_the_same_paths_are_refused() {
        for pair in [["/a", "/a/"], ["/:x", "/:y"], ["/...", "/..."]] {
            let routes = pair.iter().map(|raw| (Route::parse(raw).unwrap(), (*raw).to_owned())).collect();
            Router::new(routes).unwrap_err();
        }
    }
}
