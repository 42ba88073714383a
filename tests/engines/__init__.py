"""Apache Kafka and Apache Cassandra on loopback, for the suites and for trials: fetched once, started small, ended cleanly.

`python3 -m engines` (with `tests` on the path) is `make engines`; the suites say what is running from its `run.json`.
Standard library only; it needs Java 17, Maven and openssl.
"""
