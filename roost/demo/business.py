"""What the demo shows: Cà phê Sông Hàn, a chain of coffee shops in Đà Nẵng.

Everything here is data. `readings` says what its devices measure, `show` plays it.
"""

from decimal import Decimal

import msgspec

from protocol.device.alarms import AlarmRule

ZONE = "Asia/Ho_Chi_Minh"
ZONE_HOURS = 7  # it has no daylight-saving time

HOURS = 3_600.0
DAYS = 24 * HOURS


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A feed, and around what its values swing.

    Attributes:
        middle, swing: mean, and amplitude over a day, with its highest point at three.
        noise: of single readings.
        decimals: what such a sensor shows.
    """

    key: str
    name: str
    unit: str
    middle: float
    swing: float
    noise: float
    decimals: int = 1
    min_value: float | None = None
    max_value: float | None = None
    alarm: AlarmRule = AlarmRule()

    @property
    def has_alarm(self) -> bool:
        return self.min_value is not None or self.max_value is not None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the business. `route`: how far it drives around its place, in degrees."""

    code: str
    name: str
    latitude: float
    longitude: float
    sensors: tuple[Sensor, ...] = ()
    firmware: str = "2.4.1"
    is_screen: bool = False
    is_away: bool = False  # it went offline; its history ends some hours ago
    route: float = 0.0


class Episode(msgspec.Struct, frozen=True):
    """Something that happened, so many seconds before the demo began: the sensor goes up by
    `rise`, or the device is silent (`rise` 0). It lasts for ever where `until_s` is below 0."""

    code: str
    key: str
    since_s: float
    until_s: float
    rise: float = 0.0


class Ware(msgspec.Struct, frozen=True):
    sku: str
    name: str
    price: Decimal
    stock: int


class Play(msgspec.Struct, frozen=True):
    """A media file on screens, each day at an hour and minute, or by a rule."""

    media: str
    screens: tuple[str, ...]
    hour: int
    minute: int
    rule: str = "FREQ=DAILY"


FRIDGE = Sensor(
    key="temperature",
    name="Fridge temperature",
    unit="°C",
    middle=4.2,
    swing=0.5,
    noise=0.5,
    min_value=0,
    max_value=8,
    alarm=AlarmRule(after_s=1_800, hysteresis=0.5, severity="critical"),
)
ROOM = (
    Sensor(key="temperature", name="Room temperature", unit="°C", middle=25.5, swing=2, noise=0.4),
    Sensor(key="humidity", name="Humidity", unit="%", middle=66, swing=-7, noise=1.5, decimals=0),
)
SCREEN = (
    Sensor(key="backlight", name="Backlight", unit="%", middle=62, swing=30, noise=1, decimals=0),
)
BEANS = (
    Sensor(key="temperature", name="Store temperature", unit="°C", middle=22, swing=1, noise=0.2),
    Sensor(
        key="humidity",
        name="Store humidity",
        unit="%",
        middle=56,
        swing=-3,
        noise=0.8,
        max_value=65,
        alarm=AlarmRule(after_s=1_800, hysteresis=1),
    ),
)
ROASTER = (
    Sensor(key="power", name="Power", unit="kW", middle=6.5, swing=5.5, noise=0.6, decimals=2),
)
VAN = (
    Sensor(key="battery", name="Battery", unit="%", middle=68, swing=-24, noise=0.5, decimals=0),
    Sensor(key="cold_box", name="Cold box", unit="°C", middle=5.5, swing=1, noise=0.4),
)

