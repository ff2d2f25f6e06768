//! Whole conversations: a drain from request to end, maps for edges, pins, explanations, events.

use super::super::view;
use super::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_asked_for_seen_renewed_and_ended() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("rollout");
    let body = json!({"target": "group:gz1-a", "lease": "30m", "reason": "upgrade", "ramp": "0s"});
    let (parts, _) = bare("POST", "/v1/drains", Some("rollout")).into_parts();
    let routes = router(world.control.clone(), auth(), Metrics::of_process());
    let response = call(
        routes,
        Request::from_parts(parts, Body::from(body.to_string())),
    )
    .await;
    assert_eq!(response.status(), 201);
    let path = response.headers()["location"].to_str().unwrap().to_owned();

    let drain: view::Drain = client.get_json(&path).await.unwrap();
    assert_eq!(
        (drain.target.as_str(), drain.requester.as_str()),
        ("group:gz1-a", "rollout")
    );
    assert!(
        ["shifting", "queued"].contains(&drain.state.as_str()),
        "{}",
        drain.state
    );
    let renewed: view::Drain = client
        .patch_json(&path, &json!({"lease": "1h"}))
        .await
        .unwrap();
    assert_eq!(renewed.lease_ms, 3_600_000);
    let all: Vec<view::Drain> = client.get_json("/v1/drains").await.unwrap();
    assert_eq!(all.len(), 1);

    // A poll that is out of time shows the drain as it stands; one whose milestone is reached comes
    // back at once.
    let started = Instant::now();
    let wait = format!("{path}?wait=serving&timeout=200ms");
    let waited: view::Drain = client.get_json(&wait).await.unwrap();
    assert!(waited.state != "serving" && started.elapsed() >= Duration::from_millis(200));
    let waiting = tokio::spawn({
        let (client, path) = (
            world.client("viewer"),
            format!("{path}?wait=drained&timeout=15s"),
        );
        async move {
            client
                .get_json_within::<view::Drain>(&path, LONG)
                .await
                .unwrap()
        }
    });
    let ended: view::Drain = client.delete(&path).await.unwrap();
    assert_eq!(ended.ended_by.as_deref(), Some("cancelled"));
    let woken = waiting.await.unwrap();
    assert!(
        ["refilling", "serving"].contains(&woken.state.as_str()),
        "{}",
        woken.state
    );

    let audit: Vec<Value> = client.get_json("/v1/audit?limit=10").await.unwrap();
    let of_drains: Vec<(&str, &str)> = audit
        .iter()
        .filter_map(|entry| entry["action"].as_str().zip(entry["who"].as_str()))
        .filter(|(action, _)| action.starts_with("drain."))
        .collect();
    let expected = ["drain.cancel", "drain.renew", "drain.request"];
    assert_eq!(of_drains, expected.map(|action| (action, "rollout")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finds_its_drain() {
    let world = World::new().await;
    world.ready().await;
    let routes = router(world.control.clone(), auth(), Metrics::of_process());
    let ask = async |target: &str, key: &str| {
        let body = json!({"target": target, "lease": "30m", "reason": "x", "idempotency_key": key});
        let (parts, _) = bare("POST", "/v1/drains", Some("rollout")).into_parts();
        let request = Request::from_parts(parts, Body::from(body.to_string()));
        let response = call(routes.clone(), request).await;
        let location = response.headers().get("location").cloned();
        (response.status().as_u16(), location)
    };
    let (status, first) = ask("node:gz1-a-1", "k1").await;
    assert_eq!((status, first.is_some()), (201, true));
    assert_eq!(ask("node:gz1-a-1", "k1").await, (200, first));
    // The same key for something else is a fault of the caller, not another drain.
    assert_eq!(ask("node:gz2-a-1", "k1").await, (400, None));
    assert_eq!(ask("node:gz2-a-1", "k2").await.0, 201);
    assert_eq!(world.control.drains().borrow().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_waiting_edges_get_the_next_map() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("viewer");
    let served = world.control.snapshot().unwrap().version;
    let path = format!("/v1/map/record?after={served}&wait=20s");
    let waiting: Vec<_> = (0..20)
        .map(|edge| {
            let (client, path) = (client.clone(), format!("{path}&edge=e{edge}"));
            tokio::spawn(async move { client.get_bytes(&path, LONG).await })
        })
        .collect();
    // A rollback publishes at once, under a new version.
    let pin = json!({"reason": "next"});
    let operator = world.client("operator");
    let _: view::Done = operator.post_json("/v1/map/pin", &pin).await.unwrap();
    let to = json!({ "to": served.to_string() });
    let _: view::Done = operator.post_json("/v1/map/rollback", &to).await.unwrap();
    for edge in waiting {
        let record = edge.await.unwrap().unwrap().unwrap();
        let opened = coverage::record::open(&record, &[world.control.map_key()]).unwrap();
        assert!(opened.header.version > served);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rest_cannot_carry_is_refused_with_its_bottleneck() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("rollout");
    let lines = r#"{"kind":"demand","area":"cn","service":"live","mbps":3500}"#;
    let _: view::Taken = client
        .post_lines("/v1/telemetry", lines.into())
        .await
        .unwrap();
    let body = json!({"target": "site:gz1", "lease": "30m", "reason": "upgrade"});
    let fault = client
        .post_json::<Value>("/v1/drains", &body)
        .await
        .unwrap_err();
    let ClientError::Answered {
        status: 409, body, ..
    } = fault
    else {
        panic!("{fault}")
    };
    let refused: view::RefusedDrain = serde_json::from_value(*body).unwrap();
    assert_eq!(refused.drain.unwrap().state, "refused");
    assert!(refused.bottleneck.unwrap().missing_mbps > 0.0);
    assert_eq!(status(client.delete::<Value>("/v1/drains/d77").await), 404);
    let unknown = json!({"target": "site:gz9", "lease": "30m", "reason": "x"});
    assert_eq!(
        status(client.post_json::<Value>("/v1/drains", &unknown).await),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_gets_record_key_and_table() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("viewer");
    let map: view::Map = client.get_json("/v1/map").await.unwrap();
    let version = map.version.unwrap();
    let record = client
        .get_bytes("/v1/map/record?after=0.0&wait=20s&edge=e1", LONG)
        .await
        .unwrap()
        .unwrap();
    let key = world.control.map_key();
    let opened = coverage::record::open(&record, &[key]).unwrap();
    assert!(opened.header.version.to_string() >= version);
    let newest = opened.header.version;
    let started = Instant::now();
    let pinned = world
        .client("operator")
        .post_json::<view::Done>("/v1/map/pin", &json!({"reason": "test"}))
        .await;
    assert!(pinned.unwrap().done.contains("test"));
    let path = format!(
        "/v1/map/record?after={}.{}&wait=300ms&edge=e1",
        newest.epoch,
        newest.version + 9
    );
    assert_eq!(client.get_bytes(&path, LONG).await.unwrap(), None);
    assert!(started.elapsed() >= Duration::from_millis(300));
    let told: view::MapKey = client.get_json("/v1/map/key").await.unwrap();
    assert_eq!(told.key, coverage::Digest(key.to_bytes()).to_string());
    let path = format!("/v1/areas/{}", map.area_table);
    let table = client.get_bytes(&path, LONG).await.unwrap().unwrap();
    assert_eq!(
        coverage::AreaTable::decode(&table).unwrap().digest(),
        world.control.table().digest()
    );
    assert_eq!(status(client.get_bytes("/v1/areas/00", LONG).await), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_what_is_not_kept_is_refused() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("operator");
    assert_eq!(
        status(
            client
                .post_json::<Value>("/v1/map/rollback", &json!({"to": "77.9"}))
                .await
        ),
        404
    );
    assert_eq!(
        status(client.post_json::<Value>("/v1/map/unpin", &json!({})).await),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_shapes_that_are_described() {
    let world = World::new().await;
    world.ready().await;
    let client = world.client("rollout");
    let body = json!({"target": "node:gz2-a-1", "lease": "30m", "reason": "x"});
    let drain: Value = client.post_json("/v1/drains", &body).await.unwrap();
    let explanation: Value = client
        .get_json("/v1/explain?name=live.cdn.example&client=1.0.0.1")
        .await
        .unwrap();
    let map: Value = client.get_json("/v1/map").await.unwrap();
    let bills: Value = client.get_json("/v1/bills").await.unwrap();
    let document: Value = client.get_json("/v1/openapi.json").await.unwrap();
    let drain_parts = [
        "shifting_since",
        "refilling_since",
        "refill_from",
        "base_mbps",
        "zero_since",
        "zero_version",
    ];
    for (answer, schema, inner) in [
        (&drain, "Drain", &drain_parts[..]),
        (&drain["history"][0], "DrainEvent", &[]),
        (&explanation, "Explanation", &[]),
        (&explanation["answer"], "Answer", &[]),
        (&explanation["candidates"][0], "Candidate", &[]),
        (&map, "Map", &[]),
        (
            &map["cycle"],
            "Cycle",
            &["map_version", "map_digest", "map_created_at"],
        ),
        (&map["cycle"]["plan"], "Plan", &[]),
        (&map["cycle"]["plan"]["levels"], "Levels", &[]),
        (&bills, "Bills", &[]),
        (&bills["meters"][0], "Bill", &[]),
        (&bills["refused"], "RefusedSamples", &[]),
    ] {
        let described = &document["components"]["schemas"][schema]["properties"];
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        let missing: Vec<_> = keys(described).difference(&keys(answer)).cloned().collect();
        assert!(missing.is_empty(), "{schema} promises {missing:?}");
        let silent: Vec<_> = keys(answer).difference(&keys(described)).cloned().collect();
        assert!(
            silent
                .iter()
                .all(|key| inner.contains(&key.as_str()) || schema == "Drain"),
            "{schema} is silent about {silent:?}"
        );
    }
    serde_json::from_value::<view::Explanation>(explanation).unwrap();
    let inventory: view::Inventory = client.get_json("/v1/inventory").await.unwrap();
    assert_eq!(
        (inventory.sites.len(), inventory.groups[0].nodes.len()),
        (4, 2)
    );
    assert_eq!(inventory.groups[0].links, ["gz1/ct"]);
    let instance: instance::Instance = client.get_json("/v1/instance?fresh=true").await.unwrap();
    instance.validate().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_streamed_as_they_happen() {
    let world = World::new().await;
    world.ready().await;
    let socket = TcpStream::connect(world.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let (read, mut write) = socket.into_split();
    write
        .write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer viewer\r\n\r\n")
        .await
        .unwrap();
    let mut lines = BufReader::new(read).lines();
    let mut seen = String::new();
    let mut pinned = false;
    while let Some(line) = tokio::time::timeout(LONG, lines.next_line())
        .await
        .unwrap()
        .unwrap()
    {
        seen += &line;
        if line.starts_with(": connected") && !pinned {
            pinned = true;
            let pin = json!({"reason": "look here"});
            world
                .client("operator")
                .post_json::<Value>("/v1/map/pin", &pin)
                .await
                .unwrap();
        }
        if line.contains("look here") {
            break;
        }
    }
    assert!(
        seen.contains("text/event-stream") && seen.contains("event: map.pin"),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bills_tell_what_the_ledger_has() {
    let world = World::new().await;
    let slot = 300_000;
    let now = crate::clock::now().0;
    let start = now - now % slot;
    let line = |slots: u64, mbps: u32| {
        let at = start - slots * slot + 1000;
        format!("{{\"kind\":\"link\",\"link\":\"gz1/ct\",\"mbps\":{mbps},\"at\":{at}}}\n")
    };
    // A slot without a sample lies between; the second in the first slot makes its mean.
    let lines = [line(5, 100), line(5, 300), line(4, 50), line(2, 80)].concat();
    let pushed = world.client("rollout");
    let taken: view::Taken = pushed
        .post_lines("/v1/telemetry", lines.into())
        .await
        .unwrap();
    assert_eq!(taken.accepted, 4);
    let client = world.client("viewer");
    let bills = || async { client.get_json::<view::Bills>("/v1/bills").await.unwrap() };
    let mut found = bills().await;
    for _ in 0..50 {
        if found.meters[0].slots_closed >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = bills().await;
    }
    let bill = &found.meters[0];
    assert_eq!(
        (bill.meter.as_str(), bill.model.as_str()),
        ("m1", "month-95")
    );
    assert!(bill.month_start <= start && start < bill.month_end);
    assert_eq!(bill.slots * slot, bill.month_end - bill.month_start);
    // Unless a month has just begun, or a slot while this ran.
    if bill.month_start + 5 * slot < start && crate::clock::now().0 < start + slot {
        assert_eq!((bill.slots_closed, bill.slots_missing), (3, 2));
        assert_eq!(
            bill.slots_unseen,
            (start - 5 * slot - bill.month_start) / slot
        );
        assert_eq!(bill.so_far_mbps, Some(200.0));
    }
    assert_eq!(bill.burst_slots, bill.slots / 20);
    assert_eq!((bill.certain_mbps, bill.certain_cny), (0.0, 0.0));
    assert_eq!((found.refused.late, found.refused.recent.len()), (0, 0));
}
