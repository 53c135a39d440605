//! Webhooks: signed, tried again, given up and sent again, and nobody waits for somebody else's receiver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use facerec_platform::db::Db;
use facerec_platform::forwarder::signature;
use serde_json::{Value, json};

use super::harness::{Platform, config, start};
use super::people::{RED, photo};

const SECRET: &str = "0123456789abcdef";

/// A receiver: what it was sent, and what it answers.
fn receiver(statuses: &'static [u16]) -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (send, received)) = (listener.local_addr().unwrap(), channel());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let status = statuses[number.min(statuses.len() - 1)];
            receive(stream.unwrap(), status, &send);
        }
    });
    (address, received)
}

fn receive(stream: TcpStream, status: u16, send: &Sender<Value>) {
    let mut stream = BufReader::new(stream);
    let (mut length, mut signed) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.split_once(": ") else {
            if line == "\r\n" {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "x-facerec-signature" => signed = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let seconds = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap();
    assert_eq!(signed, signature(SECRET, seconds, &body), "whoever has the secret can check it");
    write!(stream.get_mut(), "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    let _ = send.send(serde_json::from_str(&body).unwrap());
}

fn subscribe(platform: &Platform, address: SocketAddr) -> String {
    let wanted = json!({"url": format!("http://{address}/hook"), "secret": SECRET, "events": ["enrolment.accepted"]});
    platform.send("POST", "/v1/webhooks", &wanted).expect(201)["id"].as_str().unwrap().to_owned()
}

#[test]
fn who_does_not_answer_holds_up_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(config(folder.path()));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    subscribe(&platform, silent.local_addr().unwrap());
    let (address, received) = receiver(&[200]);
    subscribe(&platform, address);
    let begun = Instant::now();
    for number in 0..3 {
        let id = platform.enrol(&format!("Person{number}"), &photo(&[(RED, 40 + number)]))["id"].clone();
        let told = received.recv_timeout(Duration::from_secs(8)).expect("the receiver that answers is told");
        assert_eq!((&told["event"], &told["id"]), (&json!("enrolment.accepted"), &id), "in order");
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "a call of a silent receiver takes 10 s: {:?}", begun.elapsed());
}

#[test]
fn what_fails_is_tried_again_and_what_was_given_up_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(config(folder.path()));
    let (address, received) = receiver(&[500, 503, 200]);
    let hook = subscribe(&platform, address);
    platform.enrol("Ana", &photo(&[(RED, 40)]));
    let first = received.recv_timeout(Duration::from_secs(10)).unwrap();
    let list = |state: &str| platform.get(&format!("/v1/webhooks/{hook}/deliveries?state={state}")).expect(200)["items"].clone();
    let until = |state: &str| {
        let begun = Instant::now();
        loop {
            if let Some(found) = list(state).get(0) {
                return found.clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "never {state}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let begun = Instant::now();
    while list("pending")[0]["answer"] != "status 500" {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", list("pending"));
        std::thread::sleep(Duration::from_millis(50));
    }
    // Its last try, now: an hour and a half would be too long for a test.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Db::open_file(&folder.path().join("data/platform.db")).await.unwrap();
        sqlx::query("UPDATE delivery SET attempts = 9, next_ms = 0").execute(db.pool()).await.unwrap();
    });
    assert_eq!(received.recv_timeout(Duration::from_secs(10)).unwrap(), first, "the same delivery");
    let dead = until("dead");
    assert_eq!((&dead["attempts"], &dead["answer"], &dead["next_ms"]), (&json!(10), &json!("status 503"), &Value::Null), "{dead}");
    let path = format!("/v1/webhooks/{hook}/deliveries/{}/retry", dead["id"].as_str().unwrap());
    assert_eq!(platform.send("POST", &path, &json!({})).expect(200)["state"], "pending");
    assert_eq!(received.recv_timeout(Duration::from_secs(10)).unwrap(), first);
    let delivered = until("delivered");
    assert_eq!((&delivered["id"], &delivered["attempts"]), (&dead["id"], &json!(1)));
    assert_eq!(platform.send("POST", &path, &json!({})).expect(200)["state"], "delivered", "only what was given up");
    assert_eq!(platform.get(&format!("/v1/webhooks/{hook}/deliveries?state=lost")).code(400), "invalid_argument");
}