PLACES = (
    Place(
        code="bach-dang-fridge",
        name="Bạch Đằng – Milk fridge",
        latitude=16.06935,
        longitude=108.22485,
        sensors=(FRIDGE,),
    ),
    Place(
        code="bach-dang-room",
        name="Bạch Đằng – Guest room",
        latitude=16.06948,
        longitude=108.22478,
        sensors=ROOM,
    ),
    Place(
        code="bach-dang-screen",
        name="Bạch Đằng – Menu screen",
        latitude=16.06941,
        longitude=108.22470,
        sensors=SCREEN,
        is_screen=True,
    ),
    Place(
        code="my-khe-fridge",
        name="Mỹ Khê – Milk fridge",
        latitude=16.06120,
        longitude=108.24630,
        sensors=(FRIDGE,),
    ),
    Place(
        code="my-khe-room",
        name="Mỹ Khê – Terrace",
        latitude=16.06133,
        longitude=108.24648,
        sensors=ROOM,
    ),
    Place(
        code="my-khe-screen",
        name="Mỹ Khê – Menu screen",
        latitude=16.06126,
        longitude=108.24622,
        sensors=SCREEN,
        is_screen=True,
    ),
    Place(
        code="an-thuong-fridge",
        name="An Thượng – Milk fridge",
        latitude=16.05060,
        longitude=108.24380,
        sensors=(FRIDGE,),
    ),
    Place(
        code="an-thuong-screen",
        name="An Thượng – Menu screen",
        latitude=16.05068,
        longitude=108.24392,
        sensors=SCREEN,
        is_screen=True,
    ),
    Place(
        code="son-tra-room",
        name="Sơn Trà – Guest room",
        latitude=16.08770,
        longitude=108.24210,
        sensors=ROOM,
        firmware="2.3.0",
        is_away=True,
    ),
    Place(
        code="roastery-beans",
        name="Hòa Khánh – Bean store",
        latitude=16.06330,
        longitude=108.15400,
        sensors=BEANS,
    ),
    Place(
        code="roastery-roaster",
        name="Hòa Khánh – Roaster",
        latitude=16.06345,
        longitude=108.15418,
        sensors=ROASTER,
    ),
    Place(
        code="van",
        name="Delivery van",
        latitude=16.06000,
        longitude=108.21300,
        sensors=VAN,
        route=0.012,
    ),
)
# This device is not simulated: it is for the user's own first message.
WORKBENCH = Place(
    code="workbench",
    name="Your own device",
    latitude=16.0544,
    longitude=108.2022,
    sensors=(
        Sensor(key="temperature", name="Temperature", unit="°C", middle=25, swing=0, noise=0),
        Sensor(key="humidity", name="Humidity", unit="%", middle=60, swing=0, noise=0),
    ),
)

EPISODES = (
    # A fridge whose door stayed open after the delivery, and one that was warm after a power cut.
    Episode("my-khe-fridge", "temperature", 9 * DAYS, 9 * DAYS - 2.5 * HOURS, 7.5),
    Episode("an-thuong-fridge", "", 3 * DAYS + 9 * HOURS, 3 * DAYS + 4 * HOURS),
    Episode("an-thuong-fridge", "temperature", 3 * DAYS + 4 * HOURS, 3 * DAYS + 2 * HOURS, 5.5),
    # Damp beans: once, and again now.
    Episode("roastery-beans", "humidity", 16 * DAYS, 16 * DAYS - 8 * HOURS, 13),
    Episode("roastery-beans", "humidity", 3 * HOURS, -1, 13),
    # No power at the beach for a night, no line at the roastery for a day, a van in the garage.
    Episode("my-khe-fridge", "", 12 * DAYS, 12 * DAYS - 5 * HOURS),
    Episode("my-khe-room", "", 12 * DAYS, 12 * DAYS - 5 * HOURS),
    Episode("my-khe-screen", "", 12 * DAYS, 12 * DAYS - 5 * HOURS),
    Episode("roastery-roaster", "", 21 * DAYS, 20 * DAYS),
    Episode("van", "", 6 * DAYS, 4.5 * DAYS),
    Episode("son-tra-room", "", 4 * HOURS, -1),
)


def _ware(sku: str, name: str, price: int, stock: int) -> Ware:
    return Ware(sku, name, Decimal(price), stock)


WARES = (
    _ware("RB-250", "Robusta Buôn Ma Thuột 250 g", 95_000, 140),
    _ware("RB-1000", "Robusta Buôn Ma Thuột 1 kg", 340_000, 60),
    _ware("AR-250", "Arabica Cầu Đất 250 g", 145_000, 120),
    _ware("AR-1000", "Arabica Cầu Đất 1 kg", 520_000, 60),
    _ware("BL-500", "House blend Sông Hàn 500 g", 190_000, 90),
    _ware("CB-330", "Cold brew bottle 330 ml", 49_000, 160),
    _ware("PHIN-1", "Phin filter, aluminium", 65_000, 70),
    _ware("PHIN-2", "Phin filter, ceramic", 185_000, 24),
    _ware("CUP-350", "Bamboo cup 350 ml", 120_000, 45),
    _ware("MILK-380", "Condensed milk 380 g", 32_000, 110),
    _ware("TEA-100", "Lotus tea 100 g", 110_000, 38),
    _ware("GIFT-1", "Gift box Đà Nẵng", 390_000, 30),
)

SCREENS = tuple(place.code for place in PLACES if place.is_screen)
PLAYS = (
    Play("menu-morning.jpg", SCREENS, 6, 30),
    Play("happy-hour.png", SCREENS[:2], 14, 0, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    Play("menu-evening.jpg", SCREENS, 17, 0),
    Play("sunrise.webm", SCREENS[:1], 6, 0, "FREQ=WEEKLY;BYDAY=SA,SU"),
)
