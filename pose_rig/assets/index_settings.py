"""The package indexes that the user has configured for pip and uv, so that a company's mirror is asked first.

pip: https://pip.pypa.io/en/stable/topics/configuration/
uv: https://docs.astral.sh/uv/reference/settings/ and https://docs.astral.sh/uv/reference/environment/
"""

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pose_rig.assets.web import Access
from pose_rig.errors import AssetError

PYPI = "https://pypi.org/simple"
SECTIONS = ("global", "install", "download")  # of a pip.conf, the later ones win
UV_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "allow-insecure-host", "index")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where settings are looked for.

    Attributes:
        environ: The environment variables.
        system: As `sys.platform`.
        home: The user's folder.
        prefix: The environment that this Python runs in.
        root: Of the file system.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    root: Path = Path("/")


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where packages are looked for.

    Attributes:
        find_links: Folders, or addresses of pages with links.
        indexes: Addresses of simple indexes, in the order in which they are asked; PyPI is the last one.
        access: How they are reached.
    """

    find_links: tuple[str, ...] = ()
    indexes: tuple[str, ...] = (PYPI,)
    access: Access = field(default_factory=Access)


def index_settings(machine: Machine | None = None) -> IndexSettings:
    """Returns what the configuration files and environment variables of pip and uv say.

    Raises:
        AssetError: A configuration file cannot be read.
    """
    machine = machine or Machine()
    environ, pip, uv = machine.environ, _pip(machine), _uv(machine)
    indexes = [*_words(pip.get("index-url")), *_words(pip.get("extra-index-url")), *_uv_indexes(uv, environ), PYPI]
    if _is_on(pip.get("no-index")) or uv.get("no-index") is True or _is_on(environ.get("UV_NO_INDEX")):
        indexes = []
    return IndexSettings(
        find_links=tuple(dict.fromkeys([*_words(pip.get("find-links")), *_listed(uv, "find-links")])),
        indexes=tuple(dict.fromkeys(index.rstrip("/") for index in indexes)),
        access=Access(
            certificates=pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or "",
            trusted_hosts=frozenset([*_words(pip.get("trusted-host")), *_listed(uv, "allow-insecure-host")]),
            proxy=_address(pip.get("proxy", "")),
        ),
    )


def pip_files(machine: Machine) -> Iterator[Path]:
    """Yields the places of pip's configuration files, each winning over those before it."""
    environ, root, home = machine.environ, machine.root, machine.home
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    if machine.system == "win32":
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "pip/pip.ini"
    elif machine.system == "darwin":
        yield root / "Library/Application Support/pip/pip.conf"
    else:
        for folder in environ.get("XDG_CONFIG_DIRS", "").split(":"):
            yield (Path(folder) if folder else root / "etc/xdg") / "pip/pip.conf"
        yield root / "etc/pip.conf"
    if not (named and Path(named).is_file()):
        yield from _pip_files_of_the_user(machine, home)
    yield machine.prefix / ("pip.ini" if machine.system == "win32" else "pip.conf")
    if named:
        yield Path(named)


def _pip_files_of_the_user(machine: Machine, home: Path) -> Iterator[Path]:
    environ = machine.environ
    if machine.system == "win32":
        yield home / "pip/pip.ini"
        yield Path(environ.get("APPDATA") or home / "AppData/Roaming") / "pip/pip.ini"
        return
    yield home / ".pip/pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    if machine.system == "darwin":
        yield home / "Library/Application Support/pip/pip.conf"


def uv_files(machine: Machine) -> Iterator[Path]:
    """Yields the places of uv's configuration files, each winning over those before it."""
    environ = machine.environ
    if _is_on(environ.get("UV_NO_CONFIG")):
        return
    if named := environ.get("UV_CONFIG_FILE"):
        yield Path(named)
    elif machine.system == "win32":
        yield Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "uv/uv.toml"
        yield Path(environ.get("APPDATA") or machine.home / "AppData/Roaming") / "uv/uv.toml"
    else:
        yield machine.root / "etc/uv/uv.toml"
        yield Path(environ.get("XDG_CONFIG_HOME") or machine.home / ".config") / "uv/uv.toml"


def _pip(machine: Machine) -> dict[str, str]:
    """Returns pip's options by their long names."""
    options: dict[str, str] = {}
    for path in pip_files(machine):
        if not path.is_file():
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, ValueError, configparser.Error) as error:
            raise _unreadable(path, error) from error
        for section in SECTIONS:
            if parser.has_section(section):
                options |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    names = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "proxy")
    said = {name: machine.environ.get("PIP_" + name.replace("-", "_").upper(), "") for name in names}
    return options | {name: value for name, value in said.items() if value}


def _uv(machine: Machine) -> dict[str, Any]:
    """Returns uv's settings; what its environment variables say replaces what its files say."""
    settings: dict[str, Any] = {}
    for path in uv_files(machine):
        if not path.is_file():
            continue
        try:
            read = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(path, error) from error
        pip = read.get("pip")
        settings |= {key: value for key, value in (pip if isinstance(pip, dict) else {}).items() if key in UV_KEYS}
        settings |= {key: value for key, value in read.items() if key in UV_KEYS}
    for name, key in (
        ("UV_EXTRA_INDEX_URL", "extra-index-url"), ("UV_FIND_LINKS", "find-links"),
        ("UV_INSECURE_HOST", "allow-insecure-host"),
    ):  # fmt: skip
        if value := machine.environ.get(name):
            settings[key] = re.split(r"[\s,]+", value.strip())
    return settings


def _uv_indexes(settings: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Returns the addresses of uv's indexes, the default one first."""
    tables = [table for table in settings.get("index", ()) if isinstance(table, dict) and "url" in table]
    tables.sort(key=lambda table: table.get("default") is not True)
    named = [*_words(environ.get("UV_DEFAULT_INDEX")), *_words(environ.get("UV_INDEX"))]
    named += [f"{table.get('name', '')}={table['url']}" for table in tables]
    found = []
    for item in named:
        match = re.match(r"([\w.-]*)=(.*)", item)  # ``name=address``
        name, url = match.groups() if match else ("", item)
        found.append(_with_login(url, name, environ))
    plain = environ.get("UV_INDEX_URL") or settings.get("index-url")
    return [*found, *_words(plain if isinstance(plain, str) else None), *_listed(settings, "extra-index-url")]


def _with_login(url: str, name: str, environ: Mapping[str, str]) -> str:
    """Returns the address of a named index with the user and password that uv's variables hold for it."""
    prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"{prefix}_USERNAME", ""), environ.get(f"{prefix}_PASSWORD", "")
    parts = urlsplit(url)
    if not name or not (user or password) or "@" in parts.netloc:
        return url
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()


def _listed(settings: dict[str, Any], key: str) -> list[str]:
    """Returns a setting of uv that is a list of texts."""
    value = settings.get(key, [])
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _words(text: str | None) -> list[str]:
    return (text or "").split()


def _is_on(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "true", "yes", "on", "y", "t")


def _address(proxy: str) -> str:
    """Returns a proxy as an address; pip takes ``host:port`` too."""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _unreadable(path: Path, error: Exception) -> AssetError:
    reason = " ".join(str(error).split())
    return AssetError(f"The package settings {path} cannot be read: {reason}.", "Mend that file.")
