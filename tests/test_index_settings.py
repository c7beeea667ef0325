import pytest

from index.errors import SettingsError
from index.settings import IndexSettings


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host", "http://", "http://host:port", "http://host:99999", "http://[host"]
)
def test_a_server_address_that_cannot_be_one_is_refused(url):
    with pytest.raises(SettingsError, match="it should look like http://localhost:8000") as caught:
        IndexSettings.resolve(environ={"QA_CHROMA_URL": url})
    assert repr(url) in str(caught.value)


def test_settings_come_from_flag_then_environment_then_default(tmp_path):
    environ = {
        "QA_HOME": str(tmp_path),
        "QA_CHROMA_URL": "http://one:8000",
        "QA_LOCK_TIMEOUT": "2.5",
        "QA_EMBED_MODEL": "some/model",
    }
    assert IndexSettings.resolve(environ=environ) == IndexSettings(
        tmp_path, IndexSettings.resolve(environ={}).cache, "some/model", "http://one:8000", 2.5
    )
    flags = IndexSettings.resolve(home=tmp_path / "b", embed_model="other", chroma_url="https://two", environ=environ)
    assert (flags.home, flags.embed_model, flags.chroma_url) == (tmp_path / "b", "other", "https://two")
    default = IndexSettings.resolve(environ={"QA_CHROMA_URL": "", "QA_EMBED_MODEL": "", "QA_HOME": ""})
    assert (default.chroma_url, default.embed_model, default.lock_timeout) == (None, None, 120)
    assert default.home.is_absolute()


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "inf"])
def test_a_timeout_that_cannot_be_one_is_refused(seconds):
    with pytest.raises(SettingsError, match=f"QA_LOCK_TIMEOUT is '{seconds}'; it should be a number of seconds"):
        IndexSettings.resolve(environ={"QA_LOCK_TIMEOUT": seconds})


@pytest.mark.parametrize("name", ["QA_HOME", "QA_CACHE"])
def test_a_folder_may_start_at_a_home_that_exists(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = IndexSettings.resolve(environ={name: "~/here"})
    assert tmp_path / "here" in (settings.home, settings.cache)
    with pytest.raises(SettingsError, match=f"{name} is '~no-such-user-here'"):
        IndexSettings.resolve(environ={name: "~no-such-user-here"})
