#!/bin/sh
exec java -Xmx256M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/tools/*' \
    org.apache.kafka.tools.BrokerApiVersionsCommand "$@"
