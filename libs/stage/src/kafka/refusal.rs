//! Classifies refusals and says what to do about them: the messages of librdkafka and of the broker, sorted into TLS,
//! SASL, permissions (ACLs) and connections that close without a reason. For operators only: nothing but a log line and
//! `/ready` depends on it.

use rdkafka::error::RDKafkaErrorCode;

const HANG_UP: &str = "the broker ends the connection: if it is not just starting or stopping, check security.protocol and the \
                       port (it may want TLS or a login)";

/// The layer that refuses access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The connection closed without a reason: the broker stops or starts, or does not understand the client.
    HangUp(&'static str),
    /// A certificate, the client's or the broker's.
    Tls(&'static str),
    /// The user and password, or a token.
    Sasl(&'static str),
    /// The user is authenticated but lacks a permission.
    Right(&'static str),
    /// What answers at the address is not a Kafka broker.
    Protocol(&'static str),
}

impl Refusal {
    /// Classifies an error; none if it is not a refusal.
    pub(super) fn of(code: RDKafkaErrorCode, reason: &str) -> Option<Self> {
        use RDKafkaErrorCode as Code;
        if let Some(advice) = not_kafka(reason) {
            return Some(Self::Protocol(advice));
        }
        match code {
            Code::SSL => Some(Self::Tls(broker_side(reason))),
            Code::BrokerTransportFailure => client_side(reason)
                .map(Self::Tls)
                .or_else(|| reason.contains("Disconnected").then_some(Self::HangUp(HANG_UP))),
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState => Some(Self::Sasl(login(reason))),
            Code::TopicAuthorizationFailed => Some(Self::Right(
                "the user lacks a right on this topic: READ and DESCRIBE to consume, WRITE and DESCRIBE to produce",
            )),
            Code::GroupAuthorizationFailed => {
                Some(Self::Right("the user lacks the right READ on the consumer group"))
            }
            Code::ClusterAuthorizationFailed => Some(Self::Right(
                "the user may produce nowhere: it needs WRITE on the output topics and on the dead-letter topic",
            )),
            Code::TransactionalIdAuthorizationFailed => Some(Self::Right(
                "the user lacks the rights WRITE and DESCRIBE on the transactional id",
            )),
            _ => None,
        }
    }

    /// The name of the layer in `/ready` and the log.
    pub(super) fn layer(self) -> &'static str {
        match self {
            Self::HangUp(_) => "hang-up",
            Self::Tls(_) => "TLS",
            Self::Sasl(_) => "SASL",
            Self::Right(_) => "ACL",
            Self::Protocol(_) => "protocol",
        }
    }

    /// What is wrong or what to check.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::HangUp(advice)
            | Self::Tls(advice)
            | Self::Sasl(advice)
            | Self::Right(advice)
            | Self::Protocol(advice) => advice,
        }
    }

    /// Whether only an operator can end it; closed connections also occur when a broker restarts.
    pub(super) fn is_sure(self) -> bool {
        !matches!(self, Self::HangUp(_))
    }

    /// Whether a working connection shows that it is over. A permission can be missing on a working connection.
    pub(super) fn is_of_connections(self) -> bool {
        !matches!(self, Self::Right(_))
    }
}

/// The handshake failed on the client's side: the broker's certificate is wrong, or the port has no TLS.
fn broker_side(reason: &str) -> &'static str {
    if reason.contains("PLAINTEXT broker listener") || reason.contains("wrong version number") {
        "the broker's port speaks no TLS: check security.protocol and the port"
    } else if let Some(advice) = client_side(reason) {
        advice
    } else {
        "the TLS handshake failed: check the certificates on both sides"
    }
}

/// The broker closed the connection during or after the handshake: the client's certificate or the protocol is wrong.
fn client_side(reason: &str) -> Option<&'static str> {
    const OURS: &str = "the broker refuses our certificate: check that ssl.certificate.location is signed by an authority that the \
                        broker trusts, and that it has not expired";
    let alert = [
        "alert bad certificate",
        "alert certificate",
        "alert unknown ca",
        "No matching issuer",
    ];
    if reason.contains("certificate verify failed") {
        Some(
            "the broker's certificate is not trusted: check that ssl.ca.location is its authority, that it has not \
             expired, and that --broker is a name that it was made for",
        )
    } else if alert.iter().any(|text| reason.contains(text)) || reason.contains("certificate required") {
        Some(OURS)
    } else if reason.contains("alert handshake failure") {
        Some(
            "the TLS handshake failed: the broker finds no protocol version or cipher that both know, or no certificate of ours",
        )
    } else {
        None
    }
}

/// What answers instead of a broker. librdkafka takes the first four bytes of any answer for its size.
fn not_kafka(reason: &str) -> Option<&'static str> {
    let (_, rest) = reason.split_once("Invalid response size ")?;
    let size = rest.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?;
    Some(match &size.parse::<i32>().ok()?.to_be_bytes() {
        b"HTTP" => {
            "an HTTP server answers at this address, not a Kafka broker: check --broker (BROKER) and its port"
        }
        // A TLS alert: its type, and the version of the protocol.
        [0x15, 0x03, ..] => "the broker's port wants TLS: check security.protocol and the port",
        _ => "what answers at this address is not a Kafka broker: check --broker (BROKER) and its port",
    })
}

