"""The settings of pip and uv, in temporary file systems."""

import os
from pathlib import Path

import pytest

from pose_rig.assets.index_settings import PYPI, IndexSettings, Machine, index_settings, pip_files, uv_files
from pose_rig.errors import AssetError


def machine(tmp_path: Path, system: str = "linux", **environ: str) -> Machine:
    return Machine(environ, system, tmp_path / "home", tmp_path / "venv", tmp_path / "root")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def settings(tmp_path: Path, **environ: str) -> IndexSettings:
    return index_settings(machine(tmp_path, **environ))


def test_without_any_settings_it_is_pypi(tmp_path: Path) -> None:
    assert settings(tmp_path) == IndexSettings(indexes=(PYPI,))


@pytest.mark.parametrize(
    "place",
    [
        "root/etc/xdg/pip/pip.conf", "root/etc/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf",
        "venv/pip.conf",
    ],
)  # fmt: skip
def test_all_configuration_files_of_pip_are_read(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, "[global]\nindex-url = https://mirror.example/simple/\n")
    assert settings(tmp_path).indexes == ("https://mirror.example/simple", PYPI)


def test_the_configuration_files_on_other_systems(tmp_path: Path) -> None:
    windows = machine(tmp_path, "win32", PROGRAMDATA="P", APPDATA="A")
    home, venv = tmp_path / "home", tmp_path / "venv"
    files = [Path("P/pip/pip.ini"), home / "pip/pip.ini", Path("A/pip/pip.ini"), venv / "pip.ini"]
    assert list(pip_files(windows)) == files
    assert list(uv_files(windows)) == [Path("P/uv/uv.toml"), Path("A/uv/uv.toml")]
    assert list(pip_files(machine(tmp_path, "darwin"))) == [
        tmp_path / "root/Library/Application Support/pip/pip.conf",
        home / ".pip/pip.conf",
        home / ".config/pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf",
        venv / "pip.conf",
    ]


def test_the_xdg_folders_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a/pip/pip.conf", "[global]\nindex-url = https://a/simple\n")
    write(tmp_path / "b/pip/pip.conf", "[global]\nindex-url = https://b/simple\n")
    found = settings(tmp_path, XDG_CONFIG_DIRS=f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert found.indexes == ("https://b/simple", PYPI)  # as pip does it
    write(tmp_path / "c/pip/pip.conf", "[global]\nindex-url = https://c/simple\n")
    assert settings(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "c")).indexes == ("https://c/simple", PYPI)


def test_later_files_override_and_the_environment_overrides_all(tmp_path: Path) -> None:
    write(
        tmp_path / "root/etc/pip.conf", "[global]\nindex-url = https://a/simple\nextra_index_url = https://x/simple\n"
    )
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex-url = https://b/simple\n")
    assert settings(tmp_path).indexes == ("https://b/simple", "https://x/simple", PYPI)
    write(
        tmp_path / "venv/pip.conf", "[global]\nindex-url = https://c/simple\n[install]\nindex-url = https://d/simple\n"
    )
    assert settings(tmp_path).indexes == ("https://d/simple", "https://x/simple", PYPI)
    found = settings(
        tmp_path, PIP_INDEX_URL="https://e/simple", PIP_EXTRA_INDEX_URL="https://y/simple https://z/simple"
    )
    assert found.indexes == ("https://e/simple", "https://y/simple", "https://z/simple", PYPI)


def test_a_named_settings_file_replaces_the_users(tmp_path: Path) -> None:
    write(tmp_path / "root/etc/pip.conf", "[global]\nextra-index-url = https://a/simple\n")
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex-url = https://b/simple\n")
    named = write(tmp_path / "named.conf", "[global]\nfind-links =\n  https://links/1\n  /wheels\n")
    found = settings(tmp_path, PIP_CONFIG_FILE=str(named))
    assert found.indexes == ("https://a/simple", PYPI)
    assert found.find_links == ("https://links/1", "/wheels")
    assert settings(tmp_path, PIP_CONFIG_FILE=os.devnull).indexes == (PYPI,)


