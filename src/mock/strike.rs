//! Faults of connections and of HTTP itself, which strike whatever a request is about.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::fault::{Fault, Route};
use super::state::Mock;
use super::wire::{End, Scissors};

/// What strikes before a request is handled; an answer, where it is not handled at all.
pub(crate) async fn before(
    mock: &Mock,
    route: Route,
    parts: &Parts,
    line: &Scissors,
) -> Option<Response> {
    if let Some((least, most)) = mock.faults.take(route, |fault| match fault {
        Fault::Latency(wait) => Some((*wait, *wait)),
        Fault::LatencyBetween(least, most) => Some((*least, *most)),
        _ => None,
    }) {
        let spread = most.saturating_sub(least);
        tokio::time::sleep(least + spread.mul_f64(mock.faults.dice())).await;
    }
    trouble(mock, route, line);
    if let Some(down) = mock.faults.take(route, |fault| match fault {
        Fault::Restart(down) if is_mcp(route) => Some(*down),
        _ => None,
    }) {
        mock.restart(down);
        // The connection ends before this would.
        std::future::pending::<()>().await;
    }
    if ends(mock, route, line) {
        return Some(StatusCode::OK.into_response());
    }
    instead(mock, route, parts)
}

fn is_mcp(route: Route) -> bool {
    matches!(route, Route::Http | Route::Post | Route::Sse)
}

/// Bad lines, by which the answer comes all the same.
fn trouble(mock: &Mock, route: Route, line: &Scissors) {
    let take = |pick: fn(&Fault) -> Option<u64>| mock.faults.take(route, pick);
    if let Some(rate) = take(|fault| match fault {
        Fault::Bandwidth(rate) => Some(*rate),
        _ => None,
    }) {
        line.throttle(rate);
    }
    if let Some(piece) = mock.faults.take(route, |fault| match fault {
        Fault::Slicer(piece) => Some(*piece),
        _ => None,
    }) {
        line.slice(piece);
    }
    if let Some((left, end)) = mock.faults.take(route, |fault| match fault {
        Fault::LimitData(left) => Some((*left, End::Fin)),
        Fault::ResetAfter(left) => Some((*left, End::Reset)),
        _ => None,
    }) {
        line.cut_after(left, end);
    }
    if let Some(wait) = mock.faults.take(route, |fault| match fault {
        Fault::SlowClose(wait) => Some(*wait),
        _ => None,
    }) {
        line.close_slowly(wait);
    }
    if mock.faults.strikes(route, &Fault::TlsNoCloseNotify) {
        line.close_silently();
    }
    if mock.faults.strikes(route, &Fault::Goaway) {
        line.leave();
    }
}

/// Whether the connection ends, or something else than HTTP comes by it.
fn ends(mock: &Mock, route: Route, line: &Scissors) -> bool {
    let end = mock.faults.take(route, |fault| match fault {
        Fault::Reset => Some(End::Reset),
        Fault::Fin => Some(End::Fin),
        Fault::HalfOpen => Some(End::HalfOpen),
        _ => None,
    });
    if let Some(end) = end {
        line.cut(end);
        return true;
    }
    let raw = mock.faults.take(route, |fault| match fault {
        Fault::ChunkedGarbage => Some(CHUNKED_GARBAGE),
        Fault::DuplicateContentLength => Some(TWO_LENGTHS),
        _ => None,
    });
    if let Some(raw) = raw {
        line.instead(raw);
    }
    raw.is_some()
}

