//! Orders of faults as text: `NAME[=ARGUMENT][@ROUTE][#N or #N-M][%P]`.

use std::str::FromStr;

use super::route::Route;
use super::{Fault, table};

/// A fault, and when it strikes.
///
/// ```
/// use apexmcp_bridge::mock::FaultOrder;
/// assert!("net.latency=300@token#2-3%50".parse::<FaultOrder>().is_ok());
/// assert!("net.latencey=300".parse::<FaultOrder>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultOrder {
    /// The order as it was given.
    pub text: String,
    /// What happens.
    pub fault: Fault,
    /// The only kind of request to which it happens; none = wherever it can.
    pub route: Option<Route>,
    /// The first time that it strikes, counted from 1 over the requests that it could strike.
    pub first: u64,
    /// The last time; none = for ever.
    pub last: Option<u64>,
    /// How many of a hundred times it strikes within these.
    pub percent: u8,
}

impl FaultOrder {
    /// The next `times` times.
    pub fn times(fault: Fault, times: u32) -> Self {
        let text = format!("{fault:?}");
        Self { text, fault, route: None, first: 1, last: Some(times.into()), percent: 100 }
    }

    /// Whether it may strike requests of this kind. Without a route it keeps to the gateway.
    pub(crate) fn covers(&self, route: Route) -> bool {
        let here = route != Route::Page || self.fault == Fault::CookieLost;
        self.route.map_or(here, |it| it == route)
    }
}

impl FromStr for FaultOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, percent) = suffix(text, '%', |it| it.parse().ok().filter(|it| *it <= 100));
        let (rest, window) = suffix(rest, '#', window);
        // What follows an `@` and names no route belongs to the argument.
        let (rest, route) = suffix(rest, '@', Route::named);
        let (name, argument) = match rest.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (rest, None),
        };
        let (mut first, mut last) = window.unwrap_or((1, None));
        let (fault, default_route) = if name == "mcp.401_after" || name == "401_after" {
            // Nothing but another way to say when.
            let passed: u64 = table::number(argument)?;
            first += passed;
            last = last.map(|it| it + passed);
            (Fault::Unauthorized, None)
        } else {
            table::read(name, argument)?
        };
        let percent = percent.unwrap_or(100);
        let route = route.or(default_route);
        Ok(Self { text: text.to_owned(), fault, route, first, last, percent })
    }
}

/// Takes `mark` and what follows off the end, if that can be read.
fn suffix<T>(text: &str, mark: char, read: impl Fn(&str) -> Option<T>) -> (&str, Option<T>) {
    match text.rsplit_once(mark).and_then(|(rest, it)| Some((rest, read(it)?))) {
        Some((rest, value)) => (rest, Some(value)),
        None => (text, None),
    }
}

/// `3`, `3-5` or `3-`.
fn window(text: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = match text.split_once('-') {
        Some((first, "")) => (first.parse().ok()?, None),
        Some((first, last)) => (first.parse().ok()?, Some(last.parse().ok()?)),
        None => (text.parse().ok()?, Some(text.parse().ok()?)),
    };
    (1 <= first && last.is_none_or(|last| first <= last)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Fault, FaultOrder, Route};

    #[test]
    fn orders_are_read() {
        let order = |text: &str| {
            text.parse::<FaultOrder>().map(|it| (it.fault, it.route, it.first, it.last, it.percent))
        };
        let latency = Fault::Latency(Duration::from_millis(300));
        let token = Some(Route::Token);
        assert_eq!(order("net.latency=300"), Ok((latency.clone(), None, 1, None, 100)));
        assert_eq!(
            order("slicer=300@token#2-3%50"),
            Ok((Fault::Slicer(300), token, 2, Some(3), 50))
        );
        assert_eq!(order("net.latency=300#4"), Ok((latency.clone(), None, 4, Some(4), 100)));
        assert_eq!(order("net.latency=300#4-%1"), Ok((latency, None, 4, None, 1)));
        let to = |url: &str| Fault::Redirect(url.to_owned(), 307);
        assert_eq!(
            order("http.redirect=https://a@b.example/#c"),
            Ok((to("https://a@b.example/#c"), None, 1, None, 100))
        );
        assert_eq!(order("mcp.401_after=2"), Ok((Fault::Unauthorized, None, 3, None, 100)));
        assert_eq!(order("mcp.401_after=2#1"), Ok((Fault::Unauthorized, None, 3, Some(3), 100)));
        assert_eq!(
            order("token.http_503#1-2"),
            Ok((Fault::TokenStatus(503), token, 1, Some(2), 100))
        );
        for wrong in [
            "",
            "nothing",
            "net.latency",
            "net.latency=x",
            "http.status=99",
            "a.b=1",
            "mcp.403=x",
            "mcp.401_after",
            "net.reset@nowhere",
            "net.reset#0",
            "latency=3",
            "net.reset#3-2",
            "net.reset%101",
        ] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }
}
