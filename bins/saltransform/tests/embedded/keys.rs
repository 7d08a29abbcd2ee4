//! The keys of records: in dialect ts_xml those of ts_salobj, without which the brokers refuse events, whose topics are
//! compacted.

use rdkafka::Message;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use sal::name::Dialect;
use serde_json::{Value, json};

use crate::stack::{DEAD, INPUT, OUTPUT, Stack, header, message};

const LETTERS: &str = "saltransform_dead_letters_total";

/// A record of dialect ts_xml with an index and one item.
fn ts_xml(name: &str) -> String {
    let field = |name: &str, of: &str, default: Value| json!({"name": name, "type": of, "default": default});
    let fields = vec![
        field("salIndex", "int", json!(0)),
        field("private_sndStamp", "double", json!(0.0)),
        field("private_rcvStamp", "double", json!(0.0)),
        field("private_efdStamp", "double", json!(0.0)),
        field("private_kafkaStamp", "double", json!(0.0)),
        field("private_seqNum", "int", json!(0)),
        field("private_revCode", "string", json!("")),
        field("private_identity", "string", json!("")),
        field("private_origin", "int", json!(0)),
        field("level", "double", json!(0.0)),
    ];
    json!({"type": "record", "name": name, "namespace": "lsst.sal.Mock", "fields": fields}).to_string()
}

fn text(kind: &str, name: &str, index: i64, rest: &str) -> Vec<u8> {
    format!(
        "Mock_{kind} Mock_{name}:( 'it''s a rev' , 1556000000.125000 , 1556000000.127185 , 1 , 2 , 3 , {index} , 0.5{rest})"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_have_the_keys_of_ts_salobj() {
    for exactly_once in [false, true] {
        let stack = Stack::start(1).await;
        for name in ["logevent_state", "command_move", "position"] {
            let topic = format!("lsst.sal.Mock.{name}");
            stack.broker.create_topic(&topic, 1).unwrap();
            stack
                .register_under(&format!("{topic}-value"), &ts_xml(name))
                .await;
        }
        let own = Some(&b"a key of its own"[..]);
        stack.send(own, Some(&text("logevent", "logevent_state", 7, " , 0")), None);
        stack.send(None, Some(&text("logevent", "logevent_state", 12, " , 0")), None);
        stack.send(None, Some(&text("command", "command_move", 7, "")), None);
        stack.send(own, Some(&text("telemetry", "position", 7, "")), None);
        let mut args = stack.args();
        args.naming.dialect = Dialect::TsXml;
        args.exactly_once = exactly_once;
        let running = stack.run(args);
        let key = |name: &str, at: usize| {
            let message = &stack.read(&format!("lsst.sal.Mock.{name}"), at + 1)[at];
            message.key().map(|key| String::from_utf8(key.to_vec()).unwrap())
        };
        for (at, index) in [7, 12].into_iter().enumerate() {
            let expected = format!(r#"{{ "name": "Mock", "index": {index}, "topic": "logevent_state" }}"#);
            assert_eq!(key("logevent_state", at), Some(expected));
        }
        assert_eq!(
            key("command_move", 0).as_deref(),
            Some(r#"{ "name": "Mock", "index": 7, "topic": "command_move" }"#)
        );
        assert_eq!(key("position", 0).as_deref(), Some("a key of its own"));
        running.stop().await;
    }
}

/// As a broker answers for a compacted topic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_that_the_key_is_missing() {
    for exactly_once in [false, true] {
        let stack = Stack::start(1).await;
        stack.register(false).await;
        stack.produce([message(1, None)]);
        stack
            .broker
            .fail_next(
                RDKafkaApiKey::Produce,
                &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD],
            )
            .unwrap();
        let mut args = stack.args();
        args.exactly_once = exactly_once;
        let running = stack.run(args);
        running.wait_for(LETTERS, 1).await;
        let letter = &stack.read(DEAD, 1)[0];
        assert_eq!(header(letter, "topic"), INPUT);
        assert_eq!(header(letter, "reason"), "refused_by_broker");
        let detail = header(letter, "detail");
        let remedy = format!("`kafkaefd admin topics config {OUTPUT} --set cleanup.policy delete`");
        assert!(
            detail.contains("the record has no key") && detail.contains(&remedy),
            "{detail}"
        );
        running.stop().await;
    }
}
