"""What the chat's server lets in and out, and what programs are told."""

import asyncio
import concurrent.futures
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from chat_server import SCRIPT, chat_served
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.serve import FEEDBACK, ServeSettings
from index.errors import SettingsError
from index.load import load_builtin

pytest_plugins = ["chat_fixtures"]

UN = "Why did Japan withhold the UN resolution?"
LEAD = "What is the boiling point of lead?"


def resolve(environ=(), **options):
    whole = {"host": "127.0.0.1", "port": 7860, "auth": None, "shared_library": False}
    whole |= {"max_upload": 5, "max_waiting": 3, "mcp": False}
    return ServeSettings.resolve(**whole | options, environ=dict(environ))


def test_mcp_cannot_ask_for_a_password():
    with pytest.raises(SettingsError, match="Gradio asks no password for them"):
        resolve(mcp=True, auth="ann:pw")


def test_ipv6_is_refused():
    with pytest.raises(SettingsError, match="::1 is an address of IPv6"):
        resolve(host="::1")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.org"])
def test_another_address_wants_a_password(host):
    with pytest.raises(
        SettingsError, match=f"^on {re.escape(host)} others could read the documents; set QA_AUTH=user:password"
    ):
        resolve(host=host)
    assert resolve(host=host, auth="ann:pass:word").auth == ("ann", "pass:word")
    assert resolve({"QA_AUTH": "ann:pw"}, host=host).auth == ("ann", "pw")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_this_machine_needs_none(host):
    assert resolve(host=host).auth is None


@pytest.mark.parametrize("auth", ["ann", "ann:", ":pw", ":"])
def test_half_a_password_is_refused(auth):
    with pytest.raises(SettingsError, match="QA_AUTH should look like user:password"):
        resolve(auth=auth)


def test_the_password_is_not_in_what_is_printed():
    assert "secret" not in repr(resolve(auth="ann:secret"))


