//! The three stages in this process, each with its own service and metrics.

use std::time::{Duration, Instant};

use influxsink::config::RunArgs as SinkArgs;
use salmock::config::{ProduceConfig, Source};
use saltransform::config::{OffsetReset, RunArgs as TransformArgs};
use saltransform::run::Stage;
use stage::config::ServiceArgs;
use stage::intake::Topics;
use stage::service::{Service, Shutdown};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::DemoArgs;
use super::metrics::Sample;
use super::screen::Screen;
use super::services::Services;

/// How long the first message may take.
const MAX_FIRST_MESSAGE_DURATION: Duration = Duration::from_secs(30);

/// A stage cannot be started or has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StagesError {
    #[error("saltransform failed")]
    Transform(#[from] saltransform::run::RunError),
    #[error("influxsink cannot be configured")]
    SinkConfig(#[from] influxsink::config::ConfigError),
    #[error("influxsink failed")]
    Sink(#[from] influxsink::RunError),
    #[error("salmock failed")]
    Produce(#[from] salmock::ProduceError),
    #[error(transparent)]
    Port(#[from] stage::service::ServerError),
    #[error("a stage panicked")]
    Panic(#[from] tokio::task::JoinError),
}

/// The running stages.
pub(super) struct Stages {
    /// The addresses of their metrics.
    pub(super) metrics: Vec<String>,
    salmock: Service,
    saltransform: Service,
    influxsink: Service,
    producing: std::sync::Mutex<Option<JoinHandle<Result<salmock::Report, salmock::ProduceError>>>>,
    transforming: JoinHandle<Result<(), saltransform::run::RunError>>,
    sinking: JoinHandle<Result<(), influxsink::RunError>>,
}

impl Stages {
    /// Starts the sink first and the producer last, so that even the first message reaches the database at once.
    pub(super) async fn start(
        args: &DemoArgs,
        services: &Services,
        screen: &mut Screen,
    ) -> Result<Self, StagesError> {
        // Real services keep the groups of earlier runs, so each run has its own.
        let run = format!("kafkaefd-demo-{}", std::process::id());
        let service_args = ServiceArgs::default();
        let [mut salmock, mut saltransform, mut influxsink] =
            std::array::from_fn(|_| Service::embedded(&service_args));
        let mut watch = format!("kafkaefd top --broker {}", services.kafka.broker);
        let mut metrics = Vec::new();
        for service in [&mut salmock, &mut saltransform, &mut influxsink] {
            let address = service.serve(&service_args).await?.to_string();
            watch.push_str(&format!(" --metrics {address}"));
            metrics.push(address);
        }
        screen.watch(&watch);

        let topics = services
            .schemas
            .iter()
            .map(|schema| schema.kafka_topic.clone())
            .collect();
        let mut sink = SinkArgs::new(
            Topics::Named(topics),
            services.database.clone(),
            services.kafka.clone(),
            services.registry.clone(),
            service_args.clone(),
        );
        sink.group = format!("{run}-influxsink");
        sink.databases.org = vec![args.influxdb_org.clone()];
        sink.databases.bucket = vec![args.influxdb_bucket.clone()];
        sink.auto_offset_reset = reset(args).to_owned();
        let config = sink.check()?;
        let (service, runtime) = (influxsink.clone(), Handle::current());
        let sinking = tokio::task::spawn_blocking(move || influxsink::run(&config, &service, &runtime));

        let mut subsystems: Vec<String> = services
            .schemas
            .iter()
            .map(|s| s.topic.component().to_owned())
            .collect();
        subsystems.dedup();
        subsystems.sort();
        subsystems.dedup();
        let mut transform =
            TransformArgs::new(services.kafka.clone(), services.registry.clone(), service_args);
        transform.subsystem = subsystems;
        transform.group = Some(format!("{run}-saltransform"));
        if args.broker.is_some() {
            transform.auto_offset_reset = OffsetReset::Latest;
        }
        let stage = Stage::new(&transform, &saltransform)?;
        let transforming = tokio::task::spawn_blocking(move || stage.run());
        let stages = Self {
            metrics,
            salmock,
            saltransform,
            influxsink,
            producing: std::sync::Mutex::default(),
            transforming,
            sinking,
        };
        stages.wait_until_ready(screen).await;
        stages.produce(args, services);
        Ok(stages)
    }

    async fn wait_until_ready(&self, screen: &mut Screen) {
        for (name, service) in [
            ("influxsink", &self.influxsink),
            ("saltransform", &self.saltransform),
        ] {
            while !service.readiness.is_ready() && !self.any_failed() {
                screen.waiting(name, &service.readiness.missing());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            screen.stage(name);
        }
        screen.stage("salmock");
    }

    fn produce(&self, args: &DemoArgs, services: &Services) {
        let source = Source::Files(services.interfaces.clone());
        let mut config = ProduceConfig::new(source, services.kafka.clone(), services.registry.clone());
        config.topics = services
            .schemas
            .iter()
            .map(|schema| schema.topic.to_string())
            .collect();
        config.period = args.period;
        let service = self.salmock.clone();
        let task = tokio::spawn(async move { salmock::produce(&config, &service).await });
        *self.lock() = Some(task);
    }

    /// Waits until the first message is in Kafka: the producer reads its interfaces first.
    pub(super) async fn wait_until_flowing(&self, stop: &Shutdown) {
        let start = Instant::now();
        while self.sample().count("salmock_produced_total") == 0
            && start.elapsed() < MAX_FIRST_MESSAGE_DURATION
            && !self.any_failed()
            && !stop.is_set()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads the metrics of all stages.
    pub(super) fn sample(&self) -> Sample {
        Sample::of_services([&self.salmock, &self.saltransform, &self.influxsink].into_iter())
    }

    /// Whether a stage has ended by itself.
    pub(super) fn any_failed(&self) -> bool {
        self.transforming.is_finished()
            || self.sinking.is_finished()
            || self.lock().as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Stops salmock and returns the number of its messages that the broker has acknowledged.
    pub(super) async fn stop_producing(&self) -> Result<u64, StagesError> {
        self.salmock.shutdown.ask();
        let task = self.lock().take();
        match task {
            Some(task) => Ok(task.await??.produced),
            None => Ok(0),
        }
    }

    /// Drains saltransform, then influxsink, and returns the final metrics.
    pub(super) async fn stop(self) -> Result<Sample, StagesError> {
        let services = [self.salmock, self.saltransform, self.influxsink];
        services[1].shutdown.ask();
        self.transforming.await??;
        services[2].shutdown.ask();
        self.sinking.await??;
        Ok(Sample::of_services(services.iter()))
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, Option<JoinHandle<Result<salmock::Report, salmock::ProduceError>>>> {
        stage::lock(&self.producing)
    }
}

/// On a real broker, existing messages are not the demo's; on the embedded one there are none.
fn reset(args: &DemoArgs) -> &'static str {
    if args.broker.is_some() {
        "latest"
    } else {
        "earliest"
    }
}
