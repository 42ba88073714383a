"""Apache Kafka in KRaft mode: combined nodes (broker and controller), a plain listener and one with TLS and SASL each."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .fetch import EngineFailed, java_home, jars
from .node import Node, free_ports
from .secure import STORE_PASSWORD, Certificates

CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
USER, PASSWORD = "alice", "alice-secret"
READY = "Kafka Server started"
FORMAT_SECONDS_MAX = 120
LOGGING = """status=error
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.c.ref=c
logger.s.name=kafka
logger.s.level=info
"""
# C1 only: half of the CPU of a start, and suites start more often than they run long.
JVM = ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1"]


def nodes(home: Path, count: int, certificates: Certificates) -> list[Node]:
    """Formatted and ready to start; they form their quorum once all were started."""
    lib = jars("kafka")
    ports = free_ports(3 * count)
    voters = ",".join(f"{n + 1}@127.0.0.1:{ports[3 * n + 1]}" for n in range(count))
    made = []
    for n in range(count):
        place = home / f"kafka-{n + 1}"
        place.mkdir(parents=True)
        (place / "log4j2.properties").write_text(LOGGING)
        settings = _settings(n + 1, count, ports[3 * n : 3 * n + 3], certificates)
        settings |= {"controller.quorum.voters": voters, "log.dirs": place / "data"}
        (place / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        java = [java_home() / "bin/java", *JVM, "-cp", f"{lib}/*", "-Dlog4j2.configurationFile=log4j2.properties"]
        _format(place, java)
        heap = ["-Xms64m", "-Xmx256m" if count == 1 else "-Xmx192m"]
        command = [java[0], *heap, *java[1:], "kafka.Kafka", "server.properties"]
        plain, secure = f"127.0.0.1:{ports[3 * n]}", f"127.0.0.1:{ports[3 * n + 2]}"
        made.append(Node(f"kafka-{n + 1}", plain, place, command, READY, secure))
    return made


def _settings(node: int, count: int, ports: list[int], certificates: Certificates) -> dict:
    plain, controller, secure = (f"127.0.0.1:{port}" for port in ports)
    replicas, in_sync = (3, 2) if count >= 3 else (1, 1)
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "process.roles": "broker,controller",
        "node.id": node,
        "listeners": f"PLAIN://{plain},SECURE://{secure},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAIN://{plain},SECURE://{secure}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAIN",
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.secure.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.secure.plain.sasl.jaas.config":
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        # Without a validator of its own the broker takes unsigned tokens, but checks their subject and their times.
        "listener.name.secure.oauthbearer.sasl.jaas.config":
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
        "listener.name.secure.ssl.keystore.type": "PKCS12",
        "listener.name.secure.ssl.keystore.location": certificates.store,
        "listener.name.secure.ssl.keystore.password": STORE_PASSWORD,
        "listener.name.secure.ssl.key.password": STORE_PASSWORD,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        "num.network.threads": 2,
        "num.io.threads": 2,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 4_194_304,
    }
    if count > 1:
        # A dead broker is given up after 3 s, so that a test of a fail-over is one of seconds.
        settings |= {
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            "replica.lag.time.max.ms": 3_000,
            "controller.quorum.election.timeout.ms": 500,
            "controller.quorum.fetch.timeout.ms": 1_000,
            "controller.quorum.request.timeout.ms": 1_000,
        }
    return settings


def _format(place: Path, java: list) -> None:
    users = [part for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
             for part in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")]
    command = [java[0], "-Xmx96m", *java[1:], "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties", *users]
    done = subprocess.run([str(part) for part in command], cwd=place, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FORMAT_SECONDS_MAX, check=False)
    if done.returncode:
        raise EngineFailed(f"{place}: the storage was not formatted:\n{done.stdout}")
