//! Which broker is the controller: the one thing that the brokers' metadata says and rdkafka does not pass on.

use rdkafka::producer::{BaseProducer, Producer};

use super::{Cluster, REQUEST_TIMEOUT};
use crate::failure::Failure;

impl Cluster {
    /// The id of the broker that clients take for the controller; none if nobody says. With KRaft that is a broker which
    /// passes requests on to the leader of the controllers' quorum.
    pub fn controller(&self) -> Result<Option<i32>, Failure> {
        let client: BaseProducer = self
            .config()
            .create()
            .map_err(Failure::kafka("making a client"))?;
        let patience = i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `native_ptr` is the handle of `client`, which lives until this function ends and is destroyed by its own
        // `Drop` alone; `rd_kafka_controllerid` takes any handle from any thread, keeps none, and answers a number.
        #[allow(unsafe_code, reason = "rdkafka has no safe call for it")]
        let id = unsafe { rdkafka::bindings::rd_kafka_controllerid(client.client().native_ptr(), patience) };
        Ok((id >= 0).then_some(id))
    }
}

#[cfg(test)]
mod tests {
    use devstack::Broker;
    use stage::config::KafkaArgs;

    use super::*;

    /// `scripts/memcheck` runs it under valgrind.
    #[test]
    fn what_the_broker_says_is_passed_on() {
        let broker = Broker::start().unwrap();
        let cluster = Cluster::reach(&KafkaArgs::at(broker.bootstrap_servers())).unwrap();
        assert_eq!(cluster.controller().unwrap(), Some(0), "librdkafka's mock says 0");
    }
}
