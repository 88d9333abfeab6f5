"""Settings come from four places, each stronger than the one before, and nothing unknown or bad gets through."""

import dataclasses
import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest

from moorage.config import Address, Settings, load
from moorage.errors import ConfigInvalid


def test_everything_has_a_default() -> None:
    """A server starts without any setting, for this machine alone."""
    settings = load({}, {})
    assert settings.listen == Address("127.0.0.1", 5000)
    assert settings.data == Path("var")
    assert settings.workers >= 1
    assert settings.trusted_proxies == ()


def test_stronger_places_win(tmp_path: Path) -> None:
    """The command line beats the environment, which beats the file, which beats the default."""
    file = tmp_path / "moorage.toml"
    file.write_text('workers = 2\nlisten = "127.0.0.1:2"\nadmin_email = "file@example.test"')
    environment = {"MOORAGE_CONFIG": str(file), "MOORAGE_WORKERS": "3", "MOORAGE_LISTEN": "127.0.0.1:3"}
    settings = load(environment, {"workers": "4"})
    assert (settings.workers, settings.listen.port, settings.admin_email) == (4, 3, "file@example.test")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("listen", "[::1]:5000", Address("::1", 5000)),
        ("listen", "localhost:0", Address("127.0.0.1", 0)),
        ("data", "/srv/moorage", Path("/srv/moorage")),
        ("access_log", "true", True),
        ("access_log", "0", False),
        ("role", "jobs", "jobs"),
        ("admin_password", "null", "null"),
        ("trusted_proxies", "10.0.0.0/8, ::1", (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))),
        ("public_url", "https://registry.example.test/", "https://registry.example.test"),
        ("upload_lifetime", "90m", timedelta(minutes=90)),
        ("free_space_reserve", "1GiB", 1 << 30),
    ],
)
def test_a_text_becomes_a_value(name: str, text: str, value: object) -> None:
    """Environment and command line hold texts; a setting has the type that it is used with."""
    assert getattr(load({f"MOORAGE_{name.upper()}": text}, {}), name) == value
    assert getattr(load({}, {name: text}), name) == value


def test_a_file_may_use_its_own_types(tmp_path: Path) -> None:
    """TOML has numbers, truths and lists."""
    file = tmp_path / "moorage.toml"
    file.write_text('workers = 2\naccess_log = true\nfree_space_reserve = 0\ntrusted_proxies = ["10.0.0.0/8"]')
    settings = load({"MOORAGE_CONFIG": str(file)}, {})
    assert (settings.workers, settings.access_log, settings.free_space_reserve) == (2, True, 0)
    assert settings.trusted_proxies == (ipaddress.ip_network("10.0.0.0/8"),)


def test_an_empty_variable_is_not_set() -> None:
    """Compose files and unit files often hand on variables that nobody filled in."""
    assert load({"MOORAGE_ADMIN_PASSWORD": "", "MOORAGE_CONFIG": ""}, {}) == load({}, {})


def test_an_unknown_variable_stops_the_start() -> None:
    """A misspelt setting would be silently without effect."""
    with pytest.raises(ConfigInvalid, match=r"^MOORAGE_LISTN is not a setting\. Is listen meant\?"):
        load({"MOORAGE_LISTN": "x", "PATH": "/bin"}, {})


