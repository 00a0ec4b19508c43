"""Process settings: where they come from, what is refused, what is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bus.settings import Settings
from schemas.errors import ConfigurationError

POSTGRES = "postgresql+asyncpg://lgsp:p@ss:word@db.example/lgsp?password=third"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No LGSP_ variable of the surroundings, an empty working directory."""
    for name in [name for name in os.environ if name.startswith("LGSP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_everything_has_a_default_and_the_ledger_lies_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings.load()
    assert settings.data_dir == tmp_path / ".state" / "lgsp"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/.state/lgsp/ledger.db"
    assert settings.broker_url is None
    assert settings.blob_dir == settings.data_dir / "blobs"


def test_ledger_follows_a_data_folder_given_elsewhere(tmp_path: Path) -> None:
    toml(tmp_path / "lgsp.toml", 'data_dir = "here"\n')
    assert Settings.load().database_url == f"sqlite+aiosqlite:///{tmp_path}/here/ledger.db"


def test_environment_wins_over_file_and_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(tmp_path / "lgsp.toml", 'http_port = 1111\nhttp_host = "::1"\n')
    monkeypatch.setenv("LGSP_HTTP_PORT", "2222")
    settings = Settings.load()
    assert (settings.http_host, settings.http_port, settings.max_files) == ("::1", 2222, 50)


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_HTTP_PORT", "2222")
    assert Settings(http_port=3333).http_port == 3333
    assert Settings.load(http_port=3333).http_port == 3333
    assert Settings.load(http_port=None).http_port == 2222


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_BROKER_URL", "")
    assert Settings.load().broker_url is None


def test_file_is_the_given_one_then_the_one_of_the_variable_then_the_working_directorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(tmp_path / "lgsp.toml", "http_port = 1\n")
    assert Settings.load().http_port == 1
    monkeypatch.setenv("LGSP_CONFIG", str(toml(tmp_path / "b.toml", "http_port = 2\n")))
    assert Settings.load().http_port == 2
    assert Settings.load(toml(tmp_path / "c.toml", "http_port = 3\n")).http_port == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http_prot = 80\n", "http_prot (→ http_port?)"),
        ("[http]\nport = 80\n", "http"),
        ("http_port = 70000\n", "http_port"),
        ('broker_url = "http://x"\n', "broker_url"),
        ("inline_bytes = 3000\nmax_packet_bytes = 2000\n", "inline_bytes"),
        ("http_port = \n", "not TOML"),
        ('[facades]\nvxp = "vxp"\n', "facades.vxp"),
        ('[facades]\nvxp = "/api"\n', "facades"),
        ('[facades]\na = "/x"\nb = "/x"\n', "facades"),
    ],
)
def test_wrong_file_is_refused_with_the_key_named(tmp_path: Path, text: str, named: str) -> None:
    toml(tmp_path / "lgsp.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert named in caught.value.detail.en


def test_facades_come_from_the_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(tmp_path / "lgsp.toml", '[facades]\nvxp = "/vxp"\n')
    assert Settings.load().facades == {"vxp": "/vxp"}
    monkeypatch.setenv("LGSP_FACADES", '{"vxp": "/truc"}')
    assert Settings.load().facades == {"vxp": "/truc"}
    assert Settings.load().shown()["facades"] == "{'vxp': '/truc'}"


def test_file_that_is_named_but_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        Settings.load(tmp_path / "nowhere.toml")


def test_variable_that_matches_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_HTTP_PROT", "80")
    with pytest.raises(ConfigurationError, match=r"LGSP_HTTP_PROT .→ http_port"):
        Settings.load()


def test_variables_that_are_no_settings_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_REQUIRE_SERVICES", "1")
    monkeypatch.setenv("LGSP_SECRET_PARTNER", "x")
    assert Settings.load().http_port == 8080


def test_passwords_are_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_BROKER_URL", "amqps://bus:tr/ap@rabbit.example/vhost")
    settings = Settings(database_url=POSTGRES)
    shown = settings.shown()
    assert shown["database_url"] == "postgresql+asyncpg://lgsp:***@db.example/lgsp?password=***"
    assert shown["broker_url"] == "amqps://bus:***@rabbit.example/vhost"
    for text in (repr(settings), str(settings), str(shown)):
        for password in ("p@ss", "word@", "tr/ap", "third"):
            assert password not in text


def test_a_refused_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGSP_BROKER_URL", "http://bus:trap@rabbit.example/")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert "trap" not in str(caught.value) + str(caught.value.detail)
    assert "broker_url" in caught.value.detail.vi


def test_secret_comes_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "partner.key").write_bytes(b"\x00 trap \r\n")
    assert Settings(secrets_dir=tmp_path).secret("partner.key") == b"\x00 trap "


def test_secret_of_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "partner-key").write_bytes(b"file")
    monkeypatch.setenv("LGSP_SECRET_PARTNER_KEY", "variable")
    assert Settings(secrets_dir=tmp_path).secret("partner-key") == b"variable"


@pytest.mark.parametrize("with_folder", [True, False])
def test_missing_secret_says_who_must_put_it_where(tmp_path: Path, with_folder: bool) -> None:
    settings = Settings(secrets_dir=tmp_path if with_folder else None)
    with pytest.raises(ConfigurationError) as caught:
        settings.secret("partner-key")
    assert "'partner-key'" in caught.value.detail.en
    assert "administrator" in caught.value.detail.en
    assert "LGSP_SECRET_PARTNER_KEY" in caught.value.detail.vi


@pytest.mark.parametrize("name", ["../etc/passwd", "a/b", "", ".hidden", "x" * 200])
def test_name_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        Settings(secrets_dir=tmp_path / "secrets").secret(name)


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
