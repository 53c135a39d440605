//! Text that people and file systems give: one spelling for every name, and what is safe to show in a terminal or a log.
//!
//! Two names that nobody can tell apart by looking at them are one name. [`canonical_name`] is the spelling that galleries store and look
//! up: Unicode's composed form (NFC, UAX #15), one space between words, none at the ends, and no character that neither shows nor changes
//! what others look like. Joiners stay where a script needs them (Arabic, Persian, Indic, emoji: UAX #31, section 2.3). Upper and lower
//! case differ, and so do letters of different scripts that look alike.
//!
//! [`escape`] and [`escape_path`] show any text on one line that a terminal only displays: control characters, bidirectional controls and
//! invisible characters appear as `\u{202e}`, bytes that are not UTF-8 as `\xe9`. What is shown holds no secret of an address either
//! ([`without_secrets`]): everything that the library and the command show to people goes through here.

pub(crate) mod html;
mod secrets;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::path::Path;

pub use secrets::{address_text, without_secrets};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::error::{Error, Result};

/// Longest name of a person, in characters (Unicode scalar values) of its [canonical](canonical_name) spelling.
pub const MAX_NAME_CHARS: usize = 200;

/// The spelling in which a name is stored and looked up. Idempotent. A name that was refused on the way in may be looked up by it too.
pub fn canonical_name(name: &str) -> Cow<'_, str> {
    if is_plain(name) {
        return Cow::Borrowed(name);
    }
    let visible = without_invisible(name);
    let composed: String = if is_nfc(&visible) { visible } else { visible.nfc().collect() };
    let trimmed = composed.trim_matches(|c: char| c.is_whitespace() || is_blank(c) || is_mark_of_direction(c));
    Cow::Owned(trimmed.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

/// The [canonical](canonical_name) spelling of a name that is to be stored.
///
/// # Errors
/// `invalid_argument` for a name without any visible character, longer than [`MAX_NAME_CHARS`], with a control character or a line
/// break, or with U+FFFD, which stands where a wrong decoding lost a letter: two people could be left with one name.
pub fn person_name(name: &str) -> Result<Cow<'_, str>> {
    let name = canonical_name(name);
    let count = name.chars().count();
    if count > MAX_NAME_CHARS || !name.chars().any(|c| !c.is_whitespace() && !is_unsafe(c) && !is_joiner(c)) {
        let got = if count > MAX_NAME_CHARS { format!("one of {count}") } else { "one without any that can be seen".to_owned() };
        return Err(Error::argument("person", format!("expected a name of 1 to {MAX_NAME_CHARS} characters, got {got}")));
    }
    if name.chars().any(breaks_lines) {
        return Err(Error::argument("person", format!("expected a name without control characters, got `{}`", escape(&name))));
    }
    if name.contains(char::REPLACEMENT_CHARACTER) {
        let reason = "expected a name whose letters are all there (U+FFFD stands where a wrong encoding lost one), got";
        return Err(Error::argument("person", format!("{reason} `{}`", escape(&name))));
    }
    Ok(name)
}

/// `text` on one line and harmless in a terminal: control characters, line breaks, bidirectional controls and invisible characters are
/// written as Rust writes them (`\n`, `\u{1b}`, `\u{202e}`). Everything else, a backslash too, stays.
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, is_unsafe, |c, out| {
        let _ = if c.is_ascii() { write!(out, "{}", c.escape_default()) } else { write!(out, "{}", c.escape_unicode()) };
    })
}

/// [`escape`] for text of several lines: line feeds stay.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    replace(text, |c| c != '\n' && is_unsafe(c), |c, out| out.push_str(&escape(c.encode_utf8(&mut [0; 4]))))
}

/// A path as text for data: as it is when it is UTF-8, else with the other bytes as `\xe9`, so that two paths stay two.
pub fn path_text(path: &Path) -> Cow<'_, str> {
    if let Some(text) = path.to_str() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text_of(path.as_os_str().as_encoded_bytes()))
}

/// Bytes that should be UTF-8, on one line, harmless in a terminal and [without secrets](without_secrets): those that are not UTF-8 appear
/// as `\xe9`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    escape(&without_secrets(&text_of(bytes))).into_owned()
}

/// A path or address on one line and harmless in a terminal: [`address_text`] with [`escape`].
pub fn escape_path(path: impl AsRef<Path>) -> String {
    escape(&address_text(path.as_ref())).into_owned()
}

/// The same JSON, harmless in a terminal: what [`escape`] escapes is written as `\u202e`, which every reader turns back. Line feeds stay,
/// since in JSON they stand between values only.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    replace(
        json,
        |c| c != '\n' && is_unsafe(c),
        |c, out| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

