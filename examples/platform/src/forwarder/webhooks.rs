//! Signed webhooks: who subscribed hears of every final state, at least once, or the delivery is found among the dead ones.

use std::collections::HashMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use sqlx::{Any, Row as _, Transaction};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::db::now_ms;
use crate::error::Result;
use crate::ids::{hex, new_id};

/// Tries until a delivery is dead: with the waits below, over an hour and a half.
const MOST_ATTEMPTS: i64 = 10;

/// The wait after the first failure; doubled after each.
const FIRST_WAIT_MS: i64 = 5_000;

/// Writes a delivery for every webhook that wants to hear of `kind`.
pub(super) async fn announce(tx: &mut Transaction<'static, Any>, kind: &str, subject: &str) -> Result<()> {
    for row in sqlx::query("SELECT id, events FROM webhook").fetch_all(&mut **tx).await? {
        let events: String = row.try_get("events")?;
        if !events.split(' ').any(|event| event == kind || event == "*") {
            continue;
        }
        let now = now_ms();
        let (id, webhook): (String, String) = (new_id(), row.try_get("id")?);
        let payload = json!({"delivery": id, "event": kind, "id": subject, "at_ms": now}).to_string();
        let statement = "INSERT INTO delivery (id, webhook, event, payload, state, attempts, next_ms, created_ms) \
                         VALUES ($1, $2, $3, $4, 'pending', 0, $5, $5)";
        sqlx::query(statement).bind(&id).bind(webhook).bind(kind).bind(payload).bind(now).execute(&mut **tx).await?;
    }
    Ok(())
}

/// What the header `X-Facerec-Signature` holds: `t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`. A receiver that checks it
/// and refuses old times knows that the call is ours and not a repeated one.
pub fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()))
}

/// Sends what is due until the process is to end: to each webhook one after the other, to different ones at the same time, so that a
/// receiver that does not answer holds up nobody else.
pub async fn deliver(app: App) {
    let mut busy: HashMap<String, JoinHandle<()>> = HashMap::new();
    while !app.stopping() {
        busy.retain(|_, sending| !sending.is_finished());
        let statement = "SELECT DISTINCT webhook FROM delivery WHERE state = 'pending' AND next_ms <= $1";
        let due: sqlx::Result<Vec<String>> = sqlx::query_scalar(statement).bind(now_ms()).fetch_all(app.db.pool()).await;
        let due = due.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks cannot be looked for; trying again");
            Vec::new()
        });
        for webhook in due {
            let app = app.clone();
            busy.entry(webhook.clone()).or_insert_with(|| {
                tokio::spawn(async move {
                    if let Err(error) = deliver_to(&app, &webhook).await {
                        tracing::warn!(webhook, %error, "deliveries cannot be sent; trying again");
                    }
                })
            });
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = app.stopped() => break,
        }
    }
    // What is under way has its answer written, or comes again.
    for sending in busy.into_values() {
        let _ = sending.await; // a panic was said on standard error
    }
}

/// Sends what is due to one webhook, until it fails: then the rest has time too.
async fn deliver_to(app: &App, webhook: &str) -> Result<()> {
    let statement = "SELECT delivery.id AS id, url, secret, event, payload, attempts FROM delivery JOIN webhook ON webhook.id = delivery.webhook \
                     WHERE webhook = $1 AND state = 'pending' AND next_ms <= $2 ORDER BY delivery.created_ms, delivery.id LIMIT 100";
    for row in sqlx::query(statement).bind(webhook).bind(now_ms()).fetch_all(app.db.pool()).await? {
        if app.stopping() {
            break;
        }
        let (id, url, secret): (String, String, String) = (row.try_get("id")?, row.try_get("url")?, row.try_get("secret")?);
        let (event, payload): (String, String) = (row.try_get("event")?, row.try_get("payload")?);
        let attempts: i64 = row.try_get::<i64, _>("attempts")? + 1;
        let answer = app.blocking(move |_| Ok(send(&url, &secret, &event, &payload))).await?;
        let (state, text) = match answer {
            Ok(()) => ("delivered", "ok".to_owned()),
            Err(reason) if attempts >= MOST_ATTEMPTS => ("dead", reason),
            Err(reason) => ("pending", reason),
        };
        let next = now_ms() + (FIRST_WAIT_MS << (attempts - 1).clamp(0, 16));
        let statement = "UPDATE delivery SET state = $1, attempts = $2, next_ms = $3, answer = $4 WHERE id = $5";
        sqlx::query(statement).bind(state).bind(attempts).bind(next).bind(text).bind(id).execute(app.db.pool()).await?;
        if state != "delivered" {
            break;
        }
    }
    Ok(())
}

/// One call. Redirects are not followed: the address is the one that an administrator gave.
fn send(url: &str, secret: &str, event: &str, payload: &str) -> Result<(), String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).max_redirects(0);
    let request = ureq::Agent::new_with_config(config.http_status_as_error(false).build())
        .post(url)
        .header("content-type", "application/json")
        .header("x-facerec-event", event)
        .header("x-facerec-signature", signature(secret, now_ms() / 1000, payload));
    match request.send(payload) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_time_and_body() {
        let signed = signature("s", 1, "{}");
        // printf '1.{}' | openssl dgst -sha256 -hmac s
        assert_eq!(signed, "t=1,v1=b253639bcd705ed1cda3073f66104f16988bd40272584dea7d0d345ae93e61cc");
        assert_ne!(signed, signature("s", 1, "{ }"));
        assert_ne!(signed, signature("t", 1, "{}"));
    }
}