def test_certificate_trusted_hosts_and_proxy(tmp_path: Path) -> None:
    text = "[global]\ncert = /ca.pem\ntrusted-host = one.example\n  two.example:8080\nproxy = proxy.example:3128\n"
    write(tmp_path / "root/etc/pip.conf", text)
    access = settings(tmp_path).access
    assert access.certificates == "/ca.pem"
    assert access.trusted_hosts == {"one.example", "two.example:8080"}
    assert access.proxy == "http://proxy.example:3128"
    access = settings(tmp_path, PIP_CERT="/own.pem", PIP_TRUSTED_HOST="three.example", PIP_PROXY="http://p:1").access
    assert access.certificates == "/own.pem"
    assert access.trusted_hosts == {"three.example"}
    assert access.proxy == "http://p:1"
    assert index_settings(machine(tmp_path / "none", REQUESTS_CA_BUNDLE="/r.pem")).access.certificates == "/r.pem"


@pytest.mark.parametrize("environ", [{"PIP_NO_INDEX": "1"}, {"UV_NO_INDEX": "true"}])
def test_no_index_disables_all_indexes(tmp_path: Path, environ: dict[str, str]) -> None:
    found = settings(tmp_path, PIP_FIND_LINKS="/wheels", **environ)
    assert found == IndexSettings(find_links=("/wheels",), indexes=())


def test_the_indexes_of_uv(tmp_path: Path) -> None:
    text = """
        extra-index-url = ["https://extra/simple"]
        allow-insecure-host = ["plain.example"]
        [[index]]
        name = "work-1"
        url = "https://work/simple/"
        [[index]]
        url = "https://default/simple"
        default = true
    """
    write(tmp_path / "root/etc/uv/uv.toml", "index-url = 'https://old/simple'\nfind-links = ['/wheels']\n")
    write(tmp_path / "home/.config/uv/uv.toml", text)
    found = settings(
        tmp_path, **{f"UV_INDEX_WORK_1_{key}": value for key, value in (("USERNAME", "me"), ("PASSWORD", "a/b"))}
    )
    assert found.indexes == (
        "https://default/simple", "https://me:a%2Fb@work/simple", "https://old/simple", "https://extra/simple", PYPI,
    )  # fmt: skip
    assert found.find_links == ("/wheels",)
    assert found.access.trusted_hosts == {"plain.example"}


def test_the_variables_of_uv(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        UV_DEFAULT_INDEX="main=https://main/simple",
        UV_INDEX="https://one/simple?a=b two=https://two/simple",
        UV_INDEX_URL="https://old/simple",
        UV_EXTRA_INDEX_URL="https://extra/simple",
        UV_FIND_LINKS="/a,/b",
    )
    assert found.indexes == (
        "https://main/simple", "https://one/simple?a=b", "https://two/simple", "https://old/simple",
        "https://extra/simple", PYPI,
    )  # fmt: skip
    assert found.find_links == ("/a", "/b")


def test_uv_config_file_and_no_config(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", "index-url = 'https://user/simple'\n")
    named = write(tmp_path / "named.toml", "[pip]\nindex-url = 'https://named/simple'\n")
    assert settings(tmp_path, UV_CONFIG_FILE=str(named)).indexes == ("https://named/simple", PYPI)
    assert settings(tmp_path, UV_NO_CONFIG="1").indexes == (PYPI,)


@pytest.mark.parametrize(("place", "text"), [("root/etc/pip.conf", "index-url"), ("root/etc/uv/uv.toml", "= 1")])
def test_unreadable_settings_are_named(tmp_path: Path, place: str, text: str) -> None:
    path = write(tmp_path / place, text)
    with pytest.raises(AssetError) as raised:
        settings(tmp_path)
    assert raised.value.cause.startswith(f"The package settings {path} cannot be read: ")
    assert raised.value.remedy == "Correct that file."
