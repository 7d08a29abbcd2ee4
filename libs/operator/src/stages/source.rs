//! Where stages are watched: one process at an address, or all processes that have a name in common, as the pods behind a
//! headless Service of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures::future::join_all;
use tokio::net::lookup_host;

use super::process::{StageRow, StageWatcher};

/// Before a name and a port: each address of the name is a process. It is looked up again at each look.
const BY_NAME: &str = "dns+";

/// One process, or those that a name has at the time of a look.
pub struct StageSource(Kind);

enum Kind {
    One(Box<StageWatcher>),
    Named {
        /// `HOST:PORT`.
        name: String,
        found: BTreeMap<SocketAddr, StageWatcher>,
    },
}

impl StageSource {
    /// A process at `HOST:PORT` or a URL; with `dns+HOST:PORT`, one at each address that the host's name has.
    pub fn at(address: &str) -> Result<Self, String> {
        let Some(name) = address.strip_prefix(BY_NAME) else {
            return Ok(Self(Kind::One(Box::new(StageWatcher::at(address)?))));
        };
        let is_whole = name.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
        });
        if !is_whole {
            return Err(format!(
                "{BY_NAME} is followed by a name and a port, as in {BY_NAME}saltransform:9464"
            ));
        }
        Ok(Self(Kind::Named {
            name: name.to_owned(),
            found: BTreeMap::new(),
        }))
    }

    /// The rows before any process has answered.
    pub fn unknown(&self) -> Vec<StageRow> {
        match &self.0 {
            Kind::One(stage) => vec![stage.unknown()],
            Kind::Named { name, .. } => vec![unknown(name)],
        }
    }

    /// Asks the processes; rates and quantiles are of the time since the previous look.
    pub async fn look(&mut self) -> Vec<StageRow> {
        match &mut self.0 {
            Kind::One(stage) => vec![stage.look().await],
            Kind::Named { name, found } => {
                let away = |why: String| {
                    vec![StageRow {
                        away: Some(why),
                        ..unknown(name)
                    }]
                };
                let addresses: BTreeSet<SocketAddr> = match lookup_host(name.as_str()).await {
                    Ok(addresses) => addresses.collect(),
                    Err(error) => return away(format!("no address has this name: {error}")),
                };
                found.retain(|address, _| addresses.contains(address));
                for address in addresses {
                    if let std::collections::btree_map::Entry::Vacant(place) = found.entry(address) {
                        match StageWatcher::at(&address.to_string()) {
                            Ok(stage) => place.insert(stage),
                            Err(why) => return away(why),
                        };
                    }
                }
                join_all(found.values_mut().map(StageWatcher::look)).await
            }
        }
    }
}

fn unknown(name: &str) -> StageRow {
    StageRow {
        stage: "?".to_owned(),
        url: format!("{BY_NAME}{name}"),
        ..StageRow::default()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn each_address_of_a_name_is_a_process() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            const METRICS: &str = "saltransform_consumed_total 1\n";
            while let Ok((mut connection, _)) = listener.accept().await {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{METRICS}",
                    METRICS.len()
                );
                // An answer before the request is none.
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n")
                    && connection.read_buf(&mut request).await.unwrap_or(0) > 0
                {}
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        let mut source = StageSource::at(&format!("dns+localhost:{port}")).unwrap();
        assert_eq!(source.unknown()[0].url, format!("dns+localhost:{port}"));
        let rows = source.look().await;
        let url = format!("http://127.0.0.1:{port}/metrics");
        let row = rows.iter().find(|row| row.url == url).unwrap();
        assert_eq!((row.stage.as_str(), &row.away), ("saltransform", &None));
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_said() {
        for wrong in ["dns+", "dns+host", "dns+:9464", "dns+http://host:9464"] {
            assert!(StageSource::at(wrong).is_err(), "{wrong}");
        }
        let mut source = StageSource::at("dns+no-such-host.invalid:9464").unwrap();
        let rows = source.look().await;
        assert!(
            rows[0]
                .away
                .as_ref()
                .unwrap()
                .contains("no address has this name")
        );
    }
}
