"""The made-up world of the simulator: places with their networks, devices and names.

Every address is from a range that belongs to nobody: users get 198.18.0.0/15 (RFC 2544, benchmarks) and 2001:db8::/32
(RFC 3849, documentation), attackers the three IPv4 documentation ranges (RFC 5737); AS numbers are from RFC 5398.
Which city a block belongs to is invented here; no geo database would say the same.

Does not belong here: users, tenants, or what happens when.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True)
class Network:
    """A place as a provider's geo lookup would report it, and the block of addresses that it stands for."""

    city: str
    region: str
    country: str
    asn: int
    asn_name: str
    block: IPv4Network

    @property
    def hosts(self) -> int:
        """Number of usable addresses."""
        return self.block.num_addresses - 2

    def address(self, host: int) -> str:
        """The IPv4 address of a host number."""
        return str(IPv4Address(int(self.block.network_address) + 1 + host % self.hosts))


_CITIES = (
    ("New York", "New York", "US"), ("Chicago", "Illinois", "US"), ("Austin", "Texas", "US"), ("Miami", "Florida", "US"),
    ("Seattle", "Washington", "US"), ("San Francisco", "California", "US"), ("Los Angeles", "California", "US"),
    ("Denver", "Colorado", "US"),
    ("Toronto", "Ontario", "CA"), ("Vancouver", "British Columbia", "CA"), ("Mexico City", "Mexico City", "MX"),
    ("São Paulo", "São Paulo", "BR"), ("Rio de Janeiro", "Rio de Janeiro", "BR"), ("Curitiba", "Paraná", "BR"),
    ("Buenos Aires", "Buenos Aires", "AR"), ("Santiago", "Santiago Metropolitan", "CL"),
    ("London", "England", "GB"), ("Manchester", "England", "GB"), ("Edinburgh", "Scotland", "GB"), ("Dublin", "Leinster", "IE"),
    ("Berlin", "Berlin", "DE"), ("München", "Bavaria", "DE"), ("Hamburg", "Hamburg", "DE"), ("Wien", "Vienna", "AT"),
    ("Zürich", "Zurich", "CH"), ("Paris", "Île-de-France", "FR"), ("Lyon", "Auvergne-Rhône-Alpes", "FR"), ("Madrid", "Madrid", "ES"),
    ("Amsterdam", "North Holland", "NL"), ("Stockholm", "Stockholm", "SE"), ("Oslo", "Oslo", "NO"), ("Warszawa", "Masovia", "PL"),
    ("Mumbai", "Maharashtra", "IN"), ("Bengaluru", "Karnataka", "IN"), ("Delhi", "Delhi", "IN"), ("Chennai", "Tamil Nadu", "IN"),
    ("Tokyo", "Tokyo", "JP"), ("Osaka", "Osaka", "JP"), ("Fukuoka", "Fukuoka", "JP"), ("Sapporo", "Hokkaido", "JP"),
    ("Seoul", "Seoul", "KR"), ("Singapore", "Singapore", "SG"),
    ("Sydney", "New South Wales", "AU"), ("Melbourne", "Victoria", "AU"), ("Brisbane", "Queensland", "AU"), ("Auckland", "Auckland", "NZ"),
)  # fmt: skip
_BLOCKS = tuple(IPv4Network("198.18.0.0/15").subnets(new_prefix=21))
_CARRIERS = ("Example Broadband", "Example Mobile", "Example Fibre", "Example Cable")

PLACES: tuple[Network, ...] = tuple(
    Network(city, region, country, 65536 + at % 16, f"{_CARRIERS[at % len(_CARRIERS)]} {country}", _BLOCKS[at])
    for at, (city, region, country) in enumerate(_CITIES)
)
"""Where users are."""

