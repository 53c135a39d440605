//! Who calls and what they may do: API keys, tickets, rate limits.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sqlx::Row as _;

use super::Gateway;
use super::rate::Buckets;
use super::routes::{Access, Scope, access};
use crate::db::{Db, now_ms};
use crate::error::{Error, Result};
use crate::ids::{hex, new_id, secret, sha256};

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's id.
    pub key: String,
    /// The key's name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the key may do what `scope` allows.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Refuses who may not do what `access` asks for.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(&self, access: Access) -> Result<()> {
        match access {
            Access::Needs(scope) if !self.may(scope) => Err(Error::Forbidden(scope.name())),
            _ => Ok(()),
        }
    }
}

/// Keys that were looked up: a revoked one may live this long in another process. In this one it ends at once.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How long a ticket is good: long enough to watch a video, and it ends with its key.
const TICKET_MS: i64 = 3_600_000;

/// Requests without a valid key that one address may make a second, and at once.
const STRANGERS: (f64, f64) = (20.0, 200.0);

/// Keys, tickets and rate limits of one gateway.
pub struct Auth {
    secret: String,
    known: Mutex<HashMap<String, (Instant, Option<Caller>)>>,
    buckets: Buckets,
    rate: (f64, f64),
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    path: String,
    key: String,
    until_ms: i64,
}

impl Auth {
    /// `secret` signs tickets and is the same for all gateways; `rate` is requests a second and at once of one key.
    pub fn new(secret: String, rate: (f64, f64)) -> Self {
        Self { secret, known: Mutex::default(), buckets: Buckets::default(), rate }
    }

    /// Forgets what was looked up: a key was revoked.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn look_up(&self, db: &Db, column: &'static str, value: &str) -> Result<Option<Caller>> {
        let remembered = format!("{column}:{value}");
        if let Some((at, caller)) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&remembered)
            && at.elapsed() < REMEMBERED
        {
            return Ok(caller.clone());
        }
        let statement = match column {
            "hash" => "SELECT id, name, scopes FROM api_key WHERE hash = $1",
            _ => "SELECT id, name, scopes FROM api_key WHERE id = $1",
        };
        let row = sqlx::query(statement).bind(value).fetch_optional(db.pool()).await?;
        let caller = row.map(|row| {
            let scopes: String = row.try_get("scopes")?;
            let scopes = scopes.split(' ').filter_map(Scope::parse).collect();
            Ok::<_, Error>(Caller { key: row.try_get("id")?, name: row.try_get("name")?, scopes })
        });
        let caller = caller.transpose()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > 10_000 {
            known.clear(); // made-up keys must not fill the memory
        }
        known.insert(remembered, (Instant::now(), caller.clone()));
        Ok(caller)
    }

    /// Whether the key of this id is still there.
    pub(super) async fn is_good(&self, db: &Db, key: &str) -> Result<bool> {
        Ok(self.look_up(db, "id", key).await?.is_some())
    }

    /// A ticket for `path`, good for who has the key `key`.
    pub fn ticket(&self, path: &str, key: &str) -> String {
        let ticket = Ticket { path: path.to_owned(), key: key.to_owned(), until_ms: now_ms() + TICKET_MS };
        let text = hex(serde_json::json!(ticket).to_string().as_bytes());
        let seal = hex(&self.mac(&text).finalize().into_bytes());
        format!("{text}.{seal}")
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.secret.as_bytes());
        let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(text.as_bytes());
        mac
    }

    /// The key that a ticket for `path` stands for.
    fn redeem(&self, ticket: &str, path: &str) -> Option<String> {
        let (text, seal) = ticket.split_once('.')?;
        // In constant time, so that a seal cannot be guessed piece by piece.
        self.mac(text).verify_slice(&unhex(seal)?).ok()?;
        let ticket: Ticket = serde_json::from_slice(&unhex(text)?).ok()?;
        (ticket.path == path && ticket.until_ms > now_ms()).then_some(ticket.key)
    }

    async fn caller(&self, db: &Db, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Option<Caller>> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let key = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            return match key {
                Some(key) => self.look_up(db, "hash", &sha256(key.trim().as_bytes())).await,
                None => Ok(None),
            };
        }
        let reads = method == Method::GET || method == Method::HEAD;
        match ticket_of(uri).filter(|_| reads).and_then(|ticket| self.redeem(ticket, uri.path())) {
            Some(key) => self.look_up(db, "id", &key).await,
            None => Ok(None),
        }
    }
}

fn ticket_of(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("ticket="))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(|pair| u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()).collect())?
}

/// Lets through who may pass, with who they are as an extension of the request.
///
/// # Errors
/// `invalid_argument`, `unauthorized`, `forbidden`, `rate_limited`.
pub async fn guard(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Result<Response> {
    // No text that is kept holds one, and PostgreSQL cannot look for it.
    if request.uri().to_string().contains("%00") {
        return Err(Error::Invalid("expected an address without the character NUL".into()));
    }
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(access) = access(request.method().as_str(), &path) else {
        return Err(Error::NotFound("no such route".into()));
    };
    if access == Access::Open {
        return Ok(next.run(request).await);
    }
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let Some(caller) = gateway.auth.caller(&gateway.app.db, &method, &uri, &headers).await? else {
        gateway.auth.buckets.spend(format!("address:{}", address.unwrap_or(IpAddr::from([0; 4]))), STRANGERS)?;
        return Err(Error::Unauthorized);
    };
    gateway.auth.buckets.spend(format!("key:{}", caller.key), gateway.auth.rate)?;
    caller.check(access)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Makes a key; what is returned first is the key itself, of which only a hash is kept. A key is 256 random bits: nobody
/// guesses one, so a plain SHA-256 suffices where passwords need a slow hash.
///
/// # Errors
/// `conflict` when the id is there already, `database`.
pub async fn make_key(db: &Db, id: Option<String>, name: &str, scopes: &[Scope]) -> Result<(String, String)> {
    let (id, key) = (id.unwrap_or_else(new_id), format!("frk_{}", secret()));
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let statement = "INSERT INTO api_key (id, name, hash, scopes, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(statement).bind(&id).bind(name).bind(sha256(key.as_bytes())).bind(scopes.join(" "));
    if insert.bind(now_ms()).execute(db.pool()).await?.rows_affected() == 0 {
        return Err(Error::Conflict("this request made a key already, which is shown only once; revoke it and make another".into()));
    }
    Ok((key, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_its_own_path_only() {
        let auth = Auth::new("secret".into(), (1.0, 1.0));
        let ticket = auth.ticket("/v1/sessions/a/video", "k");
        assert_eq!(auth.redeem(&ticket, "/v1/sessions/a/video").as_deref(), Some("k"));
        assert_eq!(auth.redeem(&ticket, "/v1/sessions/b/video"), None);
        assert_eq!(Auth::new("other".into(), (1.0, 1.0)).redeem(&ticket, "/v1/sessions/a/video"), None);
        for bad in ["", ".", "00.00", "zz.zz", &ticket[1..], "é.é"] {
            assert_eq!(auth.redeem(bad, "/v1/sessions/a/video"), None, "{bad}");
        }
    }
}
