"""What the demo's account has beside its business: an API key, and a week of the activity log."""

from actors.service import Service
from protocol.people.access import ApiKey, kept_of, new_key
from protocol.people.people import Action, AuditEntry
from protocol.rest.listing import API_KEYS, Listing
from protocol.times import SECOND_US

HOUR_US = 3_600 * SECOND_US
KEY_NAME = "Cash register at Bạch Đằng"
# Addresses for documents (RFC 5737), and browsers as people have them.
SHOP, HOME = "203.0.113.24", "198.51.100.7"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36"
ACTIVITY: tuple[tuple[float, Action, str, str, str], ...] = (
    (167, "signed_in", "", SHOP, DESKTOP),
    (166.8, "media_added", "menu-morning.jpg", SHOP, DESKTOP),
    (166.7, "media_added", "menu-evening.jpg", SHOP, DESKTOP),
    (143, "api_key_added", KEY_NAME, SHOP, DESKTOP),
    (142.5, "api_key_used", KEY_NAME, SHOP, "register/3.2"),
    (96, "sign_in_failed", "", HOME, PHONE),
    (95.9, "signed_in", "", HOME, PHONE),
    (71, "feed_changed", "temperature", SHOP, DESKTOP),
    (47, "product_changed", "GIFT-1", SHOP, DESKTOP),
    (24, "history_exported", "humidity", SHOP, DESKTOP),
)


async def add_office(service: Service, user_id: str, now_us: int) -> None:
    """Add it unless it is there."""
    if await service.store.listed(API_KEYS, user_id, Listing(limit=1)):
        return
    prefix = service.ids.uuid().replace("-", "")[:8]
    key = ApiKey(
        id=service.ids.uuid(),
        user_id=user_id,
        name=KEY_NAME,
        prefix=prefix,
        # Nobody is told the key, so nobody can use it.
        sha256=kept_of(new_key(prefix, service.ids.secret())),
        scope="read",
        created_us=now_us - 143 * HOUR_US,
    )
    for hours, action, subject, address, agent in ACTIVITY:
        await service.store.add_audit(
            AuditEntry(
                user_id=user_id,
                at_us=now_us - round(hours * HOUR_US),
                action=action,
                subject=subject,
                address=address,
                agent=agent,
            )
        )
    await service.store.add_api_key(key)
