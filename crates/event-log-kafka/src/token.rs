//! A bearer token from a file: most are JWTs, which say themselves whose they are and when they end.

use std::path::Path;

use corral_domain::Micros;
use rdkafka::client::OAuthToken;

use crate::timing::TOKEN_MS;

const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// The token in the file. What is no JWT, or one without an end, counts as good until it is read again.
pub(crate) fn read(file: &Path, now: Micros) -> Result<OAuthToken, String> {
    let said = |error: std::io::Error| format!("{}: {error}", file.display());
    if std::fs::metadata(file).map_err(said)?.len() > TOKEN_BYTES_MAX {
        return Err(format!("{}: more than {TOKEN_BYTES_MAX} bytes", file.display()));
    }
    let token = std::fs::read_to_string(file).map_err(said)?.trim().to_owned();
    if token.is_empty() || token.contains(char::is_whitespace) || token.contains('\0') {
        return Err(format!("{}: is not one token", file.display()));
    }
    let now_ms = now.0 / 1_000;
    let claims = claims(&token).unwrap_or_default();
    let ends_ms = claims["exp"].as_f64().map(|seconds| (seconds * 1_000.0) as i64);
    if let Some(ended) = ends_ms.filter(|ends| *ends <= now_ms) {
        return Err(format!("{}: the token ended {} s ago", file.display(), (now_ms - ended) / 1_000));
    }
    let lifetime_ms = ends_ms.unwrap_or(now_ms + TOKEN_MS);
    Ok(OAuthToken { principal_name: claims["sub"].as_str().unwrap_or_default().to_owned(), token, lifetime_ms })
}

fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&decode_base64url(payload)?).ok()
}

/// Base64 with the letters for URLs, as JWTs are written: without padding.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
