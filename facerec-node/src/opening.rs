//! How a gallery is opened.

use facerec_core as core;
use facerec_core::gallery::GalleryKey;
use facerec_core::{CancelToken, Result};
use napi::Status;
use napi::bindgen_prelude::{FnArgs, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::error::{argument, milliseconds};

/// A function of two counts, called on the event loop, which it does not keep alive.
type OnProgress = ThreadsafeFunction<FnArgs<(f64, f64)>, (), FnArgs<(f64, f64)>, Status, false, true>;

/// How to open a gallery.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct GalleryOptions {
    /// Only read: takes no lock and sees a writer's changes at its next search. Default false.
    pub read_only: Option<bool>,
    /// Create the gallery when there is none. Default true.
    pub create: Option<bool>,
    /// Open in spite of damaged rows, which are left out; `verify` lists them. Default false.
    pub salvage: Option<bool>,
    /// How it is searched. Default `auto`: as it was, else by size. Kinds but `flat`, which compares every face, are built in the
    /// background, or by `compact`; `stats` tells their measured recall.
    #[napi(ts_type = "IndexKind")]
    pub index: Option<String>,
    /// 32 bytes that open an encrypted gallery, or encrypt a new one. Default none: a plain gallery.
    pub key: Option<Uint8Array>,
    /// Instead of a key.
    pub passphrase: Option<String>,
    /// Who makes the changes, for the audit log. Default the operating system's user.
    pub actor: Option<String>,
    /// How long to wait for another writer, in this process or another one, milliseconds; 0 does not wait. Default 30,000. A signal
    /// ends the wait.
    pub wait: Option<f64>,
    /// Told how many faces of how many are read, where no saved index fits: every few thousand of them, never for a gallery of
    /// few. What it throws rejects the call.
    #[napi(ts_type = "(done: number, total: number) => void")]
    pub progress: Option<OnProgress>,
}

impl GalleryOptions {
    pub(crate) fn into_core(self, cancel: &CancelToken) -> Result<core::GalleryOptions> {
        let cancel = cancel.clone();
        let mut options = core::GalleryOptions::default().cancelled(move || cancel.is_cancelled());
        if let Some(wait) = self.wait {
            options.wait = milliseconds("wait", wait)?;
        }
        options.read_only = self.read_only.unwrap_or(options.read_only);
        options.create = self.create.unwrap_or(options.create);
        options.salvage = self.salvage.unwrap_or(options.salvage);
        if let Some(kind) = self.index {
            options.index = kind.parse()?;
        }
        options.key = KeyOptions { key: self.key, passphrase: self.passphrase }.into_core()?;
        options.actor = self.actor;
        let Some(call) = self.progress else { return Ok(options) };
        Ok(options.progress(move |done, total| {
            // It waits in a queue for the event loop; at the end of the process there is nobody left to tell.
            let _ = call.call((done as f64, total as f64).into(), ThreadsafeFunctionCallMode::NonBlocking);
        }))
    }
}

/// What a gallery is encrypted with.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct KeyOptions {
    /// 32 random bytes.
    pub key: Option<Uint8Array>,
    /// Instead of a key.
    pub passphrase: Option<String>,
}

impl KeyOptions {
    pub(crate) fn into_core(self) -> Result<Option<GalleryKey>> {
        match (self.key, self.passphrase) {
            (None, None) => Ok(None),
            (None, Some(passphrase)) => Ok(Some(GalleryKey::passphrase(passphrase))),
            (Some(bytes), None) => {
                let bytes = <[u8; 32]>::try_from(&bytes[..]);
                let key = bytes.map_err(|_| argument("key", "expected 32 bytes, got another number of them"))?;
                Ok(Some(GalleryKey::bytes(key)))
            }
            (Some(_), Some(_)) => Err(argument("key", "expected a key or a passphrase, got both")),
        }
    }
}
