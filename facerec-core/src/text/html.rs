//! Text in a page: for the pages of [`report`](crate::report) and of [`evaluate`](crate::evaluate).

/// A name in its own direction, whatever stands around it.
pub(crate) fn isolated(name: &str) -> String {
    format!("<bdi>{}</bdi>", escape(name))
}

/// `text` as the content of an element or a quoted attribute; control characters are written out.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push_str(&super::escape(c.encode_utf8(&mut [0; 4]))),
            c => out.push(c),
        }
        out
    })
}
