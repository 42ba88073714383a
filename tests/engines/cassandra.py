"""Apache Cassandra: one node with a password, on a port that takes TLS and plain connections, or three open ones."""

from __future__ import annotations

import json
from pathlib import Path

from .fetch import HERE, java_home, jars
from .node import Node, free_ports
from .secure import STORE_PASSWORD, Certificates

READY = "Startup complete"
DATA_CENTER = "datacenter1"
# The superuser that a node makes by itself.
USER, PASSWORD = "cassandra", "cassandra"
LOGGING = """<configuration>
  <appender name="c" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %-5level %logger{0} %msg%n</pattern></encoder></appender>
  <root level="INFO"><appender-ref ref="c"/></root>
</configuration>
"""


def nodes(home: Path, count: int, certificates: Certificates) -> list[Node]:
    """Start them one after another: a node that joins asks the first one for the ring."""
    lib = jars("cassandra")
    hosts = tuple(f"127.0.0.{n + 1}" for n in range(count))
    native, storage = free_ports(2, hosts)
    made = []
    for n, host in enumerate(hosts):
        place = home / f"cassandra-{n + 1}"
        place.mkdir(parents=True)
        (place / "logback.xml").write_text(LOGGING)
        settings = _settings(place, host, {"native": native, "storage": storage})
        settings |= _secured(certificates) if count == 1 else _spread(n, count)
        # JSON is YAML.
        (place / "cassandra.yaml").write_text(json.dumps(settings, indent=1))
        heap = "320m" if count == 1 else "192m"
        # The first round of gossip of a node that joins is bounded by the ring delay.
        ring_delay_ms = 200 if n == 0 else 3_000
        command = [
            java_home() / "bin/java", f"-Xms{heap}", f"-Xmx{heap}", f"@{HERE / 'cassandra.options'}", "-cp", f"{lib}/*",
            "-Dlogback.configurationFile=logback.xml", f"-Dcassandra.config=file://{place}/cassandra.yaml",
            f"-Dcassandra.storagedir={place}", "-Dcassandra-foreground=yes", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            f"-Dcassandra.ring_delay_ms={ring_delay_ms}", "-Dcassandra.superuser_setup_delay_ms=0",
            "org.apache.cassandra.service.CassandraDaemon",
        ]
        made.append(Node(f"cassandra-{n + 1}", f"{host}:{native}", place, command, READY))
    return made


def _settings(place: Path, host: str, ports: dict) -> dict:
    return {
        "cluster_name": "engines",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                           "parameters": [{"seeds": f"127.0.0.1:{ports['storage']}"}]}],
        "listen_address": host,
        "storage_port": ports["storage"],
        "rpc_address": host,
        "start_native_transport": True,
        "native_transport_port": ports["native"],
        "native_transport_max_threads": 16,
        "data_file_directories": [f"{place}/data"],
        "commitlog_directory": f"{place}/commitlog",
        "saved_caches_directory": f"{place}/saved_caches",
        "hints_directory": f"{place}/hints",
        "cdc_raw_directory": f"{place}/cdc_raw",
        # An answer means that it is on the disk: `periodic` loses up to 100 ms of what it has answered to a kill -9.
        "commitlog_sync": "batch",
        # Half of it is the largest mutation, and the largest message.
        "commitlog_segment_size": "8MiB",
        "commitlog_total_space": "64MiB",
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
        "memtable_heap_space": "64MiB",
        "memtable_offheap_space": "64MiB",
        "memtable_allocation_type": "heap_buffers",
        "memtable": {"configurations": {"trie": {"class_name": "TrieMemtable"}, "default": {"inherits": "trie"}}},
        "sstable": {"selected_format": "bti"},
        # What the trie-indexed format needs.
        "storage_compatibility_mode": "NONE",
        "file_cache_size": "32MiB",
        "networking_cache_size": "16MiB",
        "key_cache_size": "4MiB",
        "counter_cache_size": "0MiB",
        "auto_snapshot": False,
        "concurrent_reads": 8,
        "concurrent_writes": 16,
        "concurrent_counter_writes": 2,
        "concurrent_compactors": 1,
        "compaction_throughput": "0MiB/s",
        "write_request_timeout": "5s",
        "read_request_timeout": "5s",
    }


def _secured(certificates: Certificates) -> dict:
    return {
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "role_manager": "CassandraRoleManager",
        "client_encryption_options": {
            "enabled": True,
            # Plain connections too, on the same port: one node for every suite.
            "optional": True,
            "keystore": str(certificates.store),
            "keystore_password": STORE_PASSWORD,
            "store_type": "PKCS12",
            "require_client_auth": False,
        },
    }


def _spread(n: int, count: int) -> dict:
    """Even tokens, and no streaming to a node that joins: all start empty. Logins would depend on the one node that has them."""
    return {"initial_token": str(n * 2**64 // count - 2**63), "auto_bootstrap": n == 0}