/// Whether librdkafka's line about a lost connection is about one that closed right after it opened: with the wrong
/// protocol, brokers close it without a reason.
pub(super) fn is_hung_up_on(line: &str) -> bool {
    let state = line
        .split_once("(after ")
        .and_then(|(_, rest)| rest.split_once("ms in state "));
    let Some((lasted, state)) = state.filter(|_| line.contains(": Disconnected")) else {
        return false;
    };
    state.starts_with("APIVERSION_QUERY")
        || (state.starts_with("UP") && lasted.parse().is_ok_and(|ms: u32| ms < 500))
}

fn login(reason: &str) -> &'static str {
    if reason.contains("Unsupported SASL mechanism") {
        "the broker does not offer this mechanism on this port: check sasl.mechanisms and the port"
    } else if reason.contains("OAUTHBEARER") || reason.contains("token") {
        "the OAUTHBEARER token is refused, has expired or cannot be read: check --kafka-token-file, and the token's \
         audience, issuer and subject"
    } else {
        "user or password is wrong: check sasl.username and sasl.password"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    fn layer(code: Code, reason: &str) -> Option<&'static str> {
        Refusal::of(code, reason).map(Refusal::layer)
    }

    /// Reasons as librdkafka 2.12 and Kafka 4.1 gave them.
    #[test]
    fn real_refusals_are_distinguished() {
        let wrong_password = "sasl_ssl://127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed during \
                              authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 234ms)";
        let advice = |code, reason| Refusal::of(code, reason).unwrap().advice();
        assert!(advice(Code::Authentication, wrong_password).contains("password"));
        let expired = "ssl://127.0.0.1:1/bootstrap: Receive failed: error:0A000416:SSL routines::ssl/tls alert certificate \
                       unknown: SSL alert number 46 (after 54ms in state APIVERSION_QUERY)";
        assert!(advice(Code::BrokerTransportFailure, expired).contains("our certificate"));
        let authority = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate \
                         could not be verified, verify that ssl.ca.location is correctly configured";
        assert!(advice(Code::SSL, authority).contains("broker's certificate"));
        assert_eq!(layer(Code::TopicAuthorizationFailed, ""), Some("ACL"));
    }

    /// As the clients said it of a broker that was killed, and of one that wants TLS.
    #[test]
    fn a_connection_that_ends_without_a_word_is_not_a_sure_refusal() {
        for reason in [
            "GroupCoordinator: 127.0.0.1:1: Disconnected: connection reset by peer",
            "127.0.0.1:1/2: Disconnected: connection closed by peer: receive 0 after POLLIN",
        ] {
            let refusal = Refusal::of(Code::BrokerTransportFailure, reason).unwrap();
            assert_eq!((refusal.layer(), refusal.is_sure()), ("hang-up", false));
        }
        assert!(Refusal::of(Code::TopicAuthorizationFailed, "").unwrap().is_sure());
    }

    #[test]
    fn a_mechanism_that_is_not_offered_is_not_a_wrong_password() {
        let reason = "sasl_ssl://127.0.0.1:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported \
                      SASL mechanism: broker's supported mechanisms: OAUTHBEARER";
        let refusal = Refusal::of(Code::Authentication, reason).unwrap();
        assert!(
            refusal.advice().contains("sasl.mechanisms"),
            "{}",
            refusal.advice()
        );
    }

    #[test]
    fn what_is_not_kafka_is_known_by_its_first_bytes() {
        let advice = |size: i32| {
            let reason = format!(
                "127.0.0.1:1/bootstrap: Receive failed: Invalid response size {size} (0..100000000): increase \
                 receive.message.max.bytes (after 1ms in state APIVERSION_QUERY)"
            );
            Refusal::of(Code::BrokerTransportFailure, &reason)
                .unwrap()
                .advice()
        };
        assert!(advice(1_213_486_160).starts_with("an HTTP server answers"));
        assert!(advice(352_518_912).contains("wants TLS"));
        assert!(advice(1_397_966_893).contains("not a Kafka broker"));
        assert!(advice(-1).contains("not a Kafka broker"));
    }

    #[test]
    fn a_connection_that_worked_is_not_one_that_was_refused() {
        let lost = |tail| {
            is_hung_up_on(&format!(
                "[thrd:1]: ssl://127.0.0.1:1/1: Disconnected: closed by peer {tail}"
            ))
        };
        assert!(lost("(after 0ms in state APIVERSION_QUERY)"));
        assert!(lost("(after 3ms in state UP, 1 identical error(s) suppressed)"));
        assert!(!lost("(after 86012ms in state UP)"));
        assert!(!is_hung_up_on(
            "[thrd:1]: 1: Connect failed: Connection refused (after 0ms in state CONNECT)"
        ));
    }

    #[test]
    fn an_unavailable_broker_refuses_nobody() {
        let away = "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused";
        assert_eq!(layer(Code::BrokerTransportFailure, away), None);
        assert_eq!(layer(Code::AllBrokersDown, "1/1 brokers are down"), None);
    }
}
