# All four binaries in one small image, run by a user without write access. The command line selects the binary:
#   docker build -t kafka-efd .
#   docker run --rm kafka-efd saltransform --help

FROM rust:1.95-slim-bookworm AS build
# A C and C++ compiler for librdkafka, zstd and SQLite; perl and make for OpenSSL. All are built from the sources in their
# crates.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ make perl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The commit that kafka_efd_build_info shows; the context holds no history:
#   docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD) -t kafka-efd .
ARG REVISION=unknown
ENV KAFKA_EFD_REVISION=$REVISION
# Backtraces keep the names of functions; the line numbers would be four fifths of the image.
# The cache may come from another checkout whose files were newer, and cargo compares nothing but times.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
 && cargo build --release --locked -p salmock -p saltransform -p influxsink -p kafkaefd \
 && mkdir /out \
 && cp target/release/salmock target/release/saltransform target/release/influxsink target/release/kafkaefd /out/ \
 && strip --strip-debug /out/*

FROM debian:bookworm-slim
# Certificate authorities, for TLS to Kafka, the registry and InfluxDB.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/bin/
COPY schemas/ /usr/share/kafka-efd/schemas/
# In a container, /metrics, /ready and /live must be reachable from outside.
ENV PROMETHEUS_HOST=0.0.0.0
EXPOSE 9464
USER 10001:10001
CMD ["kafkaefd", "--help"]
