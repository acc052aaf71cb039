"""The package indexes that the user has configured for pip and uv, so that a company's mirror is used first.

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
PIP_SECTIONS = ("global", "install", "download")  # later ones override
PIP_OPTIONS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "proxy")
UV_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "allow-insecure-host", "index")
UV_LIST_VARIABLES = {
    "UV_EXTRA_INDEX_URL": "extra-index-url", "UV_FIND_LINKS": "find-links", "UV_INSECURE_HOST": "allow-insecure-host",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """The environment that settings are read from.

    Attributes:
        environ: Environment variables.
        system: As `sys.platform`.
        home: Home folder of the user.
        prefix: As `sys.prefix`.
        root: Root of the file system.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    system: str = sys.platform
    home: Path = field(default_factory=Path.home)
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    root: Path = Path("/")

    @property
    def program_data(self) -> Path:
        """Windows: folder of the settings of all users."""
        return Path(self.environ.get("PROGRAMDATA", "C:/ProgramData"))

    @property
    def user_config(self) -> Path:
        """Folder of the settings of the user."""
        if self.system == "win32":
            return Path(self.environ.get("APPDATA") or self.home / "AppData/Roaming")
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where packages are downloaded from.

    Attributes:
        find_links: Folders, or URLs of pages with links.
        indexes: URLs of simple indexes, in order of preference; PyPI is the last one.
        access: Network settings.
    """

    find_links: tuple[str, ...] = ()
    indexes: tuple[str, ...] = (PYPI,)
    access: Access = field(default_factory=Access)


def index_settings(machine: Machine | None = None) -> IndexSettings:
    """Returns the settings in the configuration files and environment variables of pip and uv.

    Raises:
        AssetError: A configuration file cannot be read.
    """
    machine = machine or Machine()
    environ, pip, uv = machine.environ, _pip_options(machine), _uv_settings(machine)
    indexes = [*_split(pip.get("index-url")), *_split(pip.get("extra-index-url")), *_uv_indexes(uv, environ), PYPI]
    if _is_on(pip.get("no-index")) or uv.get("no-index") is True or _is_on(environ.get("UV_NO_INDEX")):
        indexes = []
    proxy = pip.get("proxy", "")  # pip accepts ``host:port`` too
    return IndexSettings(
        find_links=tuple(dict.fromkeys([*_split(pip.get("find-links")), *_uv_list(uv, "find-links")])),
        indexes=tuple(dict.fromkeys(index.rstrip("/") for index in indexes)),
        access=Access(
            certificates=pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or "",
            trusted_hosts=frozenset([*_split(pip.get("trusted-host")), *_uv_list(uv, "allow-insecure-host")]),
            proxy=proxy if "://" in proxy or not proxy else f"http://{proxy}",
        ),
    )


def pip_files(machine: Machine) -> Iterator[Path]:
    """Yields the paths of pip's configuration files; later ones override."""
    environ, system, home = machine.environ, machine.system, machine.home
    configured = environ.get("PIP_CONFIG_FILE", "")
    if configured == os.devnull:
        return
    if system == "win32":
        yield machine.program_data / "pip/pip.ini"
    elif system == "darwin":
        yield machine.root / "Library/Application Support/pip/pip.conf"
    else:
        for folder in environ.get("XDG_CONFIG_DIRS", "").split(":"):
            yield (Path(folder) if folder else machine.root / "etc/xdg") / "pip/pip.conf"
        yield machine.root / "etc/pip.conf"
    if not (configured and Path(configured).is_file()):
        yield home / ("pip/pip.ini" if system == "win32" else ".pip/pip.conf")
        yield machine.user_config / ("pip/pip.ini" if system == "win32" else "pip/pip.conf")
        if system == "darwin":
            yield home / "Library/Application Support/pip/pip.conf"
    yield machine.prefix / ("pip.ini" if system == "win32" else "pip.conf")
    if configured:
        yield Path(configured)


def uv_files(machine: Machine) -> Iterator[Path]:
    """Yields the paths of uv's configuration files; later ones override."""
    if _is_on(machine.environ.get("UV_NO_CONFIG")):
        return
    if configured := machine.environ.get("UV_CONFIG_FILE"):
        yield Path(configured)
        return
    yield (machine.program_data if machine.system == "win32" else machine.root / "etc") / "uv/uv.toml"
    yield machine.user_config / "uv/uv.toml"


def _pip_options(machine: Machine) -> dict[str, str]:
    """Returns pip's options by their long names."""
    options: dict[str, str] = {}
    for path in filter(Path.is_file, pip_files(machine)):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text("utf-8"))
        except (OSError, ValueError, configparser.Error) as error:
            raise _unreadable(path, error) from error
        for section in filter(parser.has_section, PIP_SECTIONS):
            options |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    variables = {name: machine.environ.get("PIP_" + name.replace("-", "_").upper()) for name in PIP_OPTIONS}
    return options | {name: value for name, value in variables.items() if value}


def _uv_settings(machine: Machine) -> dict[str, Any]:
    """Returns uv's settings; its environment variables override its files."""
    settings: dict[str, Any] = {}
    for path in filter(Path.is_file, uv_files(machine)):
        try:
            read = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(path, error) from error
        pip = read.get("pip")
        for table in (pip if isinstance(pip, dict) else {}, read):
            settings |= {key: value for key, value in table.items() if key in UV_KEYS}
    for name, key in UV_LIST_VARIABLES.items():
        if value := machine.environ.get(name):
            settings[key] = re.split(r"[\s,]+", value.strip())
    return settings


def _uv_indexes(settings: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Returns the URLs of uv's indexes, the default one first."""
    tables = [table for table in settings.get("index", ()) if isinstance(table, dict) and "url" in table]
    tables.sort(key=lambda table: table.get("default") is not True)
    items = [*_split(environ.get("UV_DEFAULT_INDEX")), *_split(environ.get("UV_INDEX"))]
    items += [f"{table.get('name', '')}={table['url']}" for table in tables]
    indexes = []
    for item in items:
        match = re.match(r"([\w.-]*)=(.*)", item)  # ``name=URL``
        name, url = match.groups() if match else ("", item)
        indexes.append(_with_login(url, name, environ))
    url = environ.get("UV_INDEX_URL") or settings.get("index-url")
    return [*indexes, *_split(url if isinstance(url, str) else None), *_uv_list(settings, "extra-index-url")]


def _with_login(url: str, name: str, environ: Mapping[str, str]) -> str:
    """Returns the URL of a named index with the login in uv's environment variables for it."""
    prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"{prefix}_USERNAME", ""), environ.get(f"{prefix}_PASSWORD", "")
    parts = urlsplit(url)
    if not name or not (user or password) or "@" in parts.netloc:
        return url
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return parts._replace(netloc=f"{login}@{parts.netloc}").geturl()


def _uv_list(settings: dict[str, Any], key: str) -> list[str]:
    """Returns a setting of uv that is a list of strings."""
    value = settings.get(key, [])
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _split(text: str | None) -> list[str]:
    return (text or "").split()


def _is_on(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "true", "yes", "on", "y", "t")


def _unreadable(path: Path, error: Exception) -> AssetError:
    reason = " ".join(str(error).split())
    return AssetError(f"The package settings {path} cannot be read: {reason}.", "Correct that file.")
