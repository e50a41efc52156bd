"""What the benches have in common: an event of ordinary size, and the process's memory."""

from pathlib import Path

from conversion_relay.event import SealedEvent

WEEK = 7 * 86_400 - 300
BODY = (
    '{{"event_name":"Purchase","event_time":{at},"event_id":"purchase_{n:016x}","action_source":"website",'
    '"event_source_url":"https://courses.example/thanks","user_data":{{"em":["{n:064x}"],"ph":["{m:064x}"],'
    '"client_ip_address":"203.0.113.9","client_user_agent":"Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0",'
    '"fbp":"fb.1.1596403881668.1116446470"}},"custom_data":{{"value":49.0,"currency":"EUR"}}}}'
)


def sealed_event(n: int, at: float, dataset: str = "1") -> SealedEvent:
    """Half a kilobyte, as a purchase of the course site is."""
    return SealedEvent(
        dataset=dataset,
        event_name="Purchase",
        event_id=f"purchase_{n:016x}",
        event_time=int(at),
        expires_at=int(at) + WEEK,
        body=BODY.format(at=int(at), n=n, m=n * 7).encode(),
    )


def memory_mb() -> float:
    """Resident, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