/// Another answer than the handler's.
fn instead(mock: &Mock, route: Route, parts: &Parts) -> Option<Response> {
    let retry_after = mock.faults.take(route, |fault| match fault {
        Fault::RetryAfter(seconds) => Some((*seconds, false)),
        Fault::RetryAfterDate(seconds) => Some((*seconds, true)),
        _ => None,
    });
    let status = mock.faults.take(route, |fault| match fault {
        Fault::Status(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    });
    if let Some((seconds, is_date)) = retry_after {
        let value = if is_date {
            http_date((mock.clock.now() + Duration::from_secs(seconds)).as_secs())
        } else {
            seconds.to_string()
        };
        let status = status.unwrap_or(StatusCode::TOO_MANY_REQUESTS);
        return Some((status, [(header::RETRY_AFTER, value)]).into_response());
    }
    if let Some(status) = status {
        return Some(status.into_response());
    }
    let (status, to) = mock.faults.take(route, |fault| match fault {
        Fault::Redirect(to, status) => Some((StatusCode::from_u16(*status).ok()?, to.clone())),
        Fault::RedirectLoop => {
            let here = parts.uri.path_and_query().map_or("/", |it| it.as_str());
            Some((StatusCode::TEMPORARY_REDIRECT, here.to_owned()))
        }
        _ => None,
    })?;
    Some((status, [(header::LOCATION, to)]).into_response())
}

/// What strikes the answer.
pub(crate) async fn after(mock: &Mock, route: Route, response: Response) -> Response {
    let mut response = json(mock, route, response).await;
    if let Some(body) = mock.faults.take(route, |fault| match fault {
        Fault::GzipBomb(bytes) => Some(Some(*bytes)),
        Fault::EndlessBody => Some(None),
        _ => None,
    }) {
        *response.body_mut() = match body {
            Some(bytes) => {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
                Body::from(bomb(bytes))
            }
            None => Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(SPACES))),
        };
    }
    let headers = response.headers_mut();
    if let Some(size) = mock.faults.take(route, |fault| match fault {
        Fault::BigHeaders(size) => Some(*size),
        _ => None,
    }) {
        let filler = HeaderValue::from_str(&"x".repeat(FILLER)).ok();
        for n in 0..size.div_ceil(FILLER) {
            let name = HeaderName::try_from(format!("x-filler-{n}")).ok();
            if let (Some(name), Some(filler)) = (name, filler.clone()) {
                headers.append(name, filler);
            }
        }
    }
    if let Some(value) = mock.faults.take(route, |fault| match fault {
        Fault::ContentType(it) => HeaderValue::from_str(it).ok(),
        _ => None,
    }) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if mock.faults.strikes(route, &Fault::SetCookie) {
        let cookie = HeaderValue::from_static("apexmcp_mock_fault=1; Path=/");
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Rewrites a JSON object.
async fn json(mock: &Mock, route: Route, response: Response) -> Response {
    let is_json =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == "application/json");
    if !is_json {
        return response;
    }
    let Some(fault) = mock.faults.take(route, |fault| match fault {
        Fault::JsonDeep(_) | Fault::JsonDuplicate | Fault::JsonInvalidUtf8 => Some(fault.clone()),
        _ => None,
    }) else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Some(rest) = body.strip_prefix(b"{") else {
        return Response::from_parts(parts, Body::from(body));
    };
    let first = match fault {
        Fault::JsonDeep(depth) => {
            format!("\"x_deep\":{}{},", "[".repeat(depth), "]".repeat(depth)).into_bytes()
        }
        Fault::JsonDuplicate => {
            let name = rest.split(|it| *it == b':').next().unwrap_or_default();
            [name, b":\"https://duplicate.example\","].concat()
        }
        _ => b"\"x_bytes\":\"\xff\xfe\",".to_vec(),
    };
    Response::from_parts(parts, Body::from([b"{", first.as_slice(), rest].concat()))
}

/// So many zeros, compressed.
fn bomb(bytes: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = [0; 1 << 14];
    for _ in 0..bytes.div_ceil(zeros.len() as u64) {
        // Writing to a `Vec` cannot fail.
        encoder.write_all(&zeros).ok();
    }
    encoder.finish().unwrap_or_default()
}

/// RFC 9110 5.6.7, the only form that may be sent.
pub(crate) fn http_date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let weekday = pick(&["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"], days % 7);
    // Civil from days, over eras of 400 years that begin in March.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let names =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let month = pick(&names, month_from_march);
    let year = year_of_era + era * 400 + u64::from(10 <= month_from_march);
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    write!(text, "{weekday}, {day:02} {month} {year} ").ok();
    write!(text, "{:02}:{:02}:{:02} GMT", rest / 3600, rest / 60 % 60, rest % 60).ok();
    text
}

fn pick(names: &[&'static str], at: u64) -> &'static str {
    usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
}

const CHUNKED_GARBAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nnot a size\r\n{}\r\n0\r\n\r\n";

const TWO_LENGTHS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}";

const SPACES: Bytes = Bytes::from_static(&[b' '; 1 << 16]);

/// The length of one header value, below what servers and clients refuse for one.
const FILLER: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_written_as_rfc_9110_wants_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_709_210_096), "Thu, 29 Feb 2024 12:34:56 GMT");
        assert_eq!(http_date(4_102_444_799), "Thu, 31 Dec 2099 23:59:59 GMT");
    }
}