ATTACKER_NETWORKS: tuple[Network, ...] = (
    Network("Reykjavík", "Capital Region", "IS", 64500, "Example Hosting", IPv4Network("203.0.113.0/24")),
    Network("Riga", "Riga", "LV", 64501, "Example Proxies", IPv4Network("198.51.100.0/24")),
    Network("Lagos", "Lagos", "NG", 64502, "Example Transit", IPv4Network("192.0.2.0/24")),
)
"""Where attacks come from: brute force, credential stuffing, a stolen password, in this order."""

NETWORKS: tuple[Network, ...] = PLACES + ATTACKER_NETWORKS
BRUTE_FORCE_NETWORK, STUFFING_NETWORK, TRAVEL_NETWORK = range(len(PLACES), len(NETWORKS))


def places_in(*countries: str) -> tuple[int, ...]:
    """Numbers of the places in these countries."""
    return tuple(at for at, place in enumerate(PLACES) if place.country in countries)


@dataclass(frozen=True)
class Device:
    """A kind of device: how it names itself, and how common it is among desktops or phones."""

    detected: str
    user_agent: str
    browser_user_agent: str
    weight: float


_WEB = "Stytch.js Javascript SDK/v5.23.4"
_KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

DESKTOPS = (
    Device("INTEL_64BIT_WINDOWS_CHROME", _WEB, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/138.0.0.0 Safari/537.36", 0.38),
    Device("INTEL_64BIT_WINDOWS_EDGE", _WEB,
           f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", 0.16),
    Device("INTEL_64BIT_MAC_CHROME", _WEB, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_KIT} Chrome/138.0.0.0 Safari/537.36", 0.20),
    Device("APPLE_MAC_SAFARI", _WEB,
           "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", 0.14),
    Device("INTEL_64BIT_LINUX_FIREFOX", _WEB, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0.06),
    Device("INTEL_64BIT_LINUX_CHROME", _WEB, f"Mozilla/5.0 (X11; Linux x86_64) {_KIT} Chrome/138.0.0.0 Safari/537.36", 0.06),
)  # fmt: skip
PHONES = (
    Device("APPLE_IPHONE_SAFARI", _WEB, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
           "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", 0.36),
    Device("ANDROID_CHROME", _WEB, f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_KIT} Chrome/138.0.0.0 Mobile Safari/537.36", 0.30),
    Device("APPLE_IPHONE_APP", "Stytch iOS SDK/0.73.0", "", 0.16),
    Device("ANDROID_APP", "Stytch Android SDK/0.51.0", "", 0.12),
    Device("APPLE_IPAD_SAFARI", _WEB, "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
           "Version/18.5 Mobile/15E148 Safari/604.1", 0.06),
)  # fmt: skip
SCRIPTED = (Device("UNKNOWN", "python-requests/2.32.4", "python-requests/2.32.4", 1.0),)

DEVICES: tuple[Device, ...] = DESKTOPS + PHONES + SCRIPTED
SCRIPTED_DEVICE = len(DEVICES) - 1

FIRST_NAMES = (
    "ada", "alan", "amara", "anders", "aiko", "bela", "bruno", "chen", "clara", "dario", "devi", "edith", "emeka", "farah", "felix",
    "grace", "hana", "hugo", "ines", "ivan", "jonas", "kavya", "kenji", "lena", "liam", "lucia", "maya", "mateo", "nadia", "noor",
    "olga", "omar", "priya", "quinn", "rosa", "ravi", "sofia", "tariq", "uma", "yuki",
)  # fmt: skip
LAST_NAMES = (
    "abe", "almeida", "bauer", "berg", "castro", "cohen", "costa", "das", "diaz", "evans", "fischer", "garcia", "gupta", "haas",
    "ito", "jansen", "kaur", "kim", "kumar", "lange", "lopez", "mori", "nair", "novak", "okafor", "olsen", "patel", "perez", "rao",
    "rossi", "sato", "silva", "singh", "smith", "tanaka", "vogel", "weber", "wong", "yilmaz", "zhang",
)  # fmt: skip
EMAIL_DOMAINS = ("example.com", "example.org", "example.net")
