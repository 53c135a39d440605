//! Addresses without their secrets: what stands between a user's name and the host, and parameters such as `token`.

use std::borrow::Cow;
use std::path::Path;

use super::path_text;

/// Stands where a secret was.
const MASK: &str = "***";

/// A parameter whose name contains one of these holds a secret. Rather a harmless one too many is masked.
const SECRET_NAMES: [&str; 16] =
    ["pass", "pwd", "pw", "psw", "token", "key", "sig", "secret", "auth", "cred", "session", "jwt", "hmac", "hash", "policy", "ticket"];

/// `text` with the secrets of every address in it masked: `rtsp://cam:***@door/main?token=***`. An address ends at a space or a quotation mark.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    mask(text, ends)
}

/// The address of a video as text for data: [`path_text`], with its secrets masked where it is an address of a network.
pub fn address_text(address: &Path) -> Cow<'_, str> {
    match path_text(address) {
        // Nothing else stands in it: a password may hold anything.
        Cow::Borrowed(text) => mask(text, |_| false),
        Cow::Owned(text) => Cow::Owned(mask(&text, |_| false).into_owned()),
    }
}

/// Masks each address, from its scheme to a character that `ends` it.
fn mask(text: &str, ends: impl Fn(char) -> bool) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = after_scheme(rest) {
        let end = rest[start..].find(&ends).map_or(rest.len(), |at| start + at);
        shown.push_str(&rest[..start]);
        shown.push_str(&mask_address(&rest[start..end]));
        rest = &rest[end..];
    }
    shown.push_str(rest);
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Where an address goes on after its scheme. One slash is a slip of the pen, and what follows is as secret.
fn after_scheme(text: &str) -> Option<usize> {
    text.match_indices(":/").find_map(|(colon, _)| {
        let scheme = text[..colon].bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let slashes = text[colon + 1..].bytes().take_while(|&b| b == b'/').count();
        // One letter is a drive.
        (scheme > 1).then_some(colon + 1 + slashes)
    })
}

/// What follows a scheme: `user:password@host/path?name=value`.
fn mask_address(text: &str) -> String {
    let authority = text.find(['/', '?', '#']).unwrap_or(text.len());
    let colon = text[..authority].find(':').or_else(|| text[..authority].to_ascii_lowercase().find("%3a"));
    // A password that should have been percent-encoded may hold any of the characters that end it.
    let at = match colon {
        Some(_) if text[..authority].contains('@') || !is_place(&text[..authority]) => text.rfind('@'),
        // `host:80/a@b`, or a password of digits and a slash.
        Some(_) => text[..text.find('?').unwrap_or(text.len())].rfind('@'),
        None => text[..authority].rfind('@'),
    };
    let Some(at) = at else { return mask_parameters(text) };
    let user = &text[..at];
    let name = colon.filter(|&colon| colon < at).map_or(user, |colon| &user[..colon]);
    let password = if name.len() < user.len() { format!(":{MASK}") } else { String::new() };
    format!("{name}{password}@{}", mask_parameters(&text[at + 1..]))
}

/// Whether it is a host with or without a port.
fn is_place(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    authority.starts_with('[') || port.bytes().all(|b| b.is_ascii_digit())
}

/// Masks the values of secret parameters, in a query, a fragment, and a path too: `/user=a&password=b`, `/live;token=c`.
fn mask_parameters(text: &str) -> String {
    let query = text.find(['?', '#']).unwrap_or(text.len());
    let path = text[..query].split_inclusive('/').map(mask_pairs);
    path.chain([mask_pairs(&text[query..])]).collect()
}

fn mask_pairs(text: &str) -> String {
    text.split_inclusive('&').map(mask_pair).collect()
}

/// `name=value`, perhaps with something before the name, as in `user=a_password=b`.
fn mask_pair(pair: &str) -> String {
    let end = pair.len() - pair.bytes().rev().take_while(|b| b"&/".contains(b)).count();
    for (equals, _) in pair[..end].match_indices('=') {
        let name = pair[..equals].rsplit(['=', '?', '#', ';']).next().unwrap_or_default().to_ascii_lowercase();
        let value = &pair[equals + 1..end];
        let inner = value.to_ascii_lowercase();
        // An address within the address, encoded.
        let nested = inner.contains("%3a%2f%2f") && inner.contains("%40");
        if !value.is_empty() && (nested || SECRET_NAMES.iter().any(|secret| name.contains(secret))) {
            return format!("{}={MASK}{}", &pair[..equals], &pair[end..]);
        }
    }
    pair.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        for (address, shown) in [
            ("rtsp://cam:SecretPw@10.0.0.7:8554/main?x=1", "rtsp://cam:***@10.0.0.7:8554/main?x=1"),
            ("rtsp://cam:Sec@re/t?P#w@door/main", "rtsp://cam:***@door/main"),
            ("rtsp://cam:p@ss@door/main?user=a", "rtsp://cam:***@door/main?user=a"),
            ("rtsp://cam:12/4@door/", "rtsp://cam:***@door/"),
            ("rtsp://cam:Secret Pw\"'`@door/", "rtsp://cam:***@door/"),
            ("rtsp://cam%3ASecret@door/", "rtsp://cam:***@door/"),
            ("rtsp://:SecretPw@door/", "rtsp://:***@door/"),
            ("rtsp://cam:@door/", "rtsp://cam:***@door/"),
            ("rtsp://cam@door/main", "rtsp://cam@door/main"),
            ("rtsp:/cam:SecretPw@door/main", "rtsp:/cam:***@door/main"),
            ("http://door:80/a.m3u8?Token=abc&n=2&Signature=x%2Fy", "http://door:80/a.m3u8?Token=***&n=2&Signature=***"),
            ("http://door/v?user=admin&pwd=a#b;c", "http://door/v?user=admin&pwd=***"),
            ("http://door/v;x=1;auth=abc/d?access_token=1/2", "http://door/v;x=1;auth=***/d?access_token=***"),
            ("rtsp://door/user=admin&password=abc&channel=1.sdp", "rtsp://door/user=admin&password=***&channel=1.sdp"),
            ("rtsp://door/user=admin_password=abc_channel=1.sdp?real", "rtsp://door/user=admin_password=***?real"),
            ("http://proxy/?url=rtsp%3A%2F%2Fcam%3ASecret%40door", "http://proxy/?url=***"),
            ("http://[fe80::1]:8080/live", "http://[fe80::1]:8080/live"),
            ("http://door:8080/v?mail=a@b", "http://door:8080/v?mail=a@b"),
            ("http://door/a@2x/b.m3u8", "http://door/a@2x/b.m3u8"),
            ("C:/photos/a@b.mp4", "C:/photos/a@b.mp4"),
            ("/videos/pass=a.mp4", "/videos/pass=a.mp4"),
            ("", ""),
        ] {
            assert_eq!(address_text(Path::new(address)), shown);
            assert_eq!(address_text(Path::new(shown)), shown, "once is enough");
        }
    }

    #[test]
    fn texts_that_quote_addresses_are_masked_too() {
        let text = "cannot open `rtsp://cam:Pw1@door/main`: see \"http://x:Pw2@y/\" and http://z/?token=Pw3\nAna: 1/2, a@b";
        let shown = "cannot open `rtsp://cam:***@door/main`: see \"http://x:***@y/\" and http://z/?token=***\nAna: 1/2, a@b";
        assert_eq!(without_secrets(text), shown);
        assert!(matches!(without_secrets("1:/2 http://fine/x é://"), Cow::Borrowed(_)));
    }
}
