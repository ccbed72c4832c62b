//! Hosts that stand for the application itself: `*.spin.internal` and `self.alt`.

/// Where a request goes.
pub(crate) enum Destination {
    /// `http://<component>.spin.internal`.
    Component(String),
    /// `http://self.alt`: the application's own public routes.
    OwnRoutes,
    /// Anywhere else.
    Outside,
}

impl Destination {
    /// The destination of a host in lower case, without the port.
    pub(crate) fn of(host: &str) -> Self {
        match host.split_once('.') {
            Some((component, "spin.internal")) => Self::Component(component.to_owned()),
            Some(("self", "alt")) => Self::OwnRoutes,
            _ => Self::Outside,
        }
    }
}

/// The component named by a `spin.internal` host, if it is one.
pub(crate) fn chained_component(host: &str) -> Option<String> {
    match Destination::of(host) {
        Destination::Component(component) => Some(component),
        Destination::OwnRoutes | Destination::Outside => None,
    }
}
