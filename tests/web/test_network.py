import ipaddress

from pose_rig.web.network import ANY, lan_addresses, listening_hosts, reachable_names, url


def test_without_phones_only_this_machine_is_listened_to() -> None:
    assert listening_hosts("", phones=False) == ("127.0.0.1",)
    assert reachable_names(("127.0.0.1",)) == ("127.0.0.1", "localhost")


def test_phones_reach_the_addresses_of_the_local_network() -> None:
    assert listening_hosts("", phones=True) == ("127.0.0.1", *lan_addresses())
    assert not any(ipaddress.ip_address(address).is_loopback for address in lan_addresses())


def test_a_host_is_listened_to_next_to_loopback_and_shown_first() -> None:
    hosts = listening_hosts("192.0.2.7", phones=True)
    assert hosts == ("127.0.0.1", "192.0.2.7")
    assert reachable_names(hosts) == ("192.0.2.7", "127.0.0.1", "localhost")
    assert listening_hosts(ANY[0], phones=False) == ANY[:1]
    assert reachable_names(ANY[:1]) == (*lan_addresses(), "127.0.0.1", "localhost")


def test_addresses_of_version_6_are_in_brackets() -> None:
    assert url("fe80::1", 8443, "token") == "https://[fe80::1]:8443/token/"
