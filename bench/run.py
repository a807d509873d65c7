"""All measurements, one after the other: `make bench`."""

from bench import due, ingest, latency, throughput

if __name__ == "__main__":
    latency.main()
    throughput.main()
    ingest.main()
    due.main()