def test_refusals_are_one_line_and_exit_code_1(home):
    done = subprocess.run([SCRIPT, "serve", "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("qa: on 0.0.0.0 others could read the documents")
    assert len(done.stderr.splitlines()) == 1
    done = subprocess.run([SCRIPT, "serve", "--shared-library", "--doc", "x"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_a_port_that_is_taken_is_one_line(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([SCRIPT, "serve", "--port", str(port)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == f"qa: port {port} of 127.0.0.1 cannot be listened to; name another with --port\n"


WATCH = """
import os, socket

def watched(connect):
    def watching(self, address):
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"{address[0] if isinstance(address, tuple) else 'local'}\\n")
        return connect(self, address)
    return watching

socket.socket.connect = watched(socket.socket.connect)
socket.socket.connect_ex = watched(socket.socket.connect_ex)
"""


def test_the_server_connects_to_no_other_machine(embedder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    seen = tmp_path / "connections"
    with chat_served(tmp_path / "home", PYTHONPATH=str(tmp_path), CONNECTIONS=str(seen)) as url:
        assert Client(url, verbose=False).predict(question=UN, api_name="/ask")["answered"]
    # Gradio looks whether its own page answers; so the watch is seen to work.
    assert set(seen.read_text().split()) == {"127.0.0.1"}


def test_programs_ask_and_list(chat):
    client = Client(chat[0], verbose=False)
    answer = client.predict(question=UN, api_name="/ask")
    text = load_builtin().text
    assert answer["status"] == "answered"
    assert all(text[c["start"] : c["end"]] == c["quote"] for c in answer["citations"])
    assert client.predict(question=LEAD, history=[], api_name="/ask")["answered"] is False
    assert client.predict(api_name="/documents") == [
        {"id": load_builtin().id, "title": load_builtin().title, "characters": len(text)}
    ]
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert sorted(named) == ["/ask", "/documents"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"question": "x" * 2001}, "2,001 characters; at most 2,000 are read"),
        ({"question": "And when?", "history": "Where did the talks take place?"}, "history a list of texts"),
        ({"question": "And when?", "history": [5]}, "history a list of texts"),
        ({"question": 5}, "question is a text"),
    ],
)
def test_what_programs_send_amiss_is_said(chat, sent, said):
    with pytest.raises(AppError, match=said):
        Client(chat[0], verbose=False).predict(**sent, api_name="/ask")


def test_follow_ups_of_programs_are_understood(chat):
    client = Client(chat[0], verbose=False)
    history = ["Where did the secret talks take place?"]
    alone = client.predict(question="And when?", api_name="/ask")
    after = client.predict(question="And when?", history=history, api_name="/ask")
    assert alone["confidence"] != after["confidence"]


def test_with_a_password_nobody_comes_in_without_it(embedder, tmp_path):
    with chat_served(tmp_path / "home", QA_AUTH="ann:secret") as url:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/config", timeout=30)
        assert refused.value.code == 401
        client = Client(url, auth=("ann", "secret"), verbose=False)
        assert client.predict(api_name="/documents")
        with pytest.raises(Exception, match=r"(?i)(login|credential|auth)"):
            Client(url, auth=("ann", "wrong"), verbose=False)


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_no_file_of_the_machine_is_served(chat, tmp_path):
    url, home = chat
    (home / "secret.txt").write_text("a secret")
    for path in (home / "secret.txt", home / FEEDBACK, "/etc/passwd", tmp_path / "x"):
        for route in ("file=", "gradio_api/file=", "gradio_api/file/", "static/", "assets/"):
            status, body = get(f"{url}/{route}{path}")
            assert status in (401, 403, 404), (route, path, status)
            assert b"secret" not in body


def upload(url, name, data):
    boundary = "----b"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: text/plain\r\n\r\n"
        ).encode()
        + data
        + f"\r\n--{boundary}--\r\n".encode()
    )
    request = urllib.request.Request(f"{url}/gradio_api/upload", data=body)
    request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_a_file_that_is_too_large_is_refused_before_it_is_kept(embedder, tmp_path):
    with chat_served(tmp_path / "home", "--max-upload", "0.1") as url:
        assert upload(url, "small.txt", b"x" * 1000)
        with pytest.raises(urllib.error.HTTPError) as refused:
            upload(url, "large.txt", b"x" * 200_000)
        assert refused.value.code == 413


def test_more_than_may_wait_are_told_so(embedder, tmp_path):
    with chat_served(tmp_path / "home", "--max-waiting", "0") as url:
        client = Client(url, verbose=False)
        client.predict(question=UN, api_name="/ask")
        jobs = [client.submit(question=UN, api_name="/ask") for _ in range(30)]
        failed = [error for job in jobs if (error := job.exception(timeout=120)) is not None]
        assert 0 < len(failed) < 30
        assert all("The server is busy: 2 others are being served or wait." in str(error) for error in failed), failed


def test_mcp_tools_ask_and_list(embedder, tmp_path):
    """In a thread of its own: Playwright keeps an event loop in this one."""
    with chat_served(tmp_path / "home", "--mcp") as url:
        Client(url, verbose=False).predict(api_name="/documents")  # the documents are open

        async def talk():
            from mcp import ClientSession
            from mcp.client.streamable_http import streamablehttp_client

            async with (
                streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                tools = (await session.list_tools()).tools
                asked = next(tool.name for tool in tools if tool.name.endswith("ask"))
                listed = next(tool.name for tool in tools if tool.name.endswith("documents"))
                answer = await session.call_tool(asked, {"question": UN})
                return tools, answer, await session.call_tool(listed, {})

        with concurrent.futures.ThreadPoolExecutor() as pool:
            tools, answer, documents = pool.submit(asyncio.run, talk()).result(timeout=120)
    assert len(tools) == 2
    assert "from the documents alone" in next(tool.description for tool in tools if tool.name.endswith("ask"))
    assert not answer.isError
    said = answer.content[0].text
    assert "already speaks volumes. [1]" in said
    assert load_builtin().id in documents.content[0].text
