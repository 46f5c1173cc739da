//! What the words of a server say of its era.

use crate::core::members::Members;
use crate::core::translate::{LEGACY, MODERN, PROTOCOL_VERSION};

/// Whether only a server of 2026-07-28 or later refuses `initialize` so. Its own `-32601` says
/// that it has no handshake at all, and some miss in it what every request of theirs has.
pub(super) fn is_modern_refusal(body: &[u8]) -> bool {
    let refusal = std::str::from_utf8(body.trim_ascii()).ok().and_then(Members::read);
    let Some(refusal) = refusal else { return false };
    let Some(error) = refusal.object("error") else { return false };
    match error.get("code") {
        Some("-32020" | "-32021" | "-32601") => true,
        Some("-32602") => error.string("message").is_some_and(|it| it.contains(PROTOCOL_VERSION)),
        Some("-32022") => error.object("data").is_some_and(|data| {
            let supported = data.get("supported").map(serde_json::from_str::<Vec<String>>);
            matches!(supported, Some(Ok(versions)) if versions.iter().any(|it| it == MODERN))
        }),
        _ => false,
    }
}

/// Whether only a server of 2026-07-28 or later answers `server/discover` like this.
pub(super) fn is_modern_answer(text: &[u8]) -> bool {
    let answer = std::str::from_utf8(text).ok().and_then(Members::read);
    let Some(answer) = answer else { return false };
    if let Some(result) = answer.object("result") {
        return names_modern(&result, "supportedVersions");
    }
    answer.object("error").is_some_and(|error| is_modern_error(&error))
}

/// Whether it is an error that the new revision has defined: older servers use the codes above
/// -32020 for anything.
fn is_modern_error(error: &Members<'_>) -> bool {
    match error.get("code") {
        Some("-32020" | "-32021") => true,
        // Servers that know the code, and no revision to go with it, refuse every modern request
        // so: what they offer is what they speak.
        Some("-32022") => error.object("data").is_some_and(|data| names_modern(&data, "supported")),
        _ => false,
    }
}

/// Whether one of the versions in this list has no handshake; their names are dates.
fn names_modern(object: &Members<'_>, list: &str) -> bool {
    let versions = object.get(list).map(serde_json::from_str::<Vec<String>>);
    matches!(versions, Some(Ok(versions)) if versions.iter().any(|it| LEGACY < it.as_str()))
}