/// Whether a character is a control character, a line break, a bidirectional control, or shows nothing at all.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A value whose text is shown [escaped](escape) and [without secrets](without_secrets), for formats.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape_lines(&without_secrets(&self.0.to_string())))
    }
}

fn text_of(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}"); // writing to a String cannot fail
        }
    }
    out
}

fn replace<'a>(text: &'a str, wanted: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'a, str> {
    if !text.contains(&wanted) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if wanted(c) { write(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// ASCII words with one space between them: most names, and canonical.
fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.iter().all(|b| (b' '..=b'~').contains(b)) && !bytes.starts_with(b" ") && !bytes.ends_with(b" ") && !name.contains("  ")
}

/// A space of any width, or a letter that is drawn as one.
fn is_blank(c: char) -> bool {
    (c.is_whitespace() && !breaks_lines(c)) || matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Marks that order what stands on both sides of them, and so do nothing at the ends of a name.
fn is_mark_of_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// The text without characters that neither show nor change how their neighbours look.
fn without_invisible(text: &str) -> String {
    // Joiners come last: what stands beside them then is what stays.
    keep(&keep(text, shows), joins)
}

/// The characters that are `kept`, which is told by what is kept before one, itself, and what comes next.
fn keep(text: &str, kept: fn(Option<char>, char, Option<char>) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if kept(out.chars().next_back(), c, rest.peek().copied()) {
            out.push(c);
        }
    }
    out
}

/// Whether a character shows, or makes the one before it look otherwise; joiners, which need both neighbours, are left.
fn shows(before: Option<char>, c: char, _: Option<char>) -> bool {
    match c {
        '\u{ad}'
        | '\u{34f}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{200b}'
        | '\u{2060}'..='\u{2064}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' => false,
        // Which of two pictures a symbol has; of a letter, at most a style.
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => before.is_some_and(is_symbol),
        // The flags of regions are spelt in tags.
        '\u{e0000}'..='\u{e007f}' => before.is_some_and(|b| matches!(b, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}')),
        _ => true,
    }
}

/// Whether a joiner does something where it stands.
fn joins(before: Option<char>, c: char, next: Option<char>) -> bool {
    match c {
        // Non-joiner: between two letters that would join. Joiner: also at the end, where it shapes the last letter.
        '\u{200c}' => before.is_some_and(uses_joiners) && next.is_some_and(uses_joiners),
        '\u{200d}' => before.is_some_and(uses_joiners) && next.is_none_or(uses_joiners),
        _ => true,
    }
}

/// Whether a character is of a script whose letters join, form conjuncts, or are emoji: there joiners mean something.
fn uses_joiners(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{109f}' | '\u{1700}'..='\u{1c4f}' | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe0f}'
        | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{10fff}' | '\u{11000}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
        || is_symbol(c)
}

/// Emoji and the symbols that have a picture of their own.
fn is_symbol(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '\u{a9}' | '\u{ae}' | '\u{203c}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_that_look_alike_are_one_name() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        for (one, other) in [
            ("Andre\u{301}", "Andr\u{e9}"),
            ("Ho\u{302}\u{300}", "Hồ"),
            ("Nguye\u{302}\u{303}n", "Nguyễn"),
            // Marks in either order.
            ("Ngu\u{323}\u{302}", "Ng\u{1ee5}\u{302}"),
            ("Ngu\u{302}\u{323}", "Ng\u{1ee5}\u{302}"),
            ("e\u{200b}\u{301}", "é"),
            ("1\u{200c}\u{fe0f}", "1"),
            ("\u{1100}\u{1161}\u{11a8}", "각"),
            // Compatibility ideographs and the Angstrom sign are singletons of NFC.
            ("\u{f9e1}", "\u{674e}"),
            ("\u{212b}sa", "Åsa"),
            ("  Ana\u{a0}María \n", "Ana María"),
            ("Ana\u{3000}\u{2009} María\u{a0}", "Ana María"),
            ("\u{feff}Ana", "Ana"),
            ("A\u{ad}na\u{200b}\u{2060}", "Ana"),
            ("Ana\u{200e}", "Ana"),
            ("\u{200f}משה\u{200f}", "משה"),
            ("An\u{200d}a", "Ana"),
            ("An\u{200c}a\u{200d}", "Ana"),
            ("葛\u{e0100}城", "葛城"),
            ("a\u{fe0f}b", "ab"),
            ("Ana\u{3164}", "Ana"),
        ] {
            assert_eq!(canonical_name(one), canonical_name(other), "{one:?} and {other:?}");
            assert_eq!(canonical_name(other), other, "{other:?} is canonical");
        }
        for (one, other) in [
            ("Ana", "ana"),
            ("José", "Josè"),
            // Latin and Cyrillic.
            ("Ana", "\u{410}na"),
            // Persian: the non-joiner keeps two letters apart.
            ("می\u{200c}خواهم", "میخواهم"),
            // Devanagari: the joiner asks for a half form.
            ("क\u{94d}\u{200d}ष", "क\u{94d}ष"),
            (family, "\u{1f468}\u{1f469}\u{1f467}"),
            ("\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}", "\u{1f3f4}"),
            // An override changes what is shown.
            ("\u{202e}Ana", "Ana"),
            ("AnaMaría", "Ana María"),
            ("ﬁ", "fi"),
        ] {
            assert_ne!(canonical_name(one), canonical_name(other), "{one:?} and {other:?}");
            assert_eq!(canonical_name(one), one);
        }
    }

    #[test]
    fn names_are_checked_once_they_are_canonical() {
        assert_eq!(person_name("  Ana María \n").expect("a name"), "Ana María");
        assert_eq!(person_name(&"e\u{301}".repeat(200)).expect("200 characters").chars().count(), 200);
        assert_eq!(person_name("\u{202e}anA").expect("bidirectional controls are kept"), "\u{202e}anA");
        for (bad, shown) in [
            ("", "one without any that can be seen"),
            (" \u{a0}\u{3000}", "one without any that can be seen"),
            ("\u{200b}\u{feff}", "one without any that can be seen"),
            ("\u{3164}\u{2800}", "one without any that can be seen"),
            ("\u{202e}\u{202c}", "one without any that can be seen"),
            ("\u{200d}", "one without any that can be seen"),
            (&"x".repeat(201), "got one of 201"),
            ("a\u{0}b", "`a\\u{0}b`"),
            ("a\nb", "`a\\nb`"),
            ("a\u{85}b", "`a\\u{85}b`"),
            ("a\u{2028}b", "`a\\u{2028}b`"),
            ("\u{1b}[31mAna", "`\\u{1b}[31mAna`"),
            ("Jos\u{fffd}", "`Jos\u{fffd}`"),
        ] {
            let error = person_name(bad).expect_err("no name");
            assert_eq!(error.kind().code(), "invalid_argument", "{bad:?}");
            assert!(error.to_string().contains(shown), "{bad:?}: {error}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(escape("evil\x1b[31m\rOK\x07.jpg"), "evil\\u{1b}[31m\\rOK\\u{7}.jpg");
        assert_eq!(
            escape("\u{9b}2J \u{202e}anA\u{2066}\u{200f}\u{2028}\u{7f}"),
            "\\u{9b}2J \\u{202e}anA\\u{2066}\\u{200f}\\u{2028}\\u{7f}"
        );
        assert_eq!(escape("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(escape_lines("a\nb\rc"), "a\nb\\rc");
        for fine in ["André 张伟 علي می\u{200c}خواهم \u{1f468}\u{200d}\u{1f469} C:\\x", ""] {
            assert!(matches!(escape(fine), Cow::Borrowed(same) if same == fine));
        }
        let value = serde_json::json!({"name": "\u{7f}\u{9b}\u{202e}\u{e0041}é\n\u{1b}"});
        let text = escape_json(&value.to_string()).into_owned() + "\n";
        assert!(text.is_ascii() || text.contains('é'), "{text}");
        assert!(!text.trim_end().contains(is_unsafe), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_utf8_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes: &'static [u8]| Path::new(std::ffi::OsStr::from_bytes(bytes));
        assert_eq!(path_text(path(b"Jos\xe9/\xff\xfe.jpg")), "Jos\\xe9/\\xff\\xfe.jpg");
        assert_ne!(path_text(path(b"Jos\xe9")), path_text(path(b"Jos\xe8")));
        assert_eq!(escape_path(path(b"a\x1b\xe9\n")), "a\\u{1b}\\xe9\\n");
    }

    proptest! {
        #[test]
        fn canonical_is_canonical(name in "\\PC{0,12}|[ -~\u{300}-\u{36f}\u{200b}-\u{200f}\u{ad}\u{fe0f}\u{1f468}\u{6a9}\u{a0}]{0,16}") {
            let once = canonical_name(&name).into_owned();
            prop_assert_eq!(canonical_name(&once), once.as_str());
            let decomposed: String = name.nfd().collect();
            prop_assert_eq!(canonical_name(&decomposed), once.as_str());
        }
    }
}
