//! The word by which services know their callers: whoever reaches their ports could else search, enrol and remove people.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::error::{Error, Result};
use crate::ids::sha256;

/// Says the token with every call.
#[derive(Debug, Clone)]
pub struct Say(Option<MetadataValue<Ascii>>);

impl Say {
    /// Says `token`; nothing when it is empty.
    ///
    /// # Errors
    /// `config` for one that no header can hold.
    pub fn new(token: &str) -> Result<Self> {
        if token.is_empty() {
            return Ok(Self(None));
        }
        let value = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
        let mut value = value.map_err(|_| Error::Config("`service_token`: expected plain ASCII characters".into()))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Say {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Refuses calls without the token.
#[derive(Debug, Clone)]
pub struct Ask(Option<String>);

impl Ask {
    /// Asks for `token`; for nothing when it is empty.
    pub fn new(token: &str) -> Self {
        Self((!token.is_empty()).then(|| sha256(format!("Bearer {token}").as_bytes())))
    }
}

impl Interceptor for Ask {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(wanted) = &self.0 else { return Ok(request) };
        // Hashes are compared: how long that takes says nothing about the token.
        let said = request.metadata().get("authorization").map(|value| sha256(value.as_bytes()));
        if said.as_ref() == Some(wanted) { Ok(request) } else { Err(Status::unauthenticated("expected the `service_token`")) }
    }
}
