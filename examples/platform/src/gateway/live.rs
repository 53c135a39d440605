//! Live status of a session as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use serde_json::json;
use sqlx::Row as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::auth::Caller;
use super::{Gateway, sessions, tracks};
use crate::error::{Error, Result};
use crate::jobs::FINAL;

/// How often the database is asked what is new.
const POLL: Duration = Duration::from_millis(300);

/// Streams that one key may have open at the same time.
const MOST: usize = 32;

/// Who has how many streams open.
pub(super) type Streams = Arc<Mutex<HashMap<String, usize>>>;

/// One open stream of a key.
struct Open(Streams, String);

impl Open {
    fn new(streams: &Streams, key: &str) -> Result<Self> {
        let mut open = streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.to_owned()).or_default();
        if *count >= MOST {
            return Err(Error::RateLimited(1));
        }
        *count += 1;
        Ok(Self(Arc::clone(streams), key.to_owned()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

/// `GET /v1/sessions/{id}/events`: `state`, `progress`, and one `track` per track. The id of a track's event is
/// `ATTEMPT-ORDINAL`: who comes back with it as `Last-Event-ID` misses nothing and sees nothing twice. After a retry (a new
/// `attempt` in the `state` event) tracks begin anew. The stream ends with the final `state`, and with the key that opened it.
pub(super) async fn events(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<KeepAliveStream<ReceiverStream<Result<Event, Infallible>>>>> {
    sessions::row(&gateway.app.db, &id).await?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.split_once('-'));
    let seen = seen.and_then(|(attempt, ordinal)| Some((attempt.parse().ok()?, ordinal.parse().ok()?))).unwrap_or((0, 0));
    let (send, receive) = mpsc::channel(16);
    let open = Open::new(&gateway.streams, &caller.key)?;
    tokio::spawn(async move {
        if let Err(error) = follow(&gateway, &open, &id, seen, &send).await {
            tracing::warn!(session = id, %error, "live status ends; the client comes back by itself");
        }
    });
    Ok(Sse::new(ReceiverStream::new(receive)).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}

async fn follow(
    gateway: &Gateway,
    Open(_, key): &Open,
    id: &str,
    (mut attempt, mut ordinal): (i64, i64),
    send: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<()> {
    let (mut last_state, mut last_progress) = (None, None);
    loop {
        if !gateway.auth.is_good(&gateway.app.db, key).await? {
            return Ok(());
        }
        // The state is read before the tracks: a final one is sent only after all tracks were.
        let row = sessions::row(&gateway.app.db, id).await?;
        let (state, now): (String, i64) = (row.try_get("state")?, row.try_get("attempt")?);
        let progress = (row.try_get::<f64, _>("progress")?, row.try_get::<i64, _>("frames")?);
        let over = FINAL.contains(&state.as_str());
        let mut events = Vec::new();
        if now != attempt {
            (attempt, ordinal) = (now, 0);
        }
        let changed = last_state != Some((state.clone(), now));
        if changed && !over {
            events.push(event("state", None, &json!({"state": state, "attempt": now})));
        }
        if last_progress != Some(progress) {
            last_progress = Some(progress);
            events.push(event("progress", None, &json!({"progress": progress.0, "frames": progress.1})));
        }
        loop {
            let rows = tracks::after(&gateway.app.db, id, attempt, ordinal, 100).await?;
            for row in &rows {
                ordinal = row.try_get("ordinal")?;
                events.push(event("track", Some(format!("{attempt}-{ordinal}")), &tracks::shown(id, row)?));
            }
            if rows.len() < 100 {
                break;
            }
        }
        if over {
            let error = row.try_get::<Option<String>, _>("error")?.filter(|_| state == "failed");
            events.push(event("state", None, &json!({"state": state, "attempt": now, "error": error})));
        }
        last_state = Some((state, now));
        for event in events {
            if send.send(Ok(event)).await.is_err() {
                return Ok(()); // nobody listens any more
            }
        }
        if over {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = send.closed() => return Ok(()),
            () = gateway.app.stopped() => return Ok(()),
        }
    }
}

fn event(name: &str, id: Option<String>, data: &serde_json::Value) -> Event {
    let event = Event::default().event(name).data(data.to_string());
    match id {
        Some(id) => event.id(id),
        None => event,
    }
}