def test_an_unknown_key_in_the_file_stops_the_start(tmp_path: Path) -> None:
    """The message names the key and the file."""
    file = tmp_path / "moorage.toml"
    file.write_text("[server]\nworkers = 2")
    with pytest.raises(ConfigInvalid, match=rf"^server in {file} is not a setting"):
        load({"MOORAGE_CONFIG": str(file)}, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("listen", "5000"),
        ("listen", "127.0.0.1"),
        ("listen", "::1:5000"),
        ("listen", "[127.0.0.1]:5000"),
        ("listen", "127.0.0.1:65536"),
        ("listen", "registry.example.test:5000"),
        ("workers", "0"),
        ("workers", "two"),
        ("role", "worker"),
        ("admin_email", "admin"),
        ("access_log", "yes"),
        ("log_level", "verbose"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("accel_redirect", "/"),
        ("accel_redirect", "store/"),
        ("accel_redirect", "/store"),
        ("accel_redirect", "/../"),
        ("accel_redirect", "/store/\n"),
        ("public_url", "registry.example.test"),
        ("public_url", "https://registry.example.test/path"),
        ("public_url", "https://user:password@registry.example.test"),
        ("upload_lifetime", "25h"),
        ("upload_lifetime", "0s"),
        ("upload_idle_timeout", "60"),
        ("free_space_reserve", "5%"),
        ("stop_grace", "2d"),
    ],
)
def test_a_bad_value_stops_the_start(name: str, text: str) -> None:
    """The message names the key, shows the value and says what is allowed."""
    variable = f"MOORAGE_{name.upper()}"
    with pytest.raises(ConfigInvalid) as caught:
        load({variable: text}, {})
    assert caught.value.message.startswith(f"{variable} has a bad value {text!r}: ")
    assert "Allowed: " in caught.value.message


@pytest.mark.parametrize("line", ["listen = 5000", "data = true", "trusted_proxies = 7", "upload_lifetime = 60"])
def test_a_value_of_the_wrong_kind_stops_the_start(line: str, tmp_path: Path) -> None:
    """A number where a text belongs is refused, not guessed at."""
    file = tmp_path / "moorage.toml"
    file.write_text(line)
    with pytest.raises(ConfigInvalid, match=f"^{line.partition(' ')[0]} in {file} has a bad value"):
        load({"MOORAGE_CONFIG": str(file)}, {})


def test_every_problem_is_named_at_once() -> None:
    """Nobody wants to learn of three mistakes by three starts."""
    with pytest.raises(ConfigInvalid) as caught:
        load({"MOORAGE_WORKERS": "0", "MOORAGE_NOPE": "x"}, {"role": "x"})
    assert {line.split()[0] for line in caught.value.message.splitlines()} == {
        "MOORAGE_WORKERS",
        "MOORAGE_NOPE",
        "--role",
    }


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Neither a message nor the settings as text hold the password."""
    file = tmp_path / "moorage.toml"
    file.write_text('admin_password = ["canary"]')
    with pytest.raises(ConfigInvalid) as caught:
        load({"MOORAGE_CONFIG": str(file)}, {})
    assert "canary" not in caught.value.message
    assert "canary" not in repr(load({"MOORAGE_ADMIN_PASSWORD": "canary"}, {}))


@pytest.mark.parametrize("content", [None, "workers = "])
def test_a_file_that_is_not_there_or_not_toml_stops_the_start(content: str | None, tmp_path: Path) -> None:
    """The message names the variable and the file."""
    file = tmp_path / "moorage.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigInvalid, match=rf"^MOORAGE_CONFIG names a file that .*{file}"):
        load({"MOORAGE_CONFIG": str(file)}, {})


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    """Half a pair would mean plain HTTP by mistake."""
    file = tmp_path / "cert.pem"
    file.touch()
    with pytest.raises(ConfigInvalid, match=r"^tls_key is not set"):
        load({}, {"tls_cert": str(file)})
    with pytest.raises(ConfigInvalid, match=r"^tls_key names a file that cannot be read"):
        load({}, {"tls_cert": str(file), "tls_key": str(tmp_path / "none.pem")})


def test_every_setting_can_be_given() -> None:
    """Each field has its rule; the message about an unknown key lists them all."""
    with pytest.raises(ConfigInvalid) as caught:
        load({}, {"nope": "x"})
    listed = caught.value.message.partition("The settings are: ")[2].rstrip(".").split(", ")
    assert listed == [field.name for field in dataclasses.fields(Settings)]


def test_files_are_left_to_a_named_proxy_only() -> None:
    """A location in nginx is worth nothing while no proxy is trusted; an operator learns it at the start."""
    set_so = {"MOORAGE_ACCEL_REDIRECT": "/store/"}
    with pytest.raises(ConfigInvalid, match="trusted_proxies"):
        load(set_so, {})
    assert load(set_so | {"MOORAGE_TRUSTED_PROXIES": "10.0.0.1"}, {}).accel_redirect == "/store/"
