"""Settings: precedence, refusals, and what is shown of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pitcanary.config import (
    ControllerSettings,
    SidecarSettings,
    Tls,
    Webhook,
    effective,
    read_settings,
)
from pitcanary.errors import SettingsRefused


def test_nothing_given_gives_the_defaults() -> None:
    assert read_settings(SidecarSettings, {}, {"PATH": "/bin"}) == SidecarSettings()
    assert read_settings(ControllerSettings, {"store": None}, {}) == ControllerSettings()


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {"PITCANARY_WORKERS": "3", "PITCANARY_NAMESPACE": "team"}
    settings = read_settings(SidecarSettings, {"workers": "4"}, environment)
    assert (settings.workers, settings.namespace) == (4, "team")


def test_every_kind_of_value_is_read_from_text() -> None:
    environment = {
        "PITCANARY_LISTEN": "unix:/tmp/a.sock, 127.0.0.1:0",
        "PITCANARY_COALESCE": "no",
        "PITCANARY_DRAIN_SECONDS": "1.5",
    }
    settings = read_settings(SidecarSettings, {"sidecar_id": "a"}, environment)
    assert settings.listen == ("unix:/tmp/a.sock", "127.0.0.1:0")
    assert settings.coalesce is False
    assert settings.drain_seconds == 1.5


def test_flags_that_are_not_text_are_taken_as_they_are() -> None:
    settings = read_settings(SidecarSettings, {"listen": ["a:1"], "replay": True}, {})
    assert (settings.listen, settings.replay) == (("a:1",), True)


def test_nested_settings_have_joined_names() -> None:
    environment = {"PITCANARY_WEBHOOK_URL": "https://example.org", "PITCANARY_WEBHOOK_SECRET": "s"}
    settings = read_settings(ControllerSettings, {"webhook_timeout": "2s"}, environment)
    assert settings.webhook == Webhook("https://example.org", "s", timedelta(seconds=2))


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        pytest.param({"listne": "x"}, {}, "did you mean `listen`", id="a misspelt flag"),
        pytest.param({}, {"PITCANARY_LISTNE": "x"}, "`PITCANARY_LISTEN`", id="a misspelt variable"),
        pytest.param({"drain_seconds": "x"}, {}, "`--drain-seconds` cannot be `x`", id="no number"),
        pytest.param({}, {"PITCANARY_REPLAY": "maybe"}, "write `true`", id="a word for a truth"),
        pytest.param({"webhook_timeout": "10"}, {}, "not a duration", id="a duration without unit"),
        pytest.param({"tls_key": "k"}, {}, "together", id="half of TLS"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    flags: dict[str, object], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsRefused, match=message):
        read_settings(ControllerSettings, flags, environment)


@pytest.mark.parametrize(
    "variable",
    [
        "PITCANARY_CONTROLLER_PORT",
        "PITCANARY_CONTROLLER_SERVICE_HOST",
        "PITCANARY_CONTROLLER_SERVICE_PORT_GRPC",
        "PITCANARY_CONTROLLER_PORT_7071_TCP_ADDR",
        "PITCANARY_SERVICE_HOST",
        "PITCANARY_STORE",
        "PITCANARY_DATA",
    ],
)
def test_variables_of_others_do_not_stop_a_sidecar(variable: str) -> None:
    assert read_settings(SidecarSettings, {}, {variable: "x"}) == SidecarSettings()


def test_secrets_are_masked_and_the_rest_is_shown() -> None:
    shown = effective(ControllerSettings(webhook=Webhook("https://example.org", "secret")))
    assert shown["webhook_secret"] == "***"  # noqa: S105
    assert shown["webhook_url"] == "https://example.org"
    assert shown["webhook_timeout"] == "5s"
    assert shown["listen"] == "127.0.0.1:7071"
    assert "secret" not in repr(Webhook("u", "secret")).replace("secret=", "")


def test_tls_is_all_or_nothing() -> None:
    assert Tls("c", "k", "a").key == "k"
