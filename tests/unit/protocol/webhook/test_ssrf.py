"""Which URLs and addresses webhooks may reach: `protocol.webhook.ssrf`."""

import pytest

from protocol.webhook.ssrf import is_public, parse_target

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.1.1",
    "223.255.255.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:1.1.1.1",
    "2002:101:101::1",  # 6to4 of 1.1.1.1
    "64:ff9b::101:101",  # NAT64 of 1.1.1.1
]

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # the metadata service of clouds
    "168.63.129.16",  # the host of a virtual machine of Azure
    "::ffff:168.63.129.16",
    "100.100.100.200",  # the metadata service of Alibaba Cloud
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:a00:1::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4 of 127.0.0.1
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_ours_or_a_neighbours_is_not(address: str) -> None:
    assert not is_public(address)


def test_a_url_is_taken_apart() -> None:
    target = parse_target("https://Receiver.example:8443/a/b?c=d#e")
    assert (target.scheme, target.host, target.port) == ("https", "receiver.example", 8443)
    assert (target.path, target.authority) == ("/a/b?c=d", "receiver.example:8443")
    assert parse_target("http://r.example").authority == "r.example"
    assert parse_target("http://r.example").path == "/"
    assert parse_target("http://[2606:4700::1]:80/").authority == "[2606:4700::1]"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver.example/x",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "gopher://receiver.example/",
        "https://",
        "https:///x",
        "https://user:secret@receiver.example/",
        "https://receiver.example@10.0.0.1/",
        "https://receiver.example:0/",
        "https://receiver.example:99999/",
        "https://receiver.example:http/",
        "https://receiver.example/a b",
        "https://receiver.example/a\nb",
        "https://receiver.example\\@10.0.0.1/",
        "https://rec\u00e9iver.example/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        f"https://{'a' * 254}/",
        f"https://r.example/{'a' * 2_000}",
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_target(url)
