from gateway.core.errors import ConfigError
from gateway.uplink.address import Address, parse


def test_address_forms_are_read() -> None:
    table = [
        ("mqtt://broker", Address("broker", 1883, tls=False)),
        ("mqtts://broker/", Address("broker", 8883, tls=True)),
        ("mqtts://fusion.example:443", Address("fusion.example", 443, tls=True)),
        ("mqtt://[fe80::1]:1884", Address("fe80::1", 1884, tls=False)),
        ("mqtt://[::1]", Address("::1", 1883, tls=False)),
        ("mqtt://gw@h", Address("h", 1883, tls=False, username="gw")),
        (
            "mqtt://gw:s%40c%3Aret%25@h",
            Address("h", 1883, tls=False, username="gw", password="s@c:ret%"),
        ),
        ("mqtt://gw:%E6%B0%B4@h", Address("h", 1883, tls=False, username="gw", password="水")),
    ]
    for url, address in table:
        assert parse(url) == address, url


def test_address_that_is_none_is_refused() -> None:
    refused = ["", "broker", "http://h", "mqtt://", "mqtt://:1883", "mqtt://h:0", "mqtt://h:65536"]
    refused += ["mqtt://h:port", "mqtt://h:", "mqtt://[::1", "mqtt://[::1]x", "mqtt://h/path"]
    refused += ["mqtt://@h", "mqtt://:pw@h", "mqtt://u:%4@h", "mqtt://u:%zz@h", "mqtt://u:%ff@h"]
    refused += ["mqtt://h?version=5", "mqtt://a b", "mqtt://h#x"]
    for url in refused:
        try:
            parse(url)
        except ConfigError:
            continue
        raise AssertionError(url)


def test_address_error_and_name_keep_the_password_to_themselves() -> None:
    address = parse("mqtts://gw:secret@h")
    assert "secret" not in address.shown + repr(address)
    try:
        parse("mqtts://gw:secret%zz@h:1")
    except ConfigError as error:
        assert "secret" not in str(error)
