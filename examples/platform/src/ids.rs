//! Ids and secrets.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 as lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// 256 random bits as hex.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that needs a secret may go on then.
#[allow(clippy::expect_used)]
pub fn secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    hex(&bytes)
}

/// An id that cannot be guessed: 128 random bits as hex.
pub fn new_id() -> String {
    secret()[..32].to_owned()
}

/// The name of this process, as long as it runs: its number is no name, since in containers all have the same.
pub fn process() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| new_id()[..12].to_owned());
    &NAME
}

/// The id of what a request makes: the same for a repeated request with the same idempotency key, so that it is made once
/// even when the first answer, or the process that gave it, was lost.
pub fn id_for(owner: &str, kind: &str, idempotency_key: Option<&str>) -> String {
    match idempotency_key {
        None => new_id(),
        Some(key) => sha256(format!("{owner}\n{kind}\n{key}").as_bytes())[..32].to_owned(),
    }
}
